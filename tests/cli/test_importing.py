"""`godel import`: the same records again, once each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from godel.cli.record_files import END, Form, end_mark, heading, written
from godel.client.fetching import StoredBatch
from godel.client.producing import BATCH_BYTES
from godel.records.batch import parse_header
from godel.records.builder import NewRecord, build_batch
from godel.records.crc import crc32c
from godel.testing import Broker
from godel.types import TopicPartition
from tests.cli.conftest import Command
from tests.wire import NOW_MS, Client, batch

FILES = pytest.mark.parametrize("name", ["flights.jsonl", "flights.batches"])
RECORDS = [
    NewRecord(b"\xff\x00", b"binary\xfe", [("h", b"\x80"), ("h", None)], NOW_MS - 5),
    NewRecord(None, None, [], NOW_MS),
    NewRecord(b"", b"", [("", b"")], NOW_MS - 10),
    NewRecord("Gödel".encode(), b"line\nline", [], NOW_MS),
]


@pytest.fixture
def outside(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        client.create("flights", partitions=3)
        for partition in (0, 2):
            client.produce("flights", batch(*RECORDS), partition=partition)
            client.produce("flights", batch(f"last of {partition}"), partition=partition)
        yield client


def records(godel: Command, topic: str) -> list[str]:
    return sorted(godel("export", topic).out.replace(f'"{topic}"', '"T"').splitlines())


def test_files(
    transcript: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    transcript("files")


@FILES
def test_an_export_and_an_import_give_the_same_records(
    godel: Command, outside: Client, tmp_path: Path, name: str
) -> None:
    path = str(tmp_path / name)
    godel("export", "flights", path)
    result = godel("import", "copy", path)
    assert result.status == 0, result.err
    assert records(godel, "copy") == records(godel, "flights")


@FILES
def test_an_import_goes_on_where_it_stopped(
    godel: Command, outside: Client, tmp_path: Path, name: str
) -> None:
    path = str(tmp_path / name)
    godel("export", "flights", path)
    outside.create("copy", partitions=3)
    outside.produce("copy", batch(*RECORDS[:3]), partition=2)
    assert "has records already" in godel("import", "copy", path).err
    result = godel("import", "copy", path, "--resume", "--output", "json")
    assert json.loads(result.out)["delivered"] == 7
    assert records(godel, "copy") == records(godel, "flights")
    again = godel("import", "copy", path, "--resume", "--output", "json")
    assert json.loads(again.out)["delivered"] == 0


def test_what_the_file_does_not_have_is_not_gone_on_with(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = str(tmp_path / "flights.jsonl")
    godel("export", "flights", path)
    outside.create("other", partitions=3)
    outside.produce("other", batch("something else"))
    result = godel("import", "other", path, "--resume")
    assert result.status == 1
    assert "another record at offset 0" in result.err
    outside.create("longer", partitions=3)
    outside.produce("longer", batch(*"abcdefgh"))
    assert "more than the file" in godel("import", "longer", path, "--resume").err


def test_append_writes_behind_what_is_there(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = str(tmp_path / "flights.batches")
    godel("export", "flights", path)
    assert godel("import", "flights", path, "--append").status == 0
    assert outside.list_offset("flights", -1).offset == 10


def test_a_file_that_was_cut_off_is_not_taken_for_all(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = tmp_path / "flights.batches"
    godel("export", "flights", str(path))
    for lost in (1, END.size, END.size + 1):
        path.write_bytes(path.read_bytes()[:-lost])
        result = godel("import", "copy", str(path))
        assert result.status == 1
        assert f"godel export flights {path} --resume" in result.err
    assert "copy" not in godel("topics", "list").out
    assert godel("export", "flights", str(path), "--resume").status == 0
    assert godel("import", "copy", str(path)).status == 0
    assert records(godel, "copy") == records(godel, "flights")


def test_a_topic_with_too_few_partitions_is_refused(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    path = str(tmp_path / "flights.jsonl")
    godel("export", "flights", path)
    outside.create("small", partitions=2)
    result = godel("import", "small", path)
    assert result.status == 1
    assert "godel topics edit small --partitions 3" in result.err


def test_records_older_than_the_retention_are_warned_of(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    outside.create("old")
    outside.produce("old", batch("x", timestamp_ms=NOW_MS - 30 * 86_400_000))
    path = str(tmp_path / "old.jsonl")
    godel("export", "old", path)
    assert "older than retention.ms of copy (7.0 days)" in godel("import", "copy", path).err


def test_a_rejected_record_ends_the_import(godel: Command, outside: Client, tmp_path: Path) -> None:
    path = str(tmp_path / "flights.jsonl")
    godel("export", "flights", path)
    outside.create("compacted", partitions=3, configs={"cleanup.policy": "compact"})
    result = godel("import", "compacted", path)
    assert result.status == 1
    assert "was rejected" in result.err


def file_of(path: Path, *records: NewRecord) -> str:
    """An export in which all records of partition 0 are one batch."""
    raw = build_batch(records, timestamp_ms=NOW_MS)
    stored = StoredBatch(TopicPartition("flights", 0), parse_header(raw), memoryview(raw), 0)
    count, frame = written(Form.BATCHES, stored)
    assert count == len(records)
    raw = heading(Form.BATCHES, "flights", 1) + frame
    path.write_bytes(raw + end_mark(Form.BATCHES, count, crc32c(raw)))
    return str(path)


def test_after_a_rejected_record_nothing_more_of_a_large_batch_is_sent(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    outside.create("compacted", configs={"cleanup.policy": "compact"})
    keys = [None, b"b", b"c", b"d"]
    large = [NewRecord(key, bytes(BATCH_BYTES // 2), [], NOW_MS) for key in keys]
    path = file_of(tmp_path / "flights.batches", *large)
    result = godel("import", "compacted", path)
    assert result.status == 1
    assert "record 1 was rejected" in result.err
    assert "--resume" not in result.err
    assert outside.list_offset("compacted", -1).offset == 0


def test_what_went_in_behind_a_rejected_record_is_told(
    godel: Command, outside: Client, tmp_path: Path
) -> None:
    outside.create("small", configs={"max.message.bytes": 1000})
    values = [b"a", bytes(2000), b"c"]
    path = file_of(
        tmp_path / "flights.batches", *(NewRecord(None, each, [], NOW_MS) for each in values)
    )
    result = godel("import", "small", path)
    assert result.status == 1
    assert "record 2 was rejected" in result.err
    assert "--resume cannot go on from here" in result.err
    assert godel("import", "small", path, "--resume").status == 1


def test_a_file_that_is_not_there_has_a_status_of_its_own(godel: Command) -> None:
    result = godel("import", "copy", "/no/such/file")
    assert result.status == 4
    assert result.err == "error: /no/such/file: no such file or directory\n"


def test_resume_and_append_contradict_each_other(godel: Command) -> None:
    assert godel("import", "copy", "file", "--resume", "--append").status == 2
