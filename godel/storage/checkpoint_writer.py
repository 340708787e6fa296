"""Writes a data directory's checkpoint files in a worker thread, one set after the other.

Each file is two syncs; on the event loop every client would wait for them. Who needs a file to be
there waits for the future: on the loop, or where nothing else may happen meanwhile, right there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from godel.storage import layout
from godel.storage.checkpoint_file import LogEnd, write_ends, write_offsets
from godel.storage.files import Files, join
from godel.types import TopicPartition

Offsets = Mapping[TopicPartition, int]
Ends = Mapping[TopicPartition, LogEnd]
Entries = TypeVar("Entries", Offsets, Ends)


class CheckpointWriter:
    """Of one `DataDirectory`, which owns this. Files in memory are written on the spot."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files if files.is_inline else files.another()
        self._folder = folder
        self._executor: ThreadPoolExecutor | None = None
        self._written: dict[str, Offsets | Ends] = {}
        """What the files hold. Used where they are written only."""

    def write(self, offsets: Mapping[str, Offsets], ends: Ends | None = None) -> Future[None]:
        """Write files of these names in their order, and `ends`; they are copied before it returns.

        A file that would not change is left as it is. The future raises OSError.
        """
        wanted = {name: dict(each) for name, each in offsets.items()}
        wanted_ends = None if ends is None else dict(ends)
        if not self._files.is_inline:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, "godel-checkpoints")
            return self._executor.submit(self._write, wanted, wanted_ends)
        done: Future[None] = Future()
        try:
            self._write(wanted, wanted_ends)
        except Exception as failure:  # noqa: BLE001  # whoever waits gets it, as from a thread
            done.set_exception(failure)
        else:
            done.set_result(None)
        return done

    def _write(self, offsets: Mapping[str, Offsets], ends: Ends | None) -> None:
        for name, wanted in offsets.items():
            self._replace(name, wanted, write_offsets)
        if ends is not None:
            self._replace(layout.LOG_END_CHECKPOINT, ends, write_ends)

    def _replace(
        self, name: str, wanted: Entries, write: Callable[[Files, str, Entries], None]
    ) -> None:
        if self._written.get(name) != wanted:
            self._written.pop(name, None)  # half way through a failure it may hold either
            write(self._files, join(self._folder, name), wanted)
            self._written[name] = wanted

    def close(self) -> None:
        """End the thread, after what it was asked for."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None


async def settled(written: Future[None]) -> None:
    """Those of files in memory are written already, and then nobody else has a turn.

    Whoever does not wait any more takes back nothing.
    """
    if written.done():
        written.result()
    else:
        await asyncio.shield(asyncio.wrap_future(written))
