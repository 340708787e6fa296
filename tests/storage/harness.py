"""What the storage tests share: batches, logs over any door, and reading a log back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import structlog

from godel.clock import Clock, ManualClock, Randomness
from godel.records.batch import Record, iterate_headers, iterate_records, parse_header
from godel.records.builder import NewRecord, build_batch
from godel.storage.data_directories import DataDirectories
from godel.storage.files import Files
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from godel.storage.log_store import LocalLogStore
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from godel.types import in_memory


class HeldFiles(RealFiles):
    """Real files whose folders worker threads sync only once the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def sync_folder(self, folder: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            assert self.released.wait(10)
        super().sync_folder(folder)


SMALL_SEGMENTS = LogConfig(
    segment_bytes=1500, index_interval_bytes=200, retention_ms=-1, file_delete_delay_ms=1000
)
NOW_MS = 1_700_000_000_000


def batch_of(
    values: Sequence[bytes], *, timestamps: Sequence[int] | None = None, **options: object
) -> bytes:
    """A batch of records with these values; `timestamps` in parallel."""
    times = timestamps or [NOW_MS] * len(values)
    records = [
        NewRecord(None, value, timestamp_ms=time) for value, time in zip(values, times, strict=True)
    ]
    return build_batch(records, timestamp_ms=times[0], **options)  # type: ignore[arg-type] # passed on


def append(log: Log, data: bytes, leader_epoch: int = 0) -> int:
    return log.append(parse_header(data), data, leader_epoch)


def append_values(log: Log, count: int, *, first: int | None = None, size: int = 0) -> None:
    """One batch whose records say their own offset."""
    start = log.end_offset if first is None else first
    values = [b"%d" % (start + number) + b"." * size for number in range(count)]
    append(log, batch_of(values))


def open_log(
    files: Files,
    folder: str = "data/topic-0",
    *,
    config: LogConfig = SMALL_SEGMENTS,
    clock: Clock | None = None,
    flusher: Flusher | None = None,
    **changes: object,
) -> Log:
    """A log with a flusher of its own. `changes`: settings, or arguments of `Log.open`."""
    arguments = {
        name: changes.pop(name)
        for name in (
            "was_clean",
            "recovery_point",
            "flushed_offset",
            "log_start_offset",
            "topic_id",
            "randomness",
        )
        if name in changes
    }
    return Log.open(
        folder,
        files=files,
        flusher=flusher or Flusher(files),
        clock=clock or ManualClock(NOW_MS),
        config=replace(config, **changes),  # type: ignore[arg-type] # names come from the test
        **arguments,  # type: ignore[arg-type] # names come from the test
    )


def read_records(
    log: Log, start: int | None = None, end: int | None = None, max_bytes: int = 700
) -> list[Record]:
    """Every record from `start` on, read in pieces as a consumer would."""
    offset = log.log_start_offset if start is None else start
    bound = log.end_offset if end is None else end
    records: list[Record] = []
    while offset < bound:
        found = log.read(offset, max_bytes, upper_bound=bound, at_least_one=True)
        assert found is not None
        assert found.size_bytes == sum(len(buffer) for buffer in found.pieces)
        data = memoryview(b"".join(map(in_memory, found.pieces)))
        assert data, f"nothing at {offset} below {bound}"
        for header in iterate_headers(data):
            batch, data = data[: header.size_bytes], data[header.size_bytes :]
            records += [record for record in iterate_records(batch) if record.offset >= offset]
            offset = header.next_offset
    return records


def values_of(records: Sequence[Record]) -> list[tuple[int, bytes]]:
    return [(record.offset, (record.value or b"").rstrip(b".")) for record in records]


def says_own_offset(records: Sequence[Record], first: int, end: int) -> bool:
    """Whether these are the records `[first, end)` of `append_values`, in order."""
    return values_of(records) == [(offset, b"%d" % offset) for offset in range(first, end)]


def put(files: MemoryFiles, path: str, data: bytes) -> None:
    """Replace a file's content."""
    file = files.open(path, 0)
    file.truncate(0)
    file.append((data,), len(data))


def open_store(
    files: Files, path: str = "data", *, clock: ManualClock | None = None
) -> LocalLogStore:
    """One with a flusher of its own."""
    clock, randomness = clock or ManualClock(NOW_MS), Randomness(1)
    return LocalLogStore(
        DataDirectories.open((path,), files=files, clock=clock, randomness=randomness),
        flusher=Flusher(files),
        clock=clock,
        randomness=randomness,
        log=structlog.get_logger(),
    )
