from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from godel.storage import layout
from godel.storage.checkpoint_file import LogEnd, read_ends, read_offsets
from godel.storage.checkpoint_writer import CheckpointWriter, settled
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.files import join
from godel.storage.real_files import RealFiles
from godel.types import TopicPartition

pytestmark = pytest.mark.anyio

PARTITION = TopicPartition("t", 0)
NAME = layout.RECOVERY_POINT_CHECKPOINT


async def test_files_are_written_on_the_spot_where_a_sync_costs_nothing() -> None:
    files = FaultyFiles()
    files.make_folder("d")
    writer = CheckpointWriter(files, "d")
    done = writer.write({NAME: {PARTITION: 7}}, {PARTITION: LogEnd(7, 0, 99)})
    assert done.done()
    assert read_offsets(files, f"d/{NAME}") == {PARTITION: 7}
    assert read_ends(files, f"d/{layout.LOG_END_CHECKPOINT}") == {PARTITION: LogEnd(7, 0, 99)}


async def test_a_file_that_would_not_change_is_left_alone() -> None:
    files = FaultyFiles()
    files.make_folder("d")
    writer = CheckpointWriter(files, "d")
    writer.write({NAME: {PARTITION: 7}}, {}).result()
    operations = files.operations
    writer.write({NAME: {PARTITION: 7}}, {}).result()
    assert files.operations == operations
    writer.write({NAME: {PARTITION: 8}}).result()
    assert files.operations > operations


async def test_what_cannot_be_written_is_tried_again_with_the_next_checkpoint() -> None:
    files = FaultyFiles()
    files.make_folder("d")
    writer = CheckpointWriter(files, "d")
    files.fail(lambda operation: operation.kind is Kind.SYNC)
    with pytest.raises(OSError, match="injected"):
        await asyncio.wrap_future(writer.write({NAME: {PARTITION: 7}}))
    files.faults = None
    writer.write({NAME: {PARTITION: 7}}).result()
    assert read_offsets(files, f"d/{NAME}") == {PARTITION: 7}


async def test_what_a_failure_may_have_left_is_written_over() -> None:
    """The new file may have its name already when the folder cannot be synced."""
    files = FaultyFiles()
    files.make_folder("d")
    writer = CheckpointWriter(files, "d")
    writer.write({NAME: {PARTITION: 7}}).result()
    files.fail(lambda operation: operation.kind is Kind.SYNC_FOLDER)
    with pytest.raises(OSError, match="injected"):
        writer.write({NAME: {PARTITION: 8}}).result()
    files.faults = None
    writer.write({NAME: {PARTITION: 7}}).result()
    assert read_offsets(files, f"d/{NAME}") == {PARTITION: 7}


class HeldFiles(RealFiles):
    """Real files whose folders are synced only once the test lets them."""

    released = threading.Event()

    def another(self) -> RealFiles:
        return self

    def sync_folder(self, folder: str) -> None:
        assert self.released.wait(10)
        super().sync_folder(folder)


async def test_the_loop_goes_on_while_the_disk_is_slow_and_the_order_is_kept(
    tmp_path: Path,
) -> None:
    files, offsets = HeldFiles(), {PARTITION: 1}
    writer = CheckpointWriter(files, str(tmp_path))
    first = writer.write({NAME: offsets})
    offsets[PARTITION] = 2
    second = writer.write({NAME: offsets})
    await asyncio.sleep(0)
    assert not first.done()
    files.released.set()
    await asyncio.wrap_future(first)
    await asyncio.wrap_future(second)
    assert read_offsets(files, join(str(tmp_path), NAME)) == {PARTITION: 2}
    writer.close()


async def test_what_was_asked_for_is_written_though_nobody_waits_for_it_any_more(
    tmp_path: Path,
) -> None:
    files = HeldFiles()
    files.released.clear()
    writer = CheckpointWriter(files, str(tmp_path))
    writer.write({NAME: {PARTITION: 1}})
    queued = writer.write({NAME: {PARTITION: 2}})
    waiting = asyncio.ensure_future(settled(queued))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    files.released.set()
    writer.close()
    assert read_offsets(files, join(str(tmp_path), NAME)) == {PARTITION: 2}
