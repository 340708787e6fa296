"""Tables, JSON and YAML."""

from __future__ import annotations

import json

import pytest
import yaml

from godel.cli import output
from godel.cli.output import Column, Format, Section, columns

ROWS = [
    {"name": "flights", "count": 3, "replicas": [1, 2], "note": None},
    {"name": "a", "count": 12345, "replicas": [], "note": "two\nlines"},
]


def test_a_table_is_aligned_and_shows_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows(Format.TABLE, ROWS, columns("name", ">count", "replicas", "note"))
    assert capsys.readouterr().out.splitlines() == [
        "NAME     COUNT  REPLICAS  NOTE",
        "flights      3  1,2       -",
        "a        12345  -         two\\nlines",
    ]


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
def test_other_formats_carry_everything(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows(form, ROWS, columns("name"))
    text = capsys.readouterr().out
    assert (json.loads(text) if form is Format.JSON else yaml.safe_load(text)) == ROWS


def test_a_description_has_facts_and_lists(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"name": "flights", "size_bytes": 2048, "parts": [{"id": 1}], "none": []}
    layout = columns("name", Column("size_bytes", output.size, title="size"))
    sections = [Section("parts", columns("id")), Section("none", columns("id"))]
    output.show_description(Format.TABLE, row, layout, sections)
    assert capsys.readouterr().out.splitlines() == [
        "NAME  flights",
        "SIZE  2.0 KiB",
        "",
        "ID",
        "1",
    ]


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (1 << 30, "1.0 GiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert output.size(size_bytes) == text


def test_terminals_get_no_control_characters() -> None:
    assert output.one_line("a\x1b[31mb") == "a\\x1b[31mb"
    assert output.one_line("Gödel") == "Gödel"


def test_truth_is_told_in_words() -> None:
    assert (output.shown(True), output.shown(False), output.shown("")) == ("yes", "no", "-")


class Terminal:
    """As much of a stream as a question for colours needs."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.has_colours(Terminal())  # type: ignore[arg-type]  # a part of a stream
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.has_colours(Terminal())  # type: ignore[arg-type]  # a part of a stream
