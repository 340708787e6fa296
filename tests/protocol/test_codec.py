"""The codec as a whole: every class and version there and back, alone and against kio."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import importlib
import io
import subprocess
import sys
import uuid
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.schema.index import schema_name_map
from kio.serial import entity_reader, entity_writer

from godel.errors import DecodeError, EncodeError
from godel.protocol import codec
from godel.protocol.message import Message, fields_of
from godel.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from godel.protocol.messages.fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
    ReplicaState,
)
from godel.protocol.messages.group_metadata import (
    GroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
    OffsetCommitKey,
    OffsetCommitValue,
)
from godel.protocol.messages.headers import RequestHeader, ResponseHeader
from godel.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from godel.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from tests.protocol.catalogue import (
    EACH_ROOT,
    MODULES,
    ROOTS,
    VERSIONS,
    all_versions,
    at_version,
)
from tests.protocol.strategies import messages

# --- there and back --------------------------------------------------------------------------


@EACH_ROOT
@settings(max_examples=10)
@given(data=st.data())
def test_round_trip_in_every_version(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    for version in all_versions(cls):
        carried = at_version(message, version)
        encoded = codec.encode(carried, version)
        assert codec.decode(cls, encoded, version) == carried
        assert codec.decode(cls, memoryview(bytearray(encoded)), version) == carried
        assert b"".join(codec.encode_buffers(carried, version)) == encoded


@EACH_ROOT
@settings(max_examples=5)
@given(data=st.data())
def test_what_a_version_lacks_is_dropped_or_refused(
    cls: type[Message], data: st.DataObject
) -> None:
    message = data.draw(messages(cls))
    for version in all_versions(cls):
        carried = at_version(message, version)
        try:
            encoded = codec.encode(message, version)
        except EncodeError:
            assert carried != message
        else:
            assert encoded == codec.encode(carried, version)


@EACH_ROOT
def test_defaults_round_trip(cls: type[Message]) -> None:
    """Not only a speck of coverage: it compiles every function there is."""
    for version in all_versions(cls):
        message = at_version(cls(), version)
        encoded = codec.encode(message, version)
        assert codec.decode(cls, encoded, version) == message, f"version {version}"
        prefix = codec.prefix_decoder(cls, version)(b"??" + encoded + b"more", 2)
        assert prefix == (message, 2 + len(encoded)), f"version {version}"


# --- against an independent implementation --------------------------------------------------


@cache
def kio_codec(cls: type[Message], version: int) -> tuple[Any, Any] | None:
    """kio's reader and writer, None where it has no such version."""
    for suffix, kind in (("Request", "request"), ("Response", "response"), ("Header", "header")):
        if cls.__name__.endswith(suffix):
            name = cls.__name__ if kind == "header" else cls.__name__.removesuffix(suffix)
            name = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
            for entity, path in schema_name_map.get(name, {}).get(version, {}).items():
                if entity.name == kind:
                    module, _, attribute = path.partition(":")
                    theirs = getattr(importlib.import_module(module), attribute)
                    return entity_reader(theirs), entity_writer(theirs)
    return None


def plain(value: Any) -> Any:
    """kio's richer values as what stands on the wire."""
    if isinstance(value, tuple):
        return [plain(element) for element in value]
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(milliseconds=1)
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return (value - epoch) // datetime.timedelta(milliseconds=1)
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, enum.Enum):
        return value.value
    return value


def assert_equal(ours: Any, theirs: Any) -> None:
    """Field by field; kio drops `_ms` from names and writes the zero uuid and no time as None."""
    for field in dataclasses.fields(theirs):
        name = field.name if hasattr(ours, field.name) else field.name + "_ms"
        mine, other = getattr(ours, name), plain(getattr(theirs, field.name))
        if isinstance(mine, memoryview):
            mine = bytes(mine)
        kind = field.metadata.get("kafka_type")
        if other is None and kind == "uuid":
            other = bytes(16)
        elif other is None and kind == "datetime_i64":
            other = -1
        if isinstance(mine, list) and mine and isinstance(mine[0], Message):
            assert len(mine) == len(other)
            for left, right in zip(mine, other, strict=True):
                assert_equal(left, right)
        elif isinstance(mine, Message):
            assert_equal(mine, other)
        elif isinstance(mine, list) and kind == "uuid":
            assert mine == [bytes(16) if part is None else plain(part) for part in other]
        else:
            assert mine == other, f"{type(ours).__name__}.{name}"


@pytest.mark.parametrize(
    "cls", [cls for cls in ROOTS if kio_codec(cls, cls.VERSIONS[0])], ids=lambda cls: cls.__name__
)
@settings(max_examples=8)
@given(data=st.data())
def test_same_bytes_and_values_as_kio(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    for version in all_versions(cls):
        pair = kio_codec(cls, version)
        if pair is None:
            continue
        read, write = pair
        carried = at_version(message, version)
        encoded = codec.encode(carried, version)
        theirs, size = read(encoded, 0)
        assert size == len(encoded)
        assert_equal(carried, theirs)
        out = io.BytesIO()
        write(out, theirs)
        assert out.getvalue() == encoded
        assert codec.decode(cls, out.getvalue(), version) == carried


def test_kio_covers_every_api_we_have() -> None:
    missing = {
        (cls.__name__, version)
        for cls, version in VERSIONS
        if hasattr(cls, "API_KEY") and kio_codec(cls, version) is None
    }
    too_new_for_kio = {("DeleteGroups", 3), ("ApiVersions", 5)}
    assert missing <= {(n + s, v) for n, v in too_new_for_kio for s in ("Request", "Response")}


# --- golden bytes ----------------------------------------------------------------------------


GOLDEN = [
    (
        RequestHeader(18, 3, 7, "rdkafka"),
        2,
        "0012 0003 00000007 0007 72646b61666b61 00",  # a classic string in a flexible header
    ),
    (RequestHeader(18, 0, 7, None), 1, "0012 0000 00000007 ffff"),
    (ResponseHeader(-1), 0, "ffffffff"),
    (ResponseHeader(-1), 1, "ffffffff 00"),
    (ApiVersionsRequest("a", "1"), 3, "02 61 02 31 00"),
    (ApiVersionsResponse(35), 0, "0023 00000000"),
    (MetadataRequest(None), 1, "ffffffff"),
    (MetadataRequest([]), 1, "00000000"),
    (MetadataRequest(None), 9, "00 01 00 00 00"),
    (MetadataRequest([MetadataRequestTopic(name="t")]), 12, f"02 {'00' * 16} 02 74 00 01 00 00"),
    (OffsetCommitKey("g", "t", 1), 0, "0001 67 0001 74 00000001"),
    (
        OffsetCommitValue(5, metadata="m", commit_timestamp=6, expire_timestamp=7),
        1,
        "0000000000000005 0001 6d 0000000000000006 0000000000000007",
    ),
    (
        OffsetCommitValue(5, 2, "m", 6),
        3,
        "0000000000000005 00000002 0001 6d 0000000000000006",
    ),
    (
        OffsetCommitValue(5, 2, "m", 6, topic_id=b"i" * 16),
        4,
        f"0000000000000005 00000002 02 6d 0000000000000006 01 00 10 {'69' * 16}",
    ),
    (GroupMetadataKey("g"), 0, "0001 67"),
    (
        GroupMetadataValue(
            "c", 1, "range", "m", 9, [MemberMetadata("m", "i", "n", "/h", 1, 2, b"s", b"a")]
        ),
        3,
        "0001 63 00000001 0005 72616e6765 0001 6d 0000000000000009 00000001"
        "0001 6d 0001 69 0001 6e 0002 2f68 00000001 00000002 00000001 73 00000001 61",
    ),
    (
        GroupMetadataValue("consumer", 1, None, None),
        3,
        "0008 636f6e73756d6572 00000001 ffff ffff ffffffffffffffff 00000000",
    ),
]


@pytest.mark.parametrize(("message", "version", "golden"), GOLDEN)
def test_golden_bytes(message: Message, version: int, golden: str) -> None:
    assert codec.encode(message, version).hex() == golden.replace(" ", "")
    assert codec.decode(type(message), bytes.fromhex(golden), version) == message


def test_replica_state_travels_as_a_tag_from_version_15() -> None:
    """The field that moved: before 15 plain, then tag 1 with a tag section of its own."""
    follower = FetchRequest(replica_state=ReplicaState(5, 9))
    encoded = codec.encode(follower, 15)
    assert encoded.endswith(bytes.fromhex("01 01 0d 00000005 0000000000000009 00"))
    assert codec.decode(FetchRequest, encoded, 15) == follower
    with pytest.raises(EncodeError, match="replica_state"):
        codec.encode(follower, 14)


# --- records ---------------------------------------------------------------------------------


def test_records_are_decoded_without_copying() -> None:
    request = ProduceRequest(
        topic_data=[TopicProduceData("t", partition_data=[PartitionProduceData(0, b"batch")])]
    )
    frame = bytearray(codec.encode(request, 9))
    records = codec.decode(ProduceRequest, frame, 9).topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records == b"batch"
    frame[frame.index(b"batch")] = ord("B")
    assert records == b"Batch"


def test_records_are_encoded_without_copying_or_joining() -> None:
    ranges = [memoryview(b"one"), b"", b"two"]
    response = FetchResponse(
        responses=[
            FetchableTopicResponse(
                "t",
                partitions=[
                    PartitionData(0, records=ranges),
                    PartitionData(1, records=b""),
                    PartitionData(2, records=None),
                    PartitionData(3, records=b"three", diverging_epoch=EpochEndOffset(1, 2)),
                ],
            )
        ]
    )
    out = bytearray(b"prefix")
    buffers = codec.encoder(FetchResponse, 12)(response, out)
    assert buffers[0] is out
    assert out.startswith(b"prefix")
    assert buffers[1] is ranges[0]
    assert buffers[2] is ranges[2]
    assert len(buffers) == 6
    decoded = codec.decode(FetchResponse, b"".join(buffers).removeprefix(b"prefix"), 12)
    records = [part.records for part in decoded.responses[0].partitions]
    assert records == [b"onetwo", b"", None, b"three"]


def test_record_free_messages_stay_in_the_given_buffer() -> None:
    out = bytearray(4)
    assert codec.encoder(ResponseHeader, 1)(ResponseHeader(1), out) == [out]
    assert out == bytearray(4) + b"\0\0\0\1\0"


# --- refusals --------------------------------------------------------------------------------


def produce_response(**values: Any) -> ProduceResponse:
    partition = PartitionProduceResponse(**values)
    topic = TopicProduceResponse("t", partition_responses=[PartitionProduceResponse(), partition])
    return ProduceResponse([topic])


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (produce_response(error_code=40_000), "responses[0].partition_responses[1].error_code"),
        (produce_response(base_offset=1 << 63), "base_offset"),
        (produce_response(base_offset="1"), "base_offset"),
        (produce_response(record_errors=None), "record_errors"),
        (produce_response(error_message="x" * 32_768), "error_message"),
        (produce_response(error_message="\ud800"), "error_message"),
        (produce_response(current_leader=None), "current_leader"),
        (ProduceResponse([None]), "responses[0]"),
        (ProduceResponse([TopicProduceResponse(None)]), "name"),
    ],
)
def test_a_wrong_value_is_named(message: Message, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec.encode(message, 11)
    assert path in str(caught.value)


@pytest.mark.parametrize("topic_id", [b"", b"short", b"x" * 17])
def test_a_uuid_of_another_length_is_refused(topic_id: bytes) -> None:
    with pytest.raises(EncodeError, match="topic_id"):
        codec.encode(FetchRequest(topics=[FetchTopic(topic_id=topic_id)]), 13)


def test_string_limit_is_the_same_in_classic_and_flexible_versions() -> None:
    with pytest.raises(EncodeError, match="client_id"):
        codec.encode(RequestHeader(client_id="x" * 32_768), 2)
    with pytest.raises(EncodeError, match="client_software_name"):
        codec.encode(ApiVersionsRequest("x" * 32_768), 3)
    fits = ApiVersionsRequest("x" * 32_767, "1")
    assert codec.decode(ApiVersionsRequest, codec.encode(fits, 3), 3) == fits
    hostile = codec.encode(fits, 3).replace(b"\x80\x80\x02", b"\x81\x80\x02", 1)
    with pytest.raises(DecodeError, match="32768 bytes"):
        codec.decode(ApiVersionsRequest, hostile + b"x", 3)


@pytest.mark.parametrize("version", [-1, 3, 19, 99])
def test_a_version_that_does_not_exist_is_our_bug(version: int) -> None:
    with pytest.raises(ValueError, match="FetchRequest has no version"):
        codec.decoder(FetchRequest, version)
    with pytest.raises(ValueError, match="FetchRequest has no version"):
        codec.encoder(FetchRequest, version)


def test_a_nested_struct_does_not_travel_alone() -> None:
    with pytest.raises(ValueError, match="FetchPartition has no version"):
        codec.encode(FetchPartition(), 12)


# --- promises about how it works -------------------------------------------------------------


def test_source_shows_both_functions() -> None:
    text = codec.source(FetchRequest, 12)
    assert "def decode(data, p=0):" in text
    assert "def encode(o0, out):" in text
    compile(text, "shown", "exec")


def test_functions_are_compiled_once() -> None:
    assert codec.decoder(FetchRequest, 12) is codec.decoder(FetchRequest, 12)
    assert codec.encoder(FetchRequest, 12) is codec.encoder(FetchRequest, 12)


def test_importing_the_messages_resolves_and_compiles_nothing() -> None:
    names = ", ".join(module.__name__ for module in MODULES)
    program = (
        f"import {names}\n"
        "from godel.protocol import codec, message\n"
        "assert message.fields_of.cache_info().currsize == 0\n"
        "assert codec._decoder.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_fields_come_back_in_every_object() -> None:
    """No slot stays unset, whatever the version: reading one must never raise."""
    for cls, version in VERSIONS:
        decoded = codec.decode(cls, codec.encode(at_version(cls(), version), version), version)
        for field in fields_of(cls):
            assert getattr(decoded, field.name) == field.default or field.nullable_since is not None
