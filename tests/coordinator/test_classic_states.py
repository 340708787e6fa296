"""The table of transitions."""

from __future__ import annotations

from godel.coordinator.classic_states import TRANSITIONS, ClassicGroupState


def test_every_state_has_its_row_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(ClassicGroupState)
    reached = set().union(*TRANSITIONS.values())
    assert reached == set(ClassicGroupState)


def test_nothing_leaves_dead() -> None:
    assert TRANSITIONS[ClassicGroupState.DEAD] == frozenset()


def test_the_names_are_what_clients_are_shown() -> None:
    assert [state.value for state in ClassicGroupState] == [
        "Empty",
        "PreparingRebalance",
        "CompletingRebalance",
        "Stable",
        "Dead",
    ]
