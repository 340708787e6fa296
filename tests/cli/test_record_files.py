"""Files of records: what is written comes back, and what is cut or damaged is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.cli.exits import Refused
from godel.cli.progress import Silent
from godel.cli.record_files import Form, Survey, end_mark, entries, heading, survey, written
from godel.client.fetching import StoredBatch
from godel.records.batch import parse_header
from godel.records.builder import NewRecord, build_batch
from godel.records.compression import Compression
from godel.records.crc import crc32c
from godel.types import TopicPartition

FORMS = pytest.mark.parametrize("form", list(Form))
CONTENTS = st.none() | st.binary(max_size=20)
NEW_RECORDS = st.builds(
    NewRecord,
    CONTENTS,
    CONTENTS,
    st.lists(st.tuples(st.text(max_size=5), CONTENTS), max_size=2),
    st.integers(0, 2**41),
)


def stored(
    records: list[NewRecord], *, partition: int = 0, base: int = 0, first: int = 0
) -> StoredBatch:
    raw = build_batch(records, timestamp_ms=5, base_offset=base, compression=Compression.GZIP)
    where = TopicPartition("flights", partition)
    return StoredBatch(where, parse_header(raw), memoryview(raw), first)


def file_of(path: Path, form: Form, *batches: StoredBatch) -> Path:
    """A whole file."""
    made = [written(form, each) for each in batches]
    raw = heading(form, "flights", 4) + b"".join(frame for _, frame in made)
    count = sum(count for count, _ in made)
    path.write_bytes(raw + end_mark(form, count, crc32c(raw)))
    return path


def look(path: Path) -> Survey:
    return survey(path, Silent())


@FORMS
@given(records=st.lists(NEW_RECORDS, min_size=1, max_size=5))
def test_records_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, form: Form, records: list[NewRecord]
) -> None:
    path = tmp_path_factory.mktemp("files") / "flights"
    file_of(path, form, stored(records, partition=2, base=7))
    read = [pair for entry in entries(path) for pair in entry.records]
    assert read == list(enumerate(records, 7))
    found = look(path)
    assert (found.form, found.topic, found.is_cut) == (form, "flights", False)
    assert (found.counts, found.positions) == ({2: len(records)}, {2: 7 + len(records)})


@FORMS
def test_a_file_that_is_cut_anywhere_counts_up_to_its_last_whole_entry(
    tmp_path: Path, form: Form
) -> None:
    record = NewRecord(b"k", b"v", [("h", None)], 1)
    batches = [stored([record], base=at) for at in range(3)]
    path = file_of(tmp_path / "flights", form, *batches)
    whole = path.read_bytes()
    end = len(end_mark(form, 0, 0))
    ends = {len(file_of(tmp_path / "part", form, *batches[:n]).read_bytes()) for n in range(4)}
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        found = look(path)
        assert found.is_cut == (form is Form.BATCHES or size not in ends)
        assert found.end == max(each - end for each in {end, *ends} if each - end <= size)
    path.write_bytes(whole)
    assert (look(path).is_cut, look(path).end) == (False, len(whole) - end)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw + b"\0", "follows the end"),
        (
            lambda raw: raw[:-16] + end_mark(Form.BATCHES, 5, crc32c(raw[:-16])),
            "tells of 5 records",
        ),
        (lambda raw: raw.replace(b'"partitions": 4', b'"partitions": 5'), "these are not they"),
    ],
)
def test_an_end_that_is_not_the_files_is_found(
    tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    path = file_of(tmp_path / "flights", Form.BATCHES, stored([NewRecord(b"k", b"v")]))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Refused, match=reason):
        look(path)


def test_a_flipped_bit_in_a_batch_is_found(tmp_path: Path) -> None:
    path = file_of(tmp_path / "flights", Form.BATCHES, stored([NewRecord(b"k", b"v" * 50)]))
    raw = bytearray(path.read_bytes())
    raw[-19] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Refused, match=r"after 0 records: .* CRC"):
        look(path)


def test_records_before_the_first_that_counts_are_left_out(tmp_path: Path) -> None:
    """A topic may begin within a batch, after records were deleted."""
    records = [NewRecord(None, b"%d" % number, [], 1) for number in range(4)]
    for form in Form:
        path = file_of(tmp_path / form, form, stored(records, first=2))
        assert look(path).counts == {0: 2}
        assert [offset for entry in entries(path) for offset, _ in entry.records] == [2, 3]


@FORMS
def test_a_batch_with_no_record_that_counts_adds_nothing(form: Form) -> None:
    """Compaction keeps the last offset of a batch whose last record it has removed."""
    assert written(form, stored([NewRecord(b"k", b"v", [], 1)], base=4, first=5)) == (0, b"")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"hello\n", "Expecting value"),
        (b'{"value": "x"}\n', "without topic, partition or offset"),
        (b"[1]\n", "no JSON object"),
        (b"godel batches 1\n[]\n", "a heading"),
        (b"godel batches 1\n" + b'{"topic": "t", "partitions": 1}\n' + b"x" * 80, "magic"),
    ],
)
def test_what_is_no_file_of_records_is_refused(tmp_path: Path, text: bytes, reason: str) -> None:
    path = tmp_path / "something"
    path.write_bytes(text)
    with pytest.raises(Refused, match=reason):
        look(path)


def test_lines_of_two_topics_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two"
    line = '{"topic": "%s", "partition": 0, "offset": 0}\n'
    path.write_text(line % "a" + line % "b")
    with pytest.raises(Refused, match="two topics, a and b"):
        look(path)
