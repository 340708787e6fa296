"""A start and a stop without sockets: what it mends, what it says."""

from __future__ import annotations

import asyncio

import pytest

from godel.clock import ManualClock, Randomness
from godel.metadata.memory_store import MemoryStore
from godel.operations.repair import recover, telling_log
from godel.server.node import Node
from godel.storage.data_directories import DataDirectories
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.testing import MEMORY, Broker
from godel.types import TopicPartition
from tests.wire import Client, batch


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


def roll(node: Node) -> None:
    log = node.broker.partition("t", 0).log
    assert isinstance(log, Log)
    log.roll()


@pytest.mark.parametrize("compacted_end", [0, 2])
def test_a_segment_that_is_gone_in_the_middle_is_named(compacted_end: int) -> None:
    files, said = MemoryFiles(), list[str]()
    broker = Broker(files=files, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        for value in "abc":
            assert client.produce("t", batch(value)).error_code == 0
            broker.run(roll)
    before, gone = (f"{MEMORY}/t-0/{base:020d}.log" for base in (0, 1))
    files.remove(gone)
    clock, randomness = ManualClock(), Randomness(1)
    directories = DataDirectories.open((MEMORY,), files=files, clock=clock, randomness=randomness)
    if compacted_end:
        directories.metadata.positions.note_clean(TopicPartition("t", 0), compacted_end)
    store = broker._memory_store
    asyncio.run(recover(directories, store, clock=clock, randomness=randomness, say=said.append))
    hole = f"log hole: partition t-0, offset 1, next_offset 2, behind {before}, reason a segment is"
    assert [line[: len(hole)] for line in said] == ([] if compacted_end else [hole])
    with broker, Client(broker) as client:
        assert client.list_offset("t", -1).offset == 3
