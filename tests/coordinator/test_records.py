"""The bytes of `__consumer_offsets`, as Kafka's own tools read them."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.coordinator.records import GroupRecord, OffsetRecord, from_bytes, to_bytes
from godel.errors import DecodeError
from godel.protocol.messages.group_metadata import (
    GroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
    OffsetCommitKey,
    OffsetCommitValue,
)

KEY = OffsetCommitKey(group="g", topic="t", partition=3)
MEMBER = MemberMetadata(
    member_id="m",
    group_instance_id="i",
    client_id="c",
    client_host="/127.0.0.1",
    rebalance_timeout=60_000,
    session_timeout=10_000,
    subscription=b"s",
    assignment=b"a",
)


def test_an_offset_is_written_in_version_3() -> None:
    value = OffsetCommitValue(offset=5, leader_epoch=2, metadata="x", commit_timestamp=7)
    key_bytes, value_bytes = to_bytes(OffsetRecord(KEY, value))
    assert key_bytes == b"\0\1" + b"\0\1g" + b"\0\1t" + b"\0\0\0\3"
    assert value_bytes == struct.pack(">hqi", 3, 5, 2) + b"\0\1x" + struct.pack(">q", 7)


def test_an_offset_with_its_own_expiry_is_written_in_version_1() -> None:
    value = OffsetCommitValue(offset=5, commit_timestamp=7, expire_timestamp=9)
    key_bytes, value_bytes = to_bytes(OffsetRecord(KEY, value))
    assert value_bytes == struct.pack(">hq", 1, 5) + b"\0\0" + struct.pack(">qq", 7, 9)
    assert from_bytes(key_bytes, value_bytes) == OffsetRecord(KEY, value)


def test_a_group_is_written_in_version_3() -> None:
    value = GroupMetadataValue(
        protocol_type="consumer",
        generation=4,
        protocol="range",
        leader="m",
        current_state_timestamp=11,
        members=[MEMBER],
    )
    record = GroupRecord(GroupMetadataKey(group="g"), value)
    key_bytes, value_bytes = to_bytes(record)
    assert key_bytes == b"\0\2\0\1g"
    assert value_bytes is not None
    assert value_bytes.startswith(b"\0\3\0\x08consumer" + struct.pack(">i", 4))
    assert from_bytes(key_bytes, value_bytes) == record


def test_no_value_is_a_removal() -> None:
    assert from_bytes(*to_bytes(OffsetRecord(KEY, None))) == OffsetRecord(KEY, None)
    group = GroupRecord(GroupMetadataKey(group="g"), None)
    assert from_bytes(*to_bytes(group)) == group


def test_the_first_form_of_an_offset_key_is_read() -> None:
    key_bytes, _ = to_bytes(OffsetRecord(KEY, None))
    assert from_bytes(b"\0\0" + key_bytes[2:], None) == OffsetRecord(KEY, None)


@pytest.mark.parametrize("kind", [3, 5, 8, 17, 100])
def test_records_of_other_groups_are_skipped(kind: int) -> None:
    assert from_bytes(struct.pack(">h", kind) + b"whatever", b"\0\0") is None


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\x63" + bytes(40), b"\xff\xff", b"\0\3\0"])
def test_a_damaged_value_is_refused(value: bytes) -> None:
    key_bytes, _ = to_bytes(OffsetRecord(KEY, None))
    with pytest.raises(DecodeError):
        from_bytes(key_bytes, value)


@given(st.binary(max_size=60), st.none() | st.binary(max_size=60))
def test_garbage_is_a_decode_error(key: bytes, value: bytes | None) -> None:
    with contextlib.suppress(DecodeError):
        from_bytes(key, value)
