"""Findings as they are shown and counted."""

from __future__ import annotations

from godel.operations.findings import Tally, note, problem


def test_a_finding_says_where_and_what() -> None:
    assert str(problem("t-0/0.log", "wrong CRC", 61)) == "problem: t-0/0.log at 61: wrong CRC"
    assert str(note("t-0", "left alone")) == "note: t-0: left alone"


def test_notes_leave_it_sound_and_problems_do_not() -> None:
    tally = Tally()
    tally.add([note("a", "b")])
    assert tally.is_sound
    tally.add([problem("a", "c")])
    assert not tally.is_sound
    assert [finding.what for finding in tally.problems()] == ["c"]
