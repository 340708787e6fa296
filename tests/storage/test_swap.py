"""What the start makes of an interrupted swap; crashes stand in test_compaction_crashes.py."""

from __future__ import annotations

from godel.records.builder import build_batch
from godel.storage.memory_files import MemoryFiles
from godel.storage.swap import complete_swaps, rename_copy
from tests.storage.harness import NOW_MS, put

BATCH = build_batch([(b"k", b"v")] * 3, timestamp_ms=NOW_MS, base_offset=10)


def folder_with(*names: str) -> MemoryFiles:
    files = MemoryFiles()
    files.make_folder("f")
    for name in names:
        put(files, f"f/{name}", BATCH if name.endswith(".log.swap") else b"old")
    return files


def name(offset: int, suffix: str) -> str:
    return f"{offset:020d}{suffix}"


def test_a_swap_takes_the_place_of_what_it_covers() -> None:
    files = folder_with(
        name(0, ".log"),
        name(10, ".log"),
        name(10, ".index"),
        name(12, ".log"),
        name(12, ".timeindex"),
        name(12, ".snapshot"),
        name(13, ".log"),
        name(10, ".log.swap"),
        name(10, ".index.swap"),
    )
    assert complete_swaps(files, "f", files.list_files("f"))
    kept = [(0, ".log"), (10, ".index"), (10, ".log"), (12, ".snapshot"), (13, ".log")]
    assert sorted(files.list_files("f")) == [name(*one) for one in kept]
    assert files.read("f/" + name(10, ".log")) == BATCH
    assert not complete_swaps(files, "f", files.list_files("f"))


def test_indexes_without_their_log_are_not_believed() -> None:
    files = folder_with(name(0, ".log"), name(0, ".index.swap"), name(0, ".timeindex.swap"))
    assert complete_swaps(files, "f", files.list_files("f"))
    assert files.list_files("f") == [name(0, ".log")]


def test_the_log_is_renamed_last() -> None:
    files = folder_with(*(name(0, f"{one}.cleaned") for one in (".log", ".index", ".timeindex")))
    renamed: list[str] = []
    move = files.move
    files.move = lambda folder, source, target: (  # type: ignore[method-assign]  # to look on
        renamed.append(source),
        move(folder, source, target),
    )[1]
    rename_copy(files, "f", 0, before=".cleaned", after=".swap")
    assert renamed[-1] == name(0, ".log.cleaned")
