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
