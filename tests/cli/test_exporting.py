"""`godel export`: files of topics, interrupted and gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from godel.cli.exporting import target
from godel.cli.progress import Silent
from godel.cli.record_files import END, survey
from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client, batch

FILES = pytest.mark.parametrize("name", ["flights.jsonl", "flights.batches"])


@pytest.fixture
def outside(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        client.create("flights", partitions=2)
        for partition in (0, 1):
            for number in range(3):
                client.produce("flights", batch(f"{partition}-{number}", "x"), partition=partition)
        yield client


def test_standard_output_gets_json_lines(godel: Command, outside: Client) -> None:
    result = godel("export", "flights")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert len(lines) == 12
    assert {(each["topic"], each["partition"]) for each in lines} == {
        ("flights", 0),
        ("flights", 1),
    }
    assert result.err == "exported 12 records of flights (1.4 KiB)\n"


@FILES
def test_an_export_that_was_cut_off_anywhere_is_completed(
    godel: Command, outside: Client, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    assert godel("export", "flights", str(path)).status == 0
    whole = path.read_bytes()
    for size in (0, 5, 20, len(whole) // 2, len(whole) - 1, len(whole)):
        path.write_bytes(whole[:size])
        result = godel("export", "flights", str(path), "--resume")
        assert result.status == 0, result.err
        assert sorted_entries(path.read_bytes()) == sorted_entries(whole)
        assert not survey(path, Silent()).is_cut


@FILES
def test_a_file_that_is_no_export_stays_as_it_is(
    godel: Command, outside: Client, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text("notes without a line's end")
    result = godel("export", "flights", str(path), "--resume")
    assert (result.status, "is no export" in result.err) == (1, True)
    assert path.read_text() == "notes without a line's end"


def test_a_write_that_fails_says_to_which_file() -> None:
    with pytest.raises(OSError, match="/dev/full"), target("/dev/full") as out:
        out.write(b"x")


def sorted_entries(raw: bytes) -> list[bytes]:
    """The order of partitions may be another one; lines and same-sized batches can be sorted."""
    if not raw.startswith(b"godel"):
        return sorted(raw.splitlines())
    head = raw.index(b"}\n") + 2
    frames, at = [raw[:head]], head
    while at < len(raw) - END.size:
        size = 12 + 12 + int.from_bytes(raw[at + 20 : at + 24], "big")
        frames.append(raw[at : at + size])
        at += size
    return sorted(frames)


@FILES
def test_what_has_come_since_is_added(
    godel: Command, outside: Client, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    godel("export", "flights", str(path))
    outside.produce("flights", batch("late"))
    result = godel("export", "flights", str(path), "--resume", "--output", "json")
    assert json.loads(result.out)["records"] == 1
    assert b"late" in path.read_bytes()
    found = survey(path, Silent())
    assert (found.records, found.is_cut) == (13, False)


@FILES
def test_a_whole_file_stays_whole_where_there_is_no_broker_to_go_on_with(
    command: Command, godel: Command, outside: Client, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    godel("export", "flights", str(path))
    whole = path.read_bytes()
    nobody = ("--bootstrap", "127.0.0.1:1")
    assert command("export", "flights", str(path), "--resume", *nobody).status != 0
    assert path.read_bytes() == whole


def test_a_file_is_not_overwritten(godel: Command, outside: Client, tmp_path: Path) -> None:
    path = tmp_path / "flights.jsonl"
    path.write_text("precious\n")
    result = godel("export", "flights", str(path))
    assert result.status == 1
    assert "exists already" in result.err
    assert path.read_text() == "precious\n"


def test_another_topic_or_form_is_not_gone_on_with(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = tmp_path / "flights.jsonl"
    godel("export", "flights", str(path))
    outside.create("other")
    assert "not other as json" in godel("export", "other", str(path), "--resume").err
    result = godel("export", "flights", str(path), "--resume", "--as", "batches")
    assert "not flights as batches" in result.err


def test_a_topic_that_was_made_anew_is_noticed(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = tmp_path / "flights.jsonl"
    godel("export", "flights", str(path))
    outside.delete("flights")
    outside.create("flights", partitions=2)
    result = godel("export", "flights", str(path), "--resume")
    assert result.status == 1
    assert "another topic of the same name" in result.err


def test_a_topic_that_is_not_there_leaves_no_file_to_go_on_with(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = tmp_path / "fligths.jsonl"
    result = godel("export", "fligths", str(path))
    assert result.status == 4
    assert "did you mean flights?" in result.err
    assert not path.exists()


def test_what_was_deleted_before_it_could_be_exported_is_told(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = tmp_path / "flights.jsonl"
    godel("export", "flights", str(path))
    outside.produce("flights", batch("lost", "kept"))
    godel("topics", "records", "flights", "--partition", "0", "--before", "7", "--yes")
    result = godel("export", "flights", str(path), "--resume")
    assert result.status == 0
    assert "flights-0: the offsets 6 to 6 were deleted meanwhile" in result.err
    assert b"kept" in path.read_bytes()
