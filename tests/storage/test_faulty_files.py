from __future__ import annotations

import errno

import pytest

from godel.clock import Randomness
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, PowerCut


def test_a_crash_forgets_what_was_not_synced() -> None:
    files = FaultyFiles()
    files.make_folder("d")
    files.sync_folder(".")
    kept, lost = files.open("d/kept"), files.open("d/lost")
    kept.append((b"synced",), 6)
    kept.sync()
    files.sync_folder("d")
    lost.append((b"x",), 1)
    lost.sync()
    kept.append((b" and not",), 8)
    files.replace("d/kept", "d/renamed")
    disk = files.after_crash()
    assert disk.list_files("d") == ["kept"]
    assert disk.read("d/kept") == b"synced"
    assert files.read("d/renamed") == b"synced and not"


def test_a_crash_may_keep_or_tear_any_unsynced_write() -> None:
    seen = set()
    for seed in range(200):
        files = FaultyFiles()
        file = files.open("f")
        file.sync()
        files.sync_folder(".")
        file.append((b"ab",), 2)
        file.append((b"cd",), 2)
        seen.add(files.after_crash(Randomness(seed)).read("f"))
    assert {b"", b"a", b"ab", b"abc", b"abcd", b"\0\0cd"} <= seen


def test_faults_and_power_cuts() -> None:
    files = FaultyFiles()
    file = files.open("f")
    file.append((b"ab",), 2)
    files.faults = lambda operation: (
        Fault(errno.ENOSPC, 1) if operation.kind is Kind.APPEND else None
    )
    with pytest.raises(OSError, match="injected") as failure:
        file.append((b"cd",), 2)
    assert failure.value.errno == errno.ENOSPC
    assert (file.size, files.read("f")) == (2, b"abc")
    files.fail(lambda operation: operation.kind is Kind.READ)
    with pytest.raises(OSError, match="injected"):
        file.pread(0, 1)
    files.crash_at = files.operations + 1
    with pytest.raises(PowerCut):
        file.sync()
    with pytest.raises(PowerCut):
        files.read("f")


def crashed(files: FaultyFiles, *, draws: int = 400) -> list[FaultyFiles]:
    return [files.after_crash(Randomness(seed)) for seed in range(draws)]


def test_a_crash_keeps_any_subset_of_renames_and_each_whole() -> None:
    files = FaultyFiles()
    for name in ("a", "b"):
        files.open(name).sync()
    files.sync_folder(".")
    files.replace("a", "a2")
    files.replace("b", "b2")
    seen = {tuple(sorted(disk.list_files("."))) for disk in crashed(files)}
    assert seen == {("a", "b"), ("a2", "b"), ("a", "b2"), ("a2", "b2")}


def test_what_happens_to_one_name_keeps_its_order() -> None:
    files = FaultyFiles()
    files.open("f.tmp").sync()
    files.replace("f.tmp", "f")
    files.remove("f")
    assert {tuple(disk.list_files(".")) for disk in crashed(files)} == {(), ("f.tmp",), ("f",)}


def test_a_name_may_survive_the_bytes_that_were_written_before_it() -> None:
    files = FaultyFiles()
    files.open("f.tmp").append((b"abcd",), 4)
    files.replace("f.tmp", "f")
    found = {disk.read("f") for disk in crashed(files) if disk.exists("f")}
    assert {b"", b"ab", b"abcd", b"ab\0\0", b"\0\0cd"} <= found
    assert any(
        b.startswith(b"a") and len(b) == 4 and b[1:] not in (b"bcd", bytes(3)) for b in found
    )


def test_a_folder_that_was_being_removed_may_be_left_in_part() -> None:
    files = FaultyFiles()
    files.make_folder("d/e")
    for path in ("d/f", "d/e/g"):
        files.open(path).sync()
    for folder in ("d/e", "d", "."):
        files.sync_folder(folder)
    files.remove_folder("d")
    left = {
        tuple(path for path in ("d", "d/f", "d/e", "d/e/g") if disk.exists(path))
        for disk in crashed(files)
    }
    assert {(), ("d",), ("d", "d/e"), ("d", "d/f"), ("d", "d/f", "d/e", "d/e/g")} <= left


def test_what_a_failed_sync_has_dropped_no_later_one_brings_over() -> None:
    files = FaultyFiles()
    file = files.open("f")
    file.append((b"one",), 3)
    file.sync()
    file.append((b"two",), 3)
    files.fail(lambda operation: operation.kind is Kind.SYNC)
    with pytest.raises(OSError, match="injected"):
        file.sync()
    files.faults = None
    file.append((b"three",), 5)
    file.sync()
    files.sync_folder("")
    assert file.pread(0, 20) == b"onetwothree"
    assert files.after_crash().read("f") == b"one\0\0\0three"
    file.truncate(4)
    file.append((b"four",), 4)
    file.sync()
    assert files.after_crash().read("f") == b"one\0four"
