from __future__ import annotations

import errno
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import topic_config
from godel.errors import StorageFailed
from godel.records.partition_log import EpochStart, LogDirectory
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_config import log_config
from godel.storage.log_store import LocalLogStore
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from godel.types import TopicPartition
from tests.storage.harness import (
    NOW_MS,
    append,
    append_values,
    batch_of,
    open_store,
    read_records,
    says_own_offset,
)

pytestmark = pytest.mark.anyio

PARTITION, TOPIC_ID = TopicPartition("topic", 0), bytes(range(16))


async def test_logs_are_opened_once_and_come_back_after_a_stop() -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    assert store.open(PARTITION, TOPIC_ID, config) is log
    append_values(log, 3)
    await store.checkpoint({PARTITION: 3})
    assert await store.close({PARTITION: 3})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    assert log.end_offset == 3
    assert not log.recovery_report.was_checked


async def test_a_deleted_partition_begins_anew() -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    append_values(store.open(PARTITION, TOPIC_ID, config), 3)
    store.delete(PARTITION, config)
    assert store.open(PARTITION, bytes(16), config).end_offset == 0


async def test_what_belongs_to_no_topic_is_set_aside_and_never_removed() -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    for name in ("known", "stray"):
        append_values(store.open(TopicPartition(name, 0), TOPIC_ID, config), 3)
    await store.close({})
    store = open_store(files)
    store.set_aside_strays({TopicPartition("known", 0): TOPIC_ID})
    known, stray = sorted(files.list_folders("data"))
    assert known == "known-0"
    assert stray.startswith("stray-0.")
    assert stray.endswith("-stray")
    assert "00000000000000000000.log" in files.list_files(f"data/{stray}")
    assert store.open(TopicPartition("stray", 0), TOPIC_ID, config).end_offset == 0


async def test_a_damaged_folder_is_a_failure_of_its_partition() -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    append_values(store.open(PARTITION, TOPIC_ID, config), 3)
    await store.close({})
    file = files.open("data/topic-0/partition.metadata")
    file.truncate(0)
    file.append([b"version: 7\n"], 11)
    store = open_store(files)
    with pytest.raises(StorageFailed, match="restore it from a backup"):
        store.open(PARTITION, TOPIC_ID, config)


def test_settings() -> None:
    config = log_config(
        topic_config(BrokerConfig(), {"segment.bytes": "2000000", "cleanup.policy": "compact"})
    )
    assert (config.segment_bytes, config.is_deleted) == (2_000_000, False)


async def test_a_partition_has_a_size_whether_it_is_open_or_not() -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    assert store.size_bytes(PARTITION) == 0
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 3)
    assert store.size_bytes(PARTITION) == log.size_bytes > 0
    await store.close({})
    assert open_store(files).size_bytes(PARTITION) == log.size_bytes


async def test_the_end_of_a_log_that_is_not_open_is_known_unless_it_is_to_be_checked() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    assert store.known_end(PARTITION) == 0
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 3)
    assert store.known_end(PARTITION) == 3
    await store.close({})
    store = open_store(files)
    assert store.known_end(PARTITION) == 3
    store = open_store(files.after_crash())
    assert store.known_end(PARTITION) is None
    await store.recover({PARTITION: config}, threads=1)
    assert store.known_end(PARTITION) == 3


async def test_the_end_of_a_log_that_is_offline_is_not_known() -> None:
    store = open_store(MemoryFiles())
    store._directories.strand(PARTITION, "its directory has failed")
    assert store.known_end(PARTITION) is None


async def test_where_the_logs_are() -> None:
    files = FaultyFiles()
    store = open_store(files)
    assert store.directories() == [LogDirectory("data", -1, -1, True)]
    assert store.directory_path(PARTITION) == "data"
    id = store.metadata_directory_id
    assert any(id)
    assert open_store(files.after_crash()).metadata_directory_id == id


@pytest.mark.parametrize("is_cut", [True, False])
async def test_a_log_start_that_was_saved_survives_a_power_cut(is_cut: bool) -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 3)
    log.flush()
    log.truncate_prefix(2)
    if not is_cut:
        await store.save_log_starts()
    store = open_store(files.after_crash())
    assert store.open(PARTITION, TOPIC_ID, config).log_start_offset == (0 if is_cut else 2)


async def test_log_starts_that_cannot_be_saved() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 3)
    log.truncate_prefix(2)
    files.fail(lambda operation: operation.kind is Kind.SYNC)
    with pytest.raises(StorageFailed):
        await store.save_log_starts()


@pytest.mark.parametrize("is_stopped", [True, False])
async def test_no_partition_takes_over_where_its_predecessor_began(is_stopped: bool) -> None:
    """Neither after a crash, nor when the predecessor went before the last stop."""
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 5)
    log.flush()
    log.truncate_prefix(4)
    await store.save_log_starts()
    store.delete(PARTITION, config)
    if is_stopped:
        files = files.after_crash()
        store = open_store(files)
    log = store.open(PARTITION, bytes(16), config)
    assert log.log_start_offset == 0
    append_values(log, 2)
    log.flush()
    store = open_store(files.after_crash())
    log = store.open(PARTITION, bytes(16), config)
    assert (log.log_start_offset, log.end_offset) == (0, 2)


async def test_recovery_leaves_nothing_to_be_checked_when_a_log_is_opened() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    other = TopicPartition("topic", 1)
    for partition in (PARTITION, other):
        log = store.open(partition, TOPIC_ID, config)
        append_values(log, 3)
        log.flush()
    await store.checkpoint({})
    append_values(log, 2)
    log.flush()
    files = files.after_crash()
    store = open_store(files)
    await store.recover({PARTITION: config, other: config}, threads=2)
    for partition, end_offset in ((PARTITION, 3), (other, 5)):
        log = store.open(partition, TOPIC_ID, config)
        assert (log.end_offset, log.flushed_offset) == (end_offset, end_offset)
        assert not log.recovery_report.was_checked
    assert await store.close({})
    assert DataDirectories.open(
        ("data",), files=files, clock=ManualClock(NOW_MS), randomness=Randomness(1)
    ).was_clean


async def test_a_recovered_broker_stops_cleanly_though_it_opened_nothing() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    append_values(open_store(files).open(PARTITION, TOPIC_ID, config), 3)
    files = files.after_crash(Randomness(7))
    store = open_store(files)
    await store.recover({PARTITION: config}, threads=2)
    assert await store.close({})


async def test_what_recovery_kept_aside_stands_in_the_log() -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    log = open_store(files).open(PARTITION, TOPIC_ID, config)
    for _ in range(3):
        append_values(log, 1)
    batch = list(log.segments[0].walk())[1]
    files.file_node(log.segments[0].file.path, create=False).data[batch.position + 65] ^= 1
    files.file_node("data/.lock", create=False).is_locked = False
    store = open_store(files)
    with capture_logs() as lines:
        await store.recover({PARTITION: config}, threads=2)
    (line,) = [line for line in lines if line["event"] == "log_cut"]
    assert line["partition"] == "topic-0"
    assert (line["offset"], line["position"]) == (1, batch.position)
    assert line["file"] == "data/topic-0/00000000000000000000.log"
    assert line["aside"] == ("data/topic-0/00000000000000000001.log.corrupt",)
    assert files.exists(line["aside"][0])
    assert store.open(PARTITION, TOPIC_ID, config).end_offset == 1


@pytest.mark.parametrize("change", ["shorter", "longer", "gone"])
async def test_a_log_that_has_changed_since_a_clean_stop_is_checked(change: str) -> None:
    files, config = MemoryFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    for _ in range(3):
        append_values(log, 1)
    assert await store.close({})
    path = log.segments[0].file.path
    data = files.file_node(path, create=False).data
    if change == "gone":
        files.remove(path)
    elif change == "longer":
        data += bytes(100)
    else:
        del data[list(log.segments[0].walk())[2].position :]
    store = open_store(files)
    with capture_logs() as lines:
        log = store.open(PARTITION, TOPIC_ID, config)
    assert log.recovery_report.was_checked
    (line,) = [line for line in lines if line["event"] == "log_cut"]
    assert line["partition"] == "topic-0"
    assert ("up to offset 3 were durable, and are gone" in line["reason"]) == (change != "longer")
    end = {"shorter": 2, "longer": 3, "gone": 0}[change]
    assert log.end_offset == end
    append_values(log, 1)
    assert says_own_offset(read_records(log), 0, end + 1)


async def test_a_full_disk_does_not_keep_recovered_logs_from_being_read() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 3)
    log.flush()
    await store.checkpoint({})
    append_values(log, 2)
    files = files.after_crash()
    store = open_store(files)
    files.fail(lambda one: one.kind is Kind.APPEND and "checkpoint" in one.path, error=errno.ENOSPC)
    with capture_logs() as lines:
        await store.recover({PARTITION: config}, threads=2)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "disk_full",
        "checkpoint_failed",
    ]
    assert not files.exists("data/log-end-checkpoint")
    assert store.open(PARTITION, TOPIC_ID, config).end_offset >= 3


async def test_a_full_disk_does_not_keep_logs_of_many_segments_from_being_read() -> None:
    """Not even an index can be written, nor the epochs that the batches carry."""
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    for _ in range(10):
        append_values(log, 3)
        log.roll()
    append_values(log, 3)
    log.flush()
    files = files.after_crash()
    for name in files.list_files("data/topic-0"):
        if name.endswith("index"):
            files.remove(f"data/topic-0/{name}")
    store = open_store(files)
    files.fail(lambda one: one.kind is Kind.APPEND, error=errno.ENOSPC)
    await store.recover({PARTITION: config}, threads=2)
    log = store.open(PARTITION, TOPIC_ID, config)
    assert log.leader_epochs() == [EpochStart(0, 0)]
    for _ in range(2):
        assert says_own_offset(read_records(log), 0, 33)
        found = log.max_timestamp(upper_bound=33)
        assert found is not None
    with pytest.raises(StorageFailed):
        append_values(log, 1)
    files.faults = None
    append_values(log, 1)
    log.flush()
    await store.checkpoint({})
    assert log.durability.is_settled


async def test_only_a_log_that_is_on_disk_with_its_indexes_counts_as_unchanged() -> None:
    """The last batches' timestamps are in no index entry before the log is finished."""
    files = FaultyFiles()
    config = topic_config(BrokerConfig(), {"index.interval.bytes": "200"})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    for number in range(20):
        append(log, batch_of([b"x" * 90], timestamps=[NOW_MS + number]))
    log.flush()
    assert not log.durability.is_settled
    await store.checkpoint({})
    assert log.durability.is_settled
    files = files.after_crash()
    store = open_store(files)
    await store.recover({PARTITION: config}, threads=2)
    log = store.open(PARTITION, TOPIC_ID, config)
    found = log.max_timestamp(upper_bound=20)
    assert found is not None
    assert (found.offset, found.timestamp_ms) == (19, NOW_MS + 19)
    append(log, batch_of([b"x"]))
    assert not log.durability.is_settled
    await store.checkpoint({})
    assert log.end_offset == 21
    log.flush()
    await store.checkpoint({})
    assert log.durability.is_settled
    log.roll()
    assert not log.durability.is_settled


async def test_an_empty_log_that_was_stopped_is_durable_when_it_is_written_to_later() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    store.open(PARTITION, TOPIC_ID, config)
    await store.close({})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 1)
    log.flush()
    store = open_store(files.after_crash())
    await store.recover({PARTITION: config}, threads=2)
    assert store.open(PARTITION, TOPIC_ID, config).end_offset == 1


@pytest.mark.slow
async def test_many_logs_are_synced_together_at_the_stop(tmp_path: Path) -> None:
    files, config = RealFiles(max_open=100), topic_config(BrokerConfig(), {})
    clock, randomness, flusher = ManualClock(NOW_MS), Randomness(1), Flusher(files)

    def opened() -> LocalLogStore:
        paths = (str(tmp_path),)
        directories = DataDirectories.open(paths, files=files, clock=clock, randomness=randomness)
        assert directories.was_clean
        return LocalLogStore(
            directories,
            flusher=flusher,
            clock=clock,
            randomness=randomness,
            log=structlog.get_logger(),
        )

    store = opened()
    partitions = [TopicPartition("topic", number) for number in range(300)]
    for partition in partitions:
        append_values(store.open(partition, TOPIC_ID, config), 2)
    assert await store.close({})
    await flusher.close()
    assert files.open_count == 0
    store = opened()
    assert {store.open(one, TOPIC_ID, config).end_offset for one in partitions} == {2}
    assert await store.close({})


async def test_a_log_that_cannot_be_synced_at_the_stop_makes_it_unclean() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    append_values(store.open(PARTITION, TOPIC_ID, config), 2)
    append_values(store.open(TopicPartition("topic", 1), TOPIC_ID, config), 2)
    files.fail(lambda operation: operation.kind is Kind.SYNC and "topic-1" in operation.path)
    assert not await store.close({})


def append_enough_for_an_index(log: Log) -> None:
    for _ in range(2):
        append_values(log, 1, size=5000)


async def test_a_full_disk_at_a_checkpoint_leaves_a_log_unsettled_until_there_is_space() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_enough_for_an_index(log)
    log.flush()
    files.fail(lambda operation: operation.path.endswith("index"), error=errno.ENOSPC)
    await store.checkpoint({})
    assert not log.durability.is_settled
    files.faults = None
    append_values(log, 1)
    log.flush()
    await store.checkpoint({})
    assert log.durability.is_settled


async def test_a_full_disk_at_the_stop_makes_it_unclean_and_loses_nothing() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {})
    store = open_store(files)
    append_enough_for_an_index(store.open(PARTITION, TOPIC_ID, config))
    files.fail(lambda operation: operation.path.endswith("index"), error=errno.ENOSPC)
    assert not await store.close({})
    files.faults = None
    store = open_store(files)
    await store.recover({PARTITION: config}, threads=2)
    assert store.open(PARTITION, TOPIC_ID, config).end_offset == 2


async def test_a_cached_log_that_was_recovered_and_not_opened_is_whole_after_a_clean_stop() -> None:
    files, config = FaultyFiles(), topic_config(BrokerConfig(), {"write.caching": "true"})
    store = open_store(files)
    log = store.open(PARTITION, TOPIC_ID, config)
    append_values(log, 1)
    log.flush()
    append_values(log, 2)
    await store.checkpoint({})
    files.release_locks()
    store = open_store(files)
    await store.recover({PARTITION: config}, threads=2)
    assert await store.close({})
    store = open_store(files.after_crash())
    log = store.open(PARTITION, TOPIC_ID, config)
    assert (log.end_offset, log.flushed_offset) == (3, 3)
    append_values(log, 1)
