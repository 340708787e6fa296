"""Checking a whole data directory: checkpoints, folders, metadata, one against the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from godel.daemon import main
from tests.operations.directories import used_directory

RECOVERY = "recovery-point-offset-checkpoint"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return used_directory(tmp_path / "data")


def findings(capsys: pytest.CaptureFixture[str], data: Path) -> list[str]:
    main(["verify", str(data)])
    *found, _summary = capsys.readouterr().out.splitlines()
    return [line.replace(f"{data}/", "") for line in found]


def test_a_damaged_checkpoint(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / "cleaner-offset-checkpoint").write_text("0\n5\n")
    (found,) = findings(capsys, data)
    assert found.startswith("problem: cleaner-offset-checkpoint: ")


def test_a_partition_without_its_folder(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / "t-0").rename(data / "t-0.aside")
    assert findings(capsys, data) == [
        "note: t-0.aside: not a folder of this broker",
        "problem: t-0: the folder is missing; the log ended at offset 120",
    ]


def test_a_folder_without_a_topic(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / "t-0").rename(data / "t-7")
    assert "problem: t-7: of no topic that exists: it is not served" in findings(capsys, data)


def test_a_folder_of_another_topic(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / "t-0").rename(data / "unused-0")
    found = findings(capsys, data)
    assert any("unused-0/partition.metadata: it belongs to the topic" in line for line in found)


def test_records_missing_below_the_recovery_point(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    last = sorted((data / "t-0").glob("*.log"))[-1]
    for path in (data / "t-0").glob(f"{last.stem}.*"):
        path.unlink()
    found = findings(capsys, data)
    assert f"problem: t-0: the recovery point is 120, but the log ends at {int(last.stem)}" in found


def test_more_than_was_closed(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / RECOVERY).write_text("0\n1\nt 0 118\n")
    assert findings(capsys, data) == ["problem: t-0: it was closed at offset 118, but ends at 120"]


def test_after_a_crash_the_indexes_that_recovery_makes_are_not_judged(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    (data / ".kafka_cleanshutdown").unlink()
    last = sorted((data / "t-0").glob("*.log"))[-1]
    last.with_suffix(".index").write_bytes(b"")
    last.with_suffix(".timeindex").write_bytes(b"garbage")
    (note,) = findings(capsys, data)
    assert note.startswith("note: ")
    first = data / "t-0" / f"{0:020d}.index"
    first.write_bytes(first.read_bytes()[::-1])
    assert any(str(first.name) in line for line in findings(capsys, data)[1:])
