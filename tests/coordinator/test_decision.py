"""Decisions are values."""

from __future__ import annotations

from godel.coordinator.decision import Decision, Parked, Wake


def test_a_bare_decision_changes_nothing() -> None:
    decision: Decision[str, int] = Decision("reply")
    assert (decision.records, decision.wake, decision.undo) == ((), (), None)
    assert Decision(Parked(3), wake=(Wake(1, "x"),)).wake[0].ticket == 1
