"""Records of `__consumer_offsets`: typed values to and from the bytes of a record's key and value.

key    int16 record type | key schema    (1 offset commit, 0 its first form, 2 classic group)
value  int16 value version | value schema; no value: a tombstone

Types that we do not know (KIP-848, share and streams groups) are skipped on replay, as Kafka does.
Written: GroupMetadataValue v3, OffsetCommitValue v3, and v1 where the commit names its own expiry.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

from godel.errors import DecodeError
from godel.protocol.codec import decode, encode
from godel.protocol.messages.group_metadata import (
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
)

LEGACY_OFFSET_COMMIT = 0
OFFSET_COMMIT = 1
GROUP_METADATA = 2

KEY_VERSION = 0
VALUE_VERSION = 3
VALUE_VERSION_WITH_EXPIRY = 1
VALUE_VERSION_MAX = 4

_INT16 = struct.Struct(">h")


class OffsetRecord(NamedTuple):
    """A committed offset, or with no value its removal."""

    key: OffsetCommitKey
    value: OffsetCommitValue | None


class GroupRecord(NamedTuple):
    """A classic group as a whole, or with no value its removal."""

    key: GroupMetadataKey
    value: GroupMetadataValue | None


GroupCoordinatorRecord: TypeAlias = OffsetRecord | GroupRecord


def to_bytes(record: GroupCoordinatorRecord) -> tuple[bytes, bytes | None]:
    value = record.value
    if isinstance(record, OffsetRecord):
        key_bytes = _key(OFFSET_COMMIT, record.key)
        version = VALUE_VERSION
        if record.value is not None and record.value.expire_timestamp >= 0:
            version = VALUE_VERSION_WITH_EXPIRY
    else:
        key_bytes = _key(GROUP_METADATA, record.key)
        version = VALUE_VERSION
    if value is None:
        return key_bytes, None
    return key_bytes, _INT16.pack(version) + encode(value, version)


def from_bytes(key: bytes, value: bytes | None) -> GroupCoordinatorRecord | None:
    """None: a record of another kind of group. Raises `DecodeError`."""
    if len(key) < _INT16.size:
        raise DecodeError("a coordinator record's key has no type")
    (kind,) = _INT16.unpack_from(key)
    body = key[_INT16.size :]
    if kind in (OFFSET_COMMIT, LEGACY_OFFSET_COMMIT):
        offset_key = decode(OffsetCommitKey, body, KEY_VERSION)
        if value is None:
            return OffsetRecord(offset_key, None)
        version = _value_version(value)
        return OffsetRecord(offset_key, decode(OffsetCommitValue, value[_INT16.size :], version))
    if kind == GROUP_METADATA:
        group_key = decode(GroupMetadataKey, body, KEY_VERSION)
        if value is None:
            return GroupRecord(group_key, None)
        version = _value_version(value)
        return GroupRecord(group_key, decode(GroupMetadataValue, value[_INT16.size :], version))
    return None


def _key(kind: int, key: OffsetCommitKey | GroupMetadataKey) -> bytes:
    return _INT16.pack(kind) + encode(key, KEY_VERSION)


def _value_version(value: bytes) -> int:
    if len(value) < _INT16.size:
        raise DecodeError("a coordinator record's value has no version")
    version: int = _INT16.unpack_from(value)[0]
    if not 0 <= version <= VALUE_VERSION_MAX:
        raise DecodeError(f"a coordinator record's value has unknown version {version}")
    return version
