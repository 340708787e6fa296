"""A start and a stop without sockets: what it mends, what it says."""

from __future__ import annotations

import asyncio

from godel.clock import ManualClock, Randomness
from godel.metadata.memory_store import MemoryStore
from godel.operations.repair import recover, telling_log
from godel.storage.data_directories import DataDirectories
from godel.storage.memory_files import MemoryFiles


def test_events_become_lines() -> None:
    said: list[str] = []
    log = telling_log(said.append)
    log.info("log_compacted", partition="t-0")
    log.warning("log_cut", partition="t-0", offset=3, aside=())
    log.error("partition_offline")
    assert said == ["log cut: partition t-0, offset 3", "partition offline"]


def test_a_directory_is_left_as_after_a_clean_stop() -> None:
    files, store, said = MemoryFiles(), MemoryStore(), list[str]()
    clock, randomness = ManualClock(), Randomness(1)

    def directories() -> DataDirectories:
        return DataDirectories.open(("data",), files=files, clock=clock, randomness=randomness)

    asyncio.run(recover(directories(), store, clock=clock, randomness=randomness, say=said.append))
    assert directories().was_clean
    assert said == []
