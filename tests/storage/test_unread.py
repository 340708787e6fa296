"""What is long is read from the log when it is sent, and is the same as if it were read at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from godel.errors import CorruptBatch, StorageFailed
from godel.records.partition_log import LogSlice
from godel.storage import segment as segment_module
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.files import File, Files
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFile, MemoryFiles
from godel.storage.real_files import RealFile, RealFiles
from godel.storage.unread import UnreadRange
from godel.types import in_memory
from tests.storage.harness import append_values, open_log


def log_on(files: Files, folder: str = "data/topic-0", batches: int = 40) -> Log:
    log = open_log(files, folder, segment_bytes=1 << 20, index_interval_bytes=500)
    for number in range(batches):
        append_values(log, 1 + number % 3, size=number * 7 % 90)
    return log


def read_at_once(found: LogSlice | None) -> tuple[bytes, int] | None:
    return found and (b"".join(map(in_memory, found.pieces)), found.next_offset)


@pytest.mark.parametrize("upper_bound", [60, 79])
def test_a_long_read_finds_the_batches_that_a_short_one_does(
    upper_bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = (log_on(MemoryFiles()).segments[0] for _ in range(2))
    assert short.next_offset == 79
    for offset in range(0, upper_bound, 7):
        for max_bytes in range(100, short.size_bytes + 100, 37):
            for at_least_one in (True, False):
                found = []
                for segment, unread_from_bytes in ((short, 1 << 30), (long, 0)):
                    monkeypatch.setattr(segment_module, "UNREAD_FROM_BYTES", unread_from_bytes)
                    taken = segment.read(
                        offset, max_bytes, upper_bound=upper_bound, at_least_one=at_least_one
                    )
                    found.append(read_at_once(taken))
                assert found[0] == found[1]
    assert long._boundaries == short._boundaries


def unread_range(log: Log) -> UnreadRange:
    found = log.read(0, 1 << 20, upper_bound=log.end_offset, at_least_one=True)
    assert found is not None
    (piece,) = found.pieces
    assert isinstance(piece, UnreadRange)
    return piece


class AdvisedFile(MemoryFile):
    """Remembers what it was told that it will be asked for."""

    __slots__ = ("advice",)

    def will_need(self, position: int, size_bytes: int) -> None:
        self.advice = (position, size_bytes)


def test_what_follows_a_piece_is_asked_for_ahead_of_its_reader() -> None:
    file = AdvisedFile(MemoryFiles(), "file", 0)
    file.append((bytes(1000),), 1000)
    unread = UnreadRange(file, 100, 500)
    for position in (300, 500, 600):
        unread.read(200)
        assert file.advice == (position, 200)


@pytest.fixture
def _reads_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_module, "UNREAD_FROM_BYTES", 1000)


@pytest.mark.usefixtures("_reads_later")
def test_a_file_that_is_removed_is_read_to_its_end(tmp_path: Path) -> None:
    files = RealFiles()
    log = log_on(files, str(tmp_path))
    path = Path(log.segments[0].file.path)
    whole = path.read_bytes()
    unread = unread_range(log)
    first = bytes(unread.read(100))
    log.segments[0].close()
    path.unlink()
    assert first + bytes(unread.read(1 << 20)) == whole
    assert len(unread) == 0
    assert unread.read(100) == b""
    assert files.open_count == 0


@pytest.mark.usefixtures("_reads_later")
@pytest.mark.parametrize("way", ["closed", "forgotten"])
def test_what_nobody_reads_to_the_end_lets_the_descriptor_go(way: str, tmp_path: Path) -> None:
    log = log_on(RealFiles(), str(tmp_path))
    file = log.segments[0].file
    assert isinstance(file, RealFile)
    unread = unread_range(log)
    assert file.is_pinned
    if way == "closed":
        unread.close()
        unread.close()
        assert unread.read(10) == b""
    del unread
    assert not file.is_pinned


@pytest.mark.usefixtures("_reads_later")
def test_a_disk_that_fails_later_is_told_of() -> None:
    files = FaultyFiles()
    log = log_on(files)
    told: list[OSError] = []
    log.durability.on_error = told.append
    unread = UnreadRange(log.segments[0].file, 0, log.size_bytes)
    unread.on_failure = log.durability.tell
    unread.read(100)
    files.fail(lambda operation: operation.kind is Kind.READ)
    with pytest.raises(StorageFailed, match="read failed"):
        unread.read(100)
    assert len(told) == 1


@pytest.mark.usefixtures("_reads_later")
def test_what_failed_in_the_middle_of_an_answer_is_read_before_the_next(tmp_path: Path) -> None:
    log = log_on(RealFiles(), str(tmp_path))
    unread = unread_range(log)
    with failing(log.segments[0].file), pytest.raises(StorageFailed, match="read failed"):
        unread.read(100)
    found = log.read(0, 1 << 20, upper_bound=log.end_offset, at_least_one=True)
    assert found is not None
    (piece,) = found.pieces
    assert piece == Path(log.segments[0].file.path).read_bytes()


@contextmanager
def failing(file: File) -> Iterator[None]:
    """A real file that cannot be read."""
    assert isinstance(file, RealFile)
    intact, unreadable = os.dup(file._descriptor), os.open(os.devnull, os.O_WRONLY)
    os.dup2(unreadable, file._descriptor)
    try:
        yield
    finally:
        os.dup2(intact, file._descriptor)
        os.close(intact)
        os.close(unreadable)


@pytest.mark.usefixtures("_reads_later")
def test_a_file_that_has_become_shorter_is_not_answered_with(tmp_path: Path) -> None:
    log = log_on(RealFiles(), str(tmp_path))
    unread = unread_range(log)
    with open(log.segments[0].file.path, "r+b") as file:
        file.truncate(log.size_bytes - 1)
    with pytest.raises(StorageFailed, match="ends before"):
        unread.read(1 << 20)
    with pytest.raises(CorruptBatch, match="1 bytes too early"):
        unread_range(log)
