"""A partition on a log in memory: visibility, storing, fencing, state that survives."""

from __future__ import annotations

import pytest

from godel.broker.partition import Appended, Partition
from godel.broker.waiting import Waiter
from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import TopicConfig, topic_config
from godel.errors import ApiError, ErrorCode
from godel.records.batch import parse_header
from godel.records.compression import Compression
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_store import LocalLogStore
from godel.testing import quiet_log
from godel.types import TopicPartition
from tests.wire import NOW_MS, batch, numbered

pytestmark = pytest.mark.anyio

ID = TopicPartition("t", 0)
TOPIC_ID = bytes(range(16))


class Fixture:
    """A partition and the disk it is on."""

    def __init__(self, files: FaultyFiles | None = None, **settings: str) -> None:
        self.files = files or FaultyFiles()
        self.clock = ManualClock()
        randomness = Randomness(1)
        directories = DataDirectories.open(
            ("data",), files=self.files, clock=self.clock, randomness=randomness
        )
        self.flusher = Flusher(self.files)
        self.logs = LocalLogStore(
            directories,
            flusher=self.flusher,
            clock=self.clock,
            randomness=randomness,
            log=quiet_log(),
        )
        self.failures: list[str] = []
        self.partition = Partition(
            ID,
            TOPIC_ID,
            leader_epoch=0,
            config=self.config(**settings),
            logs=self.logs,
            on_failure=lambda partition, reason: self.failures.append(f"{partition}: {reason}"),
        )

    @staticmethod
    def config(**settings: str) -> TopicConfig:
        overrides = {key.replace("_", "."): value for key, value in settings.items()}
        return topic_config(BrokerConfig(), overrides)

    def append(self, *values: str, **options: int) -> Appended:
        return self.partition.append(batch(*values, **options), now_ms=NOW_MS)

    def offsets(self) -> tuple[int, int, int]:
        partition = self.partition
        return partition.log_start_offset, partition.high_watermark, partition.end_offset

    @property
    def log(self) -> Log:
        log = self.partition.log
        assert isinstance(log, Log)
        return log

    def sync(self) -> None:
        """What the flusher does on the loop's next turn."""
        self.log.flush()


async def test_nothing_is_opened_before_its_first_use() -> None:
    fixture = Fixture()
    assert fixture.partition.opened_log is None
    assert fixture.files.list_folders("data") == []


async def test_the_high_watermark_is_what_is_flushed() -> None:
    fixture = Fixture()
    assert fixture.append("a", "b") == Appended(0, -1, 2)
    assert fixture.offsets() == (0, 0, 2)
    fixture.sync()
    assert fixture.offsets() == (0, 2, 2)


async def test_with_write_caching_the_high_watermark_is_the_end() -> None:
    fixture = Fixture(write_caching="true")
    fixture.append("a", "b")
    assert fixture.offsets() == (0, 2, 2)
    assert fixture.partition.committed(2) is None
    fixture.partition.configure(fixture.config())
    fixture.append("c")
    assert fixture.offsets() == (0, 2, 3), "what was visible stays visible"
    fixture.partition.configure(fixture.config(write_caching="true"))
    assert fixture.offsets() == (0, 3, 3)


async def test_waiters_are_told_exactly_the_bytes_that_became_visible() -> None:
    fixture = Fixture()
    size = len(batch("a"))
    fixture.append("a")
    plan = fixture.log.durability.begin_sync()
    assert plan is not None, "a round is in flight"
    fixture.append("b")
    waiter = Waiter(10 * size)
    fixture.partition.waiters.add(waiter)
    fixture.log.durability.end_sync(plan, None)
    assert (fixture.partition.high_watermark, waiter.missing_bytes) == (1, 9 * size)
    fixture.sync()
    assert (fixture.partition.high_watermark, waiter.missing_bytes) == (2, 8 * size)
    fixture.partition.configure(fixture.config(write_caching="true"))
    fixture.append("c")
    assert waiter.missing_bytes == 7 * size
    assert not waiter.woken.done()


@pytest.mark.parametrize(("current", "code"), [(2, ErrorCode.FENCED_LEADER_EPOCH), (3, None)])
async def test_leader_epochs_fence(current: int, code: ErrorCode | None) -> None:
    partition = Fixture().partition
    partition.leader_epoch = 3
    partition.check_leader_epoch(-1)
    if code is None:
        partition.check_leader_epoch(current)
    else:
        with pytest.raises(ApiError) as refused:
            partition.check_leader_epoch(current)
        assert refused.value.code is code


async def test_an_epoch_is_kept_before_its_first_batch_is_stored() -> None:
    fixture = Fixture()
    fixture.append("a")
    fixture.partition.leader_epoch = 4
    fixture.append("b")
    assert fixture.partition.log.leader_epochs() == [(0, 0), (4, 1)]


async def test_a_refused_batch_does_not_open_the_log() -> None:
    fixture = Fixture()
    with pytest.raises(ApiError):
        fixture.partition.append(b"", now_ms=NOW_MS)
    assert fixture.partition.opened_log is None


async def test_a_failed_write_changes_nothing_that_producers_are_told() -> None:
    fixture = Fixture()
    first = numbered("a", producer_id=1, sequence=0)
    fixture.partition.append(first, now_ms=NOW_MS)
    fixture.sync()
    fixture.files.fail(lambda operation: operation.kind is Kind.APPEND)
    second = numbered("b", producer_id=1, sequence=1)
    for _ in range(2):
        with pytest.raises(ApiError) as failed:
            fixture.partition.append(second, now_ms=NOW_MS)
        assert failed.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    fixture.partition.configure(fixture.config())
    (reported,) = fixture.failures
    assert reported.startswith("t-0: data/t-0: append failed")
    assert fixture.partition.append(first, now_ms=NOW_MS).base_offset == 0, "kept, and known"
    assert fixture.offsets() == (0, 1, 1)


async def test_reading_ends_at_the_high_watermark() -> None:
    fixture = Fixture()
    fixture.append("a")
    fixture.sync()
    fixture.append("b")
    partition = fixture.partition

    def read(offset: int) -> int:
        found = partition.read(offset, 1 << 20, committed_only=False, at_least_one=True)
        return sum(parse_header(buffer).records_count for buffer in found.pieces)

    assert [read(offset) for offset in (0, 1, 2)] == [1, 0, 0]
    for offset in (-1, 3):
        with pytest.raises(ApiError) as refused:
            read(offset)
        assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE


async def test_producers_are_kept_at_a_roll_and_at_the_end() -> None:
    fixture = Fixture(segment_bytes=str(1 << 20))
    for n in range(3):
        sent = numbered("x" * 600_000, producer_id=n, sequence=0)
        fixture.partition.append(sent, now_ms=NOW_MS)
    offset, producers = fixture.partition.log.latest_producers()
    assert (offset, [entry.producer_id for entry in producers]) == (2, [0, 1])
    fixture.partition.log.save_producers(fixture.partition.producers.snapshot())
    offset, producers = fixture.partition.log.latest_producers()
    assert (offset, [entry.producer_id for entry in producers]) == (3, [0, 1, 2])


async def test_a_closed_partition_wakes_who_waits_and_stays_closed() -> None:
    partition = Fixture().partition
    waiter = Waiter(100)
    partition.waiters.add(waiter)
    partition.close()
    assert waiter.woken.done()
    with pytest.raises(ApiError) as refused:
        partition.open()
    assert refused.value.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_a_log_that_cannot_be_replayed_is_a_storage_error_until_it_can() -> None:
    fixture = Fixture()
    fixture.partition.append(numbered("a", producer_id=1, sequence=0), now_ms=NOW_MS)
    await fixture.logs.close({})
    again = Fixture(fixture.files)
    again.files.fail(lambda operation: operation.kind is Kind.READ and ".log" in operation.path)
    for _ in range(2):
        with pytest.raises(ApiError) as failed:
            again.partition.open()
        assert failed.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    again.files.faults = None
    again.partition.open()
    assert again.offsets() == (0, 1, 1)
    assert len(again.partition.producers) == 1


async def test_produced_batches_follow_the_topics_codec() -> None:
    fixture = Fixture(compression_type="zstd")
    fixture.append("a")
    fixture.sync()
    found = fixture.partition.read(0, 1 << 20, committed_only=False, at_least_one=True)
    assert parse_header(found.pieces[0]).compression is Compression.ZSTD
