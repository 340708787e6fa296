"""Moves on real files, in the worker thread, while the log is written to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import topic_config
from godel.storage.data_directories import DataDirectories
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_store import LocalLogStore
from godel.storage.real_files import RealFiles
from godel.testing import quiet_log
from godel.types import TopicPartition
from tests.storage.harness import NOW_MS, append_values, read_records, says_own_offset

pytestmark = pytest.mark.anyio

CONFIG = topic_config(BrokerConfig(), {"segment.bytes": "1048576"})
PARTITIONS = [TopicPartition("t", number) for number in range(3)]


@pytest.mark.slow
async def test_partitions_move_one_after_the_other_on_real_files(tmp_path: Path) -> None:
    files, randomness = RealFiles(), Randomness(1)
    flusher = Flusher(files)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    store = LocalLogStore(
        DataDirectories.open((a, b), files=files, clock=ManualClock(NOW_MS), randomness=randomness),
        flusher=flusher,
        clock=ManualClock(NOW_MS),
        randomness=randomness,
        log=quiet_log(),
    )
    logs: dict[TopicPartition, Log] = {}

    def moved(partition: TopicPartition, log: object) -> None:
        assert isinstance(log, Log)
        logs[partition] = log

    store.on_moved = moved
    for partition in PARTITIONS:
        logs[partition] = store.open(partition, bytes(16), CONFIG)
        for _ in range(40):
            append_values(logs[partition], 10, size=8_000)
        logs[partition].flush()
    mover = asyncio.ensure_future(store.run_moves())
    for partition in PARTITIONS:
        there = store.directory_path(partition)
        store.move(partition, b if there == a else a)
    assert [move.partition for move in store.moves()] == PARTITIONS
    lags = {move.partition: move.offset_lag for move in store.moves()}
    assert lags == dict.fromkeys(PARTITIONS, 400)
    while store.moves():
        for partition in PARTITIONS:
            append_values(logs[partition], 1)
        await asyncio.sleep(0)
    mover.cancel()
    assert [store.directory_path(partition) for partition in PARTITIONS] == [b, a, b]
    for partition, log in logs.items():
        assert says_own_offset(read_records(log, max_bytes=1 << 20), 0, log.end_offset), partition
    folders = sorted(name for at in (a, b) for name in files.list_folders(at))
    assert folders == ["t-0", "t-1", "t-2"]
    await flusher.close()
    await store.close({})
    assert files.open_count == 0
