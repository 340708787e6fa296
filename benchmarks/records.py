"""What each batch, record and session costs above the seam, held against kafka-python's reader.

Run: python benchmarks/records.py. Every row is the best of several rounds of the same run.
"""

from __future__ import annotations

import os

from kafka.record.default_records import DefaultRecordBatch
from timing import microseconds

from godel.broker.fetch_sessions import FetchSessions
from godel.broker.producer_state import ProducerState
from godel.clock import Randomness
from godel.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from godel.records.batch import check_crc, iterate_records, parse_header
from godel.records.builder import NewRecord, build_batch
from godel.records.compression import Compression
from godel.records.crc import crc32c
from godel.records.validation import ProduceRules, check_produced

NOW_MS = 1_700_000_000_000
RULES = ProduceRules(max_message_bytes=2 << 20)
COMPACTED = ProduceRules(max_message_bytes=2 << 20, compacted=True)
APPEND_TIME = ProduceRules(max_message_bytes=2 << 20, timestamp_type_log_append=True)
TO_LZ4 = ProduceRules(
    max_message_bytes=2 << 20,
    compression_type="lz4",
    compression_levels={Compression.LZ4: 1},
)


def row(name: str, us: float, against: str = "") -> None:
    print(f"{name:<52}{us:>12.2f} us  {against}")


def check(batch: memoryview, rules: ProduceRules) -> object:
    return check_produced(batch, rules, now_ms=NOW_MS, zstd_allowed=True)


def kafka_python_check(batch: memoryview) -> object:
    """What its reader does before it looks at records: parse the header, check the CRC."""
    read = DefaultRecordBatch(batch)
    return read.validate_crc(), read.records_count


def bench_validation(name: str, batch: bytes, repeat: int, slow_repeat: int) -> None:
    view = memoryview(batch)
    ours = microseconds(lambda: check(view, RULES), repeat)
    checksum = microseconds(lambda: crc32c(view), repeat)
    theirs = microseconds(lambda: kafka_python_check(view), slow_repeat)
    row(f"check_produced, {name} ({len(batch):,} bytes)", ours)
    row("  its CRC alone", checksum, f"{checksum / ours:.0%} of it")
    row("  kafka-python: header and CRC", theirs, f"{theirs / ours:.1f} times ours")
    for rule_name, rules in (
        ("LogAppendTime", APPEND_TIME),
        ("compacted", COMPACTED),
        ("recompressed to lz4", TO_LZ4),
    ):
        row(f"  {rule_name}", microseconds(lambda r=rules: check(view, r), slow_repeat))


def bench_reading() -> None:
    records = [NewRecord(b"key%d" % n, b"v" * 100, (), NOW_MS + n) for n in range(1000)]
    for codec in Compression:
        batch = build_batch(records, timestamp_ms=NOW_MS, compression=codec)
        ours = microseconds(lambda b=batch: sum(1 for _ in iterate_records(b)), 5) / 1000
        against = ""
        if codec in (Compression.NONE, Compression.GZIP):
            theirs = microseconds(lambda b=batch: sum(1 for _ in DefaultRecordBatch(b)), 5) / 1000
            against = f"kafka-python {theirs:.2f} us, {theirs / ours:.1f} times ours"
        row(f"iterate_records, {codec.name.lower()}, per record", ours, against)
    built = microseconds(lambda: build_batch(records, timestamp_ms=NOW_MS), 5) / 1000
    row("build_batch, per record", built)
    batch = build_batch([(None, b"x" * 100)], timestamp_ms=NOW_MS)
    header = parse_header(batch)
    row("parse_header", microseconds(lambda: parse_header(batch), 50_000))
    row("check_crc", microseconds(lambda: check_crc(batch, header), 50_000))


def bench_producers() -> None:
    first = parse_header(
        build_batch(
            [(None, b"")], timestamp_ms=NOW_MS, producer_id=1, producer_epoch=0, base_sequence=0
        )
    )
    state = ProducerState()
    state.update(first, 0, NOW_MS)
    following = first._replace(base_sequence=1)
    row("ProducerState.check, in sequence", microseconds(lambda: state.check(following), 50_000))
    row("ProducerState.check, duplicate", microseconds(lambda: state.check(first), 20_000))
    row("ProducerState.update", microseconds(lambda: state.update(first, 0, NOW_MS), 20_000))


def bench_sessions(count: int = 100) -> None:
    partitions = [FetchPartition(partition=n, fetch_offset=n) for n in range(count)]
    topics = [FetchTopic(topic="topic", partitions=partitions)]
    sessions = FetchSessions(Randomness(1))
    plain = FetchRequest(session_epoch=-1, topics=topics)
    row(
        f"fetch without session, {count} partitions",
        microseconds(lambda: sessions.begin(plain, 12, NOW_MS), 1000),
    )
    opening = sessions.begin(FetchRequest(session_epoch=0, topics=topics), 12, NOW_MS)
    asked = FetchRequest(session_id=opening.session_id, session_epoch=0)

    def begin() -> object:
        asked.session_epoch += 1
        return sessions.begin(asked, 12, NOW_MS)

    row("idle fetch in a session: begin", microseconds(begin, 5000))

    def begin_and_answer() -> None:
        asked.session_epoch += 1
        context = sessions.begin(asked, 12, NOW_MS)
        include = context.should_include
        for slot in context.partitions:
            include(slot, 0, 10, 0, has_records=False)

    row(
        f"idle fetch in a session: begin, {count} should_include",
        microseconds(begin_and_answer, 1000),
    )


def main() -> None:
    small = build_batch([(b"key", b"x" * 97)], timestamp_ms=NOW_MS)
    large = build_batch([(b"key", os.urandom(1000))] * 1030, timestamp_ms=NOW_MS)
    bench_validation("one record", small, 50_000, 5_000)
    bench_validation("1,030 records", large, 500, 5)
    bench_reading()
    bench_producers()
    bench_sessions()


if __name__ == "__main__":
    main()
