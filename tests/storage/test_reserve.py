from __future__ import annotations

from godel.clock import ManualClock, Randomness
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.files import Space
from godel.storage.reserve import PLENTY_BYTES, RESERVE_BYTES, give_up_reserve, keep_reserve

PATH = "data/.reserve"


class SizedFiles(FaultyFiles):
    """A disk that says how much space it has."""

    usable_bytes = PLENTY_BYTES

    def space(self, path: str) -> Space:
        return Space(2 * PLENTY_BYTES, self.usable_bytes)


def sized(usable_bytes: int = PLENTY_BYTES) -> SizedFiles:
    files = SizedFiles()
    files.usable_bytes = usable_bytes
    files.make_folder("data")
    return files


def test_a_disk_with_plenty_of_space_keeps_some_for_later() -> None:
    files = sized()
    keep_reserve(files, "data")
    assert files.size(PATH) == RESERVE_BYTES
    operations = files.operations
    keep_reserve(files, "data")
    assert files.operations == operations


def test_a_small_disk_is_left_alone() -> None:
    files = sized(PLENTY_BYTES - 1)
    keep_reserve(files, "data")
    assert not files.exists(PATH)


def test_a_reserve_that_cannot_be_made_does_no_harm_and_is_made_later() -> None:
    files = sized()
    files.fail(lambda operation: operation.kind is Kind.APPEND)
    keep_reserve(files, "data")
    files.faults = None
    keep_reserve(files, "data")
    assert files.size(PATH) == RESERVE_BYTES


def test_it_is_given_up_only_by_a_start_on_a_full_disk() -> None:
    files = sized()
    keep_reserve(files, "data")
    assert not give_up_reserve(files, "data")
    files.usable_bytes = RESERVE_BYTES - 1
    assert give_up_reserve(files, "data")
    assert not files.exists(PATH)
    assert not give_up_reserve(files, "data")


def test_the_operator_is_told() -> None:
    def opened() -> DataDirectories:
        return DataDirectories.open(
            ("data",), files=files, clock=ManualClock(), randomness=Randomness(1)
        )

    files = sized()
    directories = opened()
    directories.keep_reserve()
    assert files.exists(PATH)
    files.usable_bytes = 0
    files.release_locks()
    (problem,) = opened().metadata.problems
    assert "delete something" in problem
