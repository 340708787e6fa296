"""Timers of a group's rounds that the stories in `scenarios/` do not tell."""

from __future__ import annotations

from godel.clock import Randomness
from godel.coordinator.classic_group import ClassicGroup
from godel.coordinator.classic_rounds import GENERATION_MAX
from godel.coordinator.classic_states import ClassicGroupState
from godel.coordinator.decision import Instant
from godel.coordinator.draft import GroupEnvironment
from godel.coordinator.settings import GroupSettings
from tests.coordinator.test_classic_group import group_of_one


def test_a_stable_group_waits_for_its_sessions_only() -> None:
    group = group_of_one()
    assert (group.join_deadline_ms, group.sync_deadline_ms) == (None, None)
    assert group.next_deadline_ms() == 10_000.0


def test_heartbeats_move_the_deadline_on() -> None:
    group = group_of_one()
    (member,) = group.members
    group.heartbeat(member, None, 1, Instant(0, 4_000.0))
    assert group.next_deadline_ms() == 14_000.0


def test_the_generation_begins_again_after_the_last() -> None:
    group = group_of_one()
    group.generation = GENERATION_MAX
    group.expire(Instant(20_000, 20_000.0))
    assert group.generation == 1


def test_a_restored_group_has_new_sessions() -> None:
    group = group_of_one()
    again = ClassicGroup("g", GroupEnvironment(GroupSettings(), Randomness(1)))
    again.durable = group.durable
    again.restore(Instant(0, 500_000.0))
    assert again.state is ClassicGroupState.STABLE
    assert again.members.keys() == group.members.keys()
    assert again.next_deadline_ms() == 510_000.0
