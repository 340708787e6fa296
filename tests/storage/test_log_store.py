from __future__ import annotations

import pytest
import structlog

from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import topic_config
from godel.errors import StorageFailed
from godel.storage.data_directory import DataDirectory
from godel.storage.flusher import Flusher
from godel.storage.log_store import LocalLogStore, log_config
from godel.storage.memory_files import MemoryFiles
from godel.types import TopicPartition
from tests.storage.harness import NOW_MS, append_values

pytestmark = pytest.mark.anyio

PARTITION, TOPIC_ID = TopicPartition("topic", 0), bytes(range(16))


def open_store(files: MemoryFiles) -> LocalLogStore:
    clock, randomness = ManualClock(NOW_MS), Randomness(1)
    return LocalLogStore(
        DataDirectory.open("data", files=files, clock=clock, randomness=randomness),
        flusher=Flusher(files),
        clock=clock,
        randomness=randomness,
        log=structlog.get_logger(),
    )


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
    store.set_aside_strays({TopicPartition("known", 0)})
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
    files.open("data/topic-0/partition.metadata").truncate(3)
    store = open_store(files)
    with pytest.raises(StorageFailed, match="restore it from a backup"):
        store.open(PARTITION, TOPIC_ID, config)


def test_settings() -> None:
    config = log_config(
        topic_config(BrokerConfig(), {"segment.bytes": "2000000", "cleanup.policy": "compact"})
    )
    assert (config.segment_bytes, config.is_deleted) == (2_000_000, False)
