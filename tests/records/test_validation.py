"""What a produced batch must be, case by case, and that no other answer than ApiError exists."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.errors import ApiError, CorruptBatch, ErrorCode
from godel.records import validation
from godel.records.batch import (
    LOG_APPEND_TIME_BIT,
    check_crc,
    iterate_records,
    parse_header,
    records_block,
)
from godel.records.builder import NewRecord, build_batch, seal_batch, write_crc
from godel.records.compression import Compression, compress
from godel.records.partition_log import LogSlice
from godel.records.validation import (
    RECORD_ERRORS_LIMIT,
    CheckedBatch,
    InvalidRecord,
    ProduceRules,
    check_produced,
    verified,
)
from godel.types import Buffer

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
DEFAULTS = ProduceRules()
APPEND_TIME = ProduceRules(timestamp_type_log_append=True)
COMPACTED = ProduceRules(compacted=True)


def check(
    records: Buffer | None, rules: ProduceRules = DEFAULTS, *, zstd_allowed: bool = True
) -> CheckedBatch:
    checked = check_produced(records, rules, now_ms=NOW_MS, zstd_allowed=zstd_allowed)
    assert checked.header == parse_header(checked.data)
    assert checked.header.size_bytes == len(checked.data)
    assert check_crc(checked.data, checked.header)
    return checked


def refusal(
    records: Buffer | None, rules: ProduceRules = DEFAULTS, *, zstd_allowed: bool = True
) -> ApiError:
    with pytest.raises(ApiError) as raised:
        check(records, rules, zstd_allowed=zstd_allowed)
    assert raised.value.message
    return raised.value


def batch(
    *timestamps: int, key: bytes | None = b"k", codec: Compression = Compression.NONE
) -> bytes:
    records = [NewRecord(key, b"value", timestamp_ms=t) for t in timestamps or (NOW_MS,)]
    return build_batch(records, timestamp_ms=NOW_MS, compression=codec)


def patched(original: bytes, offset: int, layout: str, value: int) -> bytes:
    """The batch with one field of its header replaced and a CRC that fits."""
    copy = bytearray(original)
    struct.pack_into(layout, copy, offset, value)
    write_crc(copy)
    return bytes(copy)


# -- the fast path ---------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", list(Compression))
def test_an_honest_batch_is_passed_on_as_it_is(codec: Compression) -> None:
    view = memoryview(batch(NOW_MS - 5, NOW_MS, codec=codec))
    checked = check(view)
    assert checked.data is view
    assert checked.header.max_timestamp == NOW_MS


def test_an_honest_block_is_not_unfolded() -> None:
    nonsense = seal_batch(
        b"not zstd",
        base_offset=0,
        leader_epoch=-1,
        attributes=Compression.ZSTD,
        last_offset_delta=0,
        base_timestamp=NOW_MS,
        max_timestamp=NOW_MS,
        producer=(-1, -1, -1),
        records_count=1,
    )
    assert check(nonsense).data is nonsense
    assert refusal(nonsense, COMPACTED).code is ErrorCode.INVALID_RECORD


# -- one batch, whole, of magic 2 ------------------------------------------------------------------


@pytest.mark.parametrize("records", [None, b"", b"\x00" * 60])
def test_no_batch(records: bytes | None) -> None:
    assert refusal(records).code is ErrorCode.INVALID_RECORD


def test_two_batches_or_other_bytes_behind_one() -> None:
    for tail in (batch(), b"\x00", batch()[:30]):
        assert refusal(batch() + tail).code is ErrorCode.INVALID_RECORD


def test_a_cut_batch() -> None:
    for size in (61, 62, len(batch()) - 1):
        assert refusal(batch()[:size]).code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("magic", [0, 1, 3, 127])
def test_other_magics(magic: int) -> None:
    assert refusal(patched(batch(), 16, ">b", magic)).code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("length", [-1, 0, 48])
def test_a_length_below_that_of_a_header(length: int) -> None:
    assert refusal(patched(batch(), 8, ">i", length)).code is ErrorCode.CORRUPT_MESSAGE


def test_a_wrong_crc() -> None:
    broken = bytearray(batch())
    broken[-1] ^= 1
    assert refusal(broken).code is ErrorCode.CORRUPT_MESSAGE


# -- the header ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        pytest.param(0, ">q", 1, id="base offset"),
        pytest.param(0, ">q", -1, id="negative base offset"),
        pytest.param(23, ">i", 1, id="last offset delta"),
        pytest.param(23, ">i", -1, id="negative last offset delta"),
        pytest.param(57, ">i", 2, id="count"),
        pytest.param(57, ">i", 0, id="no records"),
        pytest.param(57, ">i", -1, id="negative count"),
        pytest.param(21, ">h", 0x20, id="control"),
        pytest.param(21, ">h", 0x30, id="transactional control"),
        pytest.param(43, ">q", 1, id="producer without sequence"),
    ],
)
def test_headers_that_no_producer_writes(offset: int, layout: str, value: int) -> None:
    refused = refusal(patched(batch(), offset, layout, value))
    assert type(refused) is InvalidRecord
    assert refused.code is ErrorCode.INVALID_RECORD


def test_a_producer_needs_a_sequence_and_an_epoch() -> None:
    for epoch, sequence in ((0, -1), (-1, 0)):
        records = build_batch(
            [(None, b"")],
            timestamp_ms=NOW_MS,
            producer_id=0,
            producer_epoch=epoch,
            base_sequence=sequence,
        )
        assert refusal(records).code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("code", [5, 6, 7])
def test_unknown_codecs(code: int) -> None:
    assert refusal(patched(batch(), 21, ">h", code)).code is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


def test_zstd_needs_a_newer_produce() -> None:
    zstd = batch(codec=Compression.ZSTD)
    refused = refusal(zstd, zstd_allowed=False)
    assert refused.code is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    check(batch(codec=Compression.LZ4), zstd_allowed=False)


def test_sizes_count_the_whole_batch() -> None:
    size = len(batch())
    check(batch(), ProduceRules(max_message_bytes=size, segment_bytes=size))
    too_large = refusal(batch(), ProduceRules(max_message_bytes=size - 1))
    assert too_large.code is ErrorCode.MESSAGE_TOO_LARGE
    no_segment = refusal(batch(), ProduceRules(segment_bytes=size - 1))
    assert no_segment.code is ErrorCode.RECORD_LIST_TOO_LARGE


# -- timestamps ------------------------------------------------------------------------------------


def test_the_bounds_of_create_time() -> None:
    rules = ProduceRules(timestamp_before_max_ms=1000, timestamp_after_max_ms=500)
    assert check(batch(NOW_MS - 1000, NOW_MS + 500), rules).header.max_timestamp == NOW_MS + 500
    for timestamps, index in (((NOW_MS + 501,), 0), ((NOW_MS, NOW_MS - 1001), 1)):
        refused = refusal(batch(*timestamps), rules)
        assert isinstance(refused, InvalidRecord)
        assert refused.code is ErrorCode.INVALID_TIMESTAMP
        assert [at for at, _ in refused.record_errors] == [index]


def test_by_default_an_hour_ahead_is_the_limit_and_there_is_none_behind() -> None:
    check(batch(0, NOW_MS + HOUR_MS))
    assert refusal(batch(NOW_MS + HOUR_MS + 1)).code is ErrorCode.INVALID_TIMESTAMP


@pytest.mark.parametrize("codec", list(Compression))
def test_every_record_beyond_the_bounds_is_named(codec: Compression) -> None:
    late = NOW_MS + HOUR_MS + 1
    refused = refusal(batch(late, NOW_MS, late, codec=codec))
    assert isinstance(refused, InvalidRecord)
    assert [at for at, _ in refused.record_errors] == [0, 2]


def test_a_record_without_timestamp_is_never_out_of_bounds() -> None:
    bounded = ProduceRules(timestamp_before_max_ms=1)
    assert check(batch(-1), bounded).header.max_timestamp == -1
    assert check(batch(-1)).header.max_timestamp == -1


def test_a_header_that_claims_too_late_a_time_is_corrected() -> None:
    claimed = patched(batch(NOW_MS - 7, NOW_MS - 3), 35, ">q", NOW_MS + 2 * HOUR_MS)
    checked = check(claimed)
    assert checked.header.max_timestamp == NOW_MS - 3
    assert bytes(checked.data)[43:] == claimed[43:]


def test_a_header_whose_largest_time_lies_before_its_first_is_corrected() -> None:
    claimed = patched(batch(NOW_MS - 7, NOW_MS - 3), 35, ">q", -1)
    assert check(claimed).header.max_timestamp == NOW_MS - 3


def test_timestamps_that_no_int64_holds() -> None:
    unlimited = ProduceRules(timestamp_after_max_ms=2**63 - 1, compacted=True)
    records = patched(batch(0, 5), 27, ">q", 2**63 - 2)
    assert refusal(records, unlimited).code is ErrorCode.INVALID_RECORD


# -- LogAppendTime ---------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", list(Compression))
def test_append_time_is_stamped_on_the_batch(codec: Compression) -> None:
    original = batch(5, NOW_MS + 5 * HOUR_MS, codec=codec)
    checked = check(original, APPEND_TIME)
    assert checked.header.has_log_append_time
    assert checked.header.max_timestamp == NOW_MS
    assert [r.timestamp for r in iterate_records(checked.data)] == [NOW_MS, NOW_MS]
    assert bytes(checked.data)[23:35] == original[23:35]
    assert bytes(checked.data)[43:] == original[43:]
    assert parse_header(original).max_timestamp == NOW_MS + 5 * HOUR_MS


def test_a_client_may_not_stamp_append_time() -> None:
    stamped = patched(batch(), 21, ">h", LOG_APPEND_TIME_BIT)
    refused = refusal(stamped, APPEND_TIME)
    assert refused.code is ErrorCode.INVALID_TIMESTAMP


def test_append_time_from_a_client_becomes_create_time_on_such_a_topic() -> None:
    stamped = patched(batch(NOW_MS - 9, NOW_MS - 5), 21, ">h", LOG_APPEND_TIME_BIT)
    checked = check(stamped)
    assert not checked.header.has_log_append_time
    assert checked.header.max_timestamp == NOW_MS - 5
    unknown = patched(stamped, 35, ">q", -1)
    assert refusal(unknown).code is ErrorCode.INVALID_TIMESTAMP


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", list(Compression))
def test_compacted_topics_need_keys(codec: Compression) -> None:
    view = memoryview(batch(NOW_MS, key=b"", codec=codec))
    assert check(view, COMPACTED).data is view
    records = [(b"k", b""), (None, b""), (b"k", None), (None, None)]
    keyless = build_batch(records, timestamp_ms=NOW_MS, compression=codec)
    check(keyless)
    refused = refusal(keyless, COMPACTED)
    assert isinstance(refused, InvalidRecord)
    assert refused.code is ErrorCode.INVALID_RECORD
    assert [at for at, _ in refused.record_errors] == [1, 3]


def test_append_time_does_not_excuse_missing_keys() -> None:
    rules = ProduceRules(compacted=True, timestamp_type_log_append=True)
    assert refusal(batch(key=None), rules).code is ErrorCode.INVALID_RECORD
    assert check(batch(), rules).header.has_log_append_time


def test_a_bad_timestamp_outranks_a_missing_key() -> None:
    records = [NewRecord(None, b""), NewRecord(b"k", b"", timestamp_ms=NOW_MS + 2 * HOUR_MS)]
    refused = refusal(build_batch(records, timestamp_ms=NOW_MS), COMPACTED)
    assert isinstance(refused, InvalidRecord)
    assert refused.code is ErrorCode.INVALID_TIMESTAMP
    assert len(refused.record_errors) == 2


def test_the_list_of_refused_records_is_bounded() -> None:
    keyless = build_batch([(None, b"")] * (RECORD_ERRORS_LIMIT + 50), timestamp_ms=NOW_MS)
    refused = refusal(keyless, COMPACTED)
    assert isinstance(refused, InvalidRecord)
    assert len(refused.record_errors) == RECORD_ERRORS_LIMIT


def test_a_batch_of_too_many_records_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "RECORDS_LIMIT", 3)
    check(batch(*[NOW_MS] * 3), COMPACTED)
    check(batch(*[NOW_MS] * 4))
    assert refusal(batch(*[NOW_MS] * 4), COMPACTED).code is ErrorCode.INVALID_RECORD


# -- compression.type ------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("source", list(Compression))
def test_the_topics_codec_is_the_one_stored(source: Compression, target: str) -> None:
    levels = {Compression.GZIP: 1, Compression.LZ4: 1, Compression.ZSTD: 1}
    rules = ProduceRules(compression_type=target, compression_levels=levels)
    original = build_batch(
        [NewRecord(b"k", bytes([n]) * 50, [("h", b"")], NOW_MS - n) for n in range(9)],
        timestamp_ms=NOW_MS,
        compression=source,
        producer_id=1,
        producer_epoch=2,
        base_sequence=3,
        is_transactional=True,
    )
    checked = check(original, rules)
    before = parse_header(original)
    assert checked.header.compression.name.lower() == target.replace("uncompressed", "none")
    assert checked.header.is_transactional
    assert checked.header[6:] == before[6:]
    assert records_block(checked.data, checked.header) == records_block(original, before)
    if checked.header.compression is source:
        assert checked.data is original


def test_what_does_not_unfold_is_refused_for_good() -> None:
    rules = ProduceRules(compression_type="lz4")
    broken = bytearray(batch(codec=Compression.GZIP))
    broken[61] ^= 0xFF
    write_crc(broken)
    assert refusal(broken, rules).code is ErrorCode.INVALID_RECORD


def test_a_batch_may_become_too_large_under_the_topics_codec() -> None:
    zeros = build_batch([(None, bytes(10_000))], timestamp_ms=NOW_MS, compression=Compression.ZSTD)
    rules = ProduceRules(compression_type="uncompressed", max_message_bytes=5_000)
    assert refusal(zeros, rules).code is ErrorCode.MESSAGE_TOO_LARGE


def test_append_time_and_another_codec_together() -> None:
    rules = ProduceRules(compression_type="gzip", timestamp_type_log_append=True)
    header = check(batch(), rules).header
    assert (header.compression, header.has_log_append_time) == (Compression.GZIP, True)


def test_records_are_looked_at_when_the_codec_changes() -> None:
    block = bytes.fromhex("0c00000000010100")
    records = seal_batch(
        compress(Compression.GZIP, block),
        base_offset=0,
        leader_epoch=-1,
        attributes=Compression.GZIP,
        last_offset_delta=0,
        base_timestamp=NOW_MS,
        max_timestamp=NOW_MS,
        producer=(-1, -1, -1),
        records_count=1,
    )
    check(records)
    rules = ProduceRules(compression_type="zstd")
    assert refusal(records, rules).code is ErrorCode.INVALID_RECORD


# -- what was stored -------------------------------------------------------------------------------


def test_what_a_log_gives_is_sound_up_to_the_first_damage() -> None:
    one, two = (build_batch([(b"k", value)], timestamp_ms=NOW_MS) for value in (b"1", b"2"))
    damaged = bytearray(two)
    damaged[-1] ^= 1
    whole = LogSlice([one + two], len(one + two), 7)
    assert verified(whole) == whole
    first = LogSlice([one], len(one), 1)
    assert verified(LogSlice([one + bytes(damaged) + two], 0, 7)) == first
    assert verified(LogSlice([one, damaged, two], 0, 7)) == first
    assert verified(LogSlice([one + bytes(9)], 0, 7)) == first
    with pytest.raises(CorruptBatch, match="CRC of the batch at offset 0"):
        verified(LogSlice([damaged, two], 0, 7))


# -- anything at all -------------------------------------------------------------------------------

every_rules = st.builds(
    ProduceRules,
    max_message_bytes=st.sampled_from([100, 10**6]),
    segment_bytes=st.sampled_from([100, 10**6]),
    compacted=st.booleans(),
    timestamp_type_log_append=st.booleans(),
    timestamp_before_max_ms=st.sampled_from([0, HOUR_MS, 2**63 - 1]),
    timestamp_after_max_ms=st.sampled_from([0, HOUR_MS, 2**63 - 1]),
    compression_type=st.sampled_from(["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
)


@given(garbage=st.binary(max_size=300), rules=every_rules)
def test_garbage_is_refused(garbage: bytes, rules: ProduceRules) -> None:
    refusal(garbage, rules)


@given(
    header=st.tuples(
        st.sampled_from([0, 1, -1]),
        st.integers(-1, 255),
        st.sampled_from([0, 1, 2, -1, 2**31 - 1]),
        st.integers(-(2**63), 2**63 - 1) | st.just(NOW_MS),
        st.integers(-(2**63), 2**63 - 1) | st.just(NOW_MS),
        st.integers(-1, 1),
        st.integers(-1, 1),
        st.integers(-1, 1),
        st.sampled_from([0, 1, 2, 3, -1, 2**31 - 1]),
    ),
    block=st.binary(max_size=50) | st.just(bytes.fromhex("0c000000010100")),
    rules=every_rules,
)
def test_any_header_over_any_block(
    header: tuple[int, ...], block: bytes, rules: ProduceRules
) -> None:
    base_offset, attributes, delta, base_time, max_time, producer_id, epoch, sequence, n = header
    records = seal_batch(
        block,
        base_offset=base_offset,
        leader_epoch=-1,
        attributes=attributes,
        last_offset_delta=delta,
        base_timestamp=base_time,
        max_timestamp=max_time,
        producer=(producer_id, epoch, sequence),
        records_count=n,
    )
    with suppress(ApiError):
        header_out = check(records, rules).header
        assert header_out.records_count == header_out.last_offset_delta + 1 > 0
