"""Brokers that do one thing wrong, and are caught: the enumeration can fail.

Each is a whole broker with one part replaced by a plausible mistake.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest

from godel.broker.partition import Partition
from godel.broker.producer_state import ProducerState
from godel.metadata.publisher import Metadata
from godel.metadata.topics import Topics
from godel.storage import batch_scan, recovery
from godel.storage.data_directory import DataDirectory
from godel.storage.faulty_files import FaultyFile, FaultyFiles
from godel.storage.layout import CLEANED, LOG_START_CHECKPOINT, TEMPORARY
from godel.storage.log_store import LocalLogStore
from tests.crash.enumeration import BrokenPromise, Enumeration

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HISTORIES, STATES = 30, 120


async def verdict() -> str:
    """What is found first in the generated histories."""
    for seed in range(HISTORIES):
        try:
            await Enumeration(seed, share=0.4).run(states=STATES)
        except BrokenPromise as broken:
            return str(broken)
    return "nothing"


def tells_of_log_start(found: str) -> bool:
    """It went back, perhaps to where the leader epochs are forgotten already, or left a hole."""
    return any(words in found for words in ("log start", "is in epoch -1", "hole"))


def forget_syncs(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Syncs of files whose path ends like this do nothing."""
    sync = FaultyFile.sync

    def careless(file: FaultyFile) -> None:
        if not file.path.endswith(ending):
            sync(file)

    monkeypatch.setattr(FaultyFile, "sync", careless)


async def test_a_broker_that_acknowledges_before_the_sync_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Partition, "committed", lambda _partition, _offset: None)
    assert await verdict() != "nothing"


async def test_a_broker_that_does_not_sync_the_folder_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sync_folder = FaultyFiles.sync_folder

    def careless(files: FaultyFiles, folder: str) -> None:
        if not folder.endswith(("-0", "-1")):
            sync_folder(files, folder)

    monkeypatch.setattr(FaultyFiles, "sync_folder", careless)
    assert "acknowledged and lost" in await verdict()


async def test_a_broker_that_renames_a_checkpoint_before_its_sync_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget_syncs(monkeypatch, LOG_START_CHECKPOINT + TEMPORARY)
    assert tells_of_log_start(await verdict())


async def test_a_broker_that_answers_delete_records_before_it_is_saved_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def careless(_store: LocalLogStore) -> None:
        pass

    monkeypatch.setattr(LocalLogStore, "save_log_starts", careless)
    assert tells_of_log_start(await verdict())


async def test_a_broker_that_believes_every_batch_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_scan, "crc", SimpleNamespace(crc32c=lambda _data: ANY))
    assert await verdict() != "nothing"


async def test_a_broker_that_takes_every_stop_for_a_clean_one_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take_stock = DataDirectory._take_stock

    def careless(directory: DataDirectory) -> None:
        take_stock(directory)
        directory.was_clean = True

    monkeypatch.setattr(DataDirectory, "_take_stock", careless)
    assert await verdict() != "nothing"


async def test_a_broker_that_serves_what_stands_behind_a_hole_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recover = recovery._recover

    def careless(*arguments: Any, **options: Any) -> None:
        config = replace(options["config"], is_compacted=True)
        recover(*arguments, **options | {"config": config})

    monkeypatch.setattr(recovery, "_recover", careless)
    assert "hole" in await verdict()


async def test_a_broker_that_compacts_into_an_unsynced_copy_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget_syncs(monkeypatch, CLEANED)
    assert await verdict() != "nothing"


async def test_a_broker_that_forgets_its_producers_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ProducerState, "replay", lambda *_: None)
    assert "there again" in await verdict()


async def test_a_broker_that_hands_out_producer_ids_before_they_are_recorded_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def careless(_topics: Topics, count: int = 1000) -> range:
        return range(count)

    monkeypatch.setattr(Topics, "allocate_producer_ids", careless)
    assert "producer id comes again" in await verdict()


async def test_a_broker_that_does_not_raise_its_leader_epochs_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def careless(_metadata: Metadata) -> None:
        pass

    monkeypatch.setattr(Metadata, "_raise_epoch_floor", careless)
    assert "leader epoch" in await verdict()
