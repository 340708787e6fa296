"""The members' votes."""

from __future__ import annotations

from godel.coordinator.classic_member import ClassicMember
from godel.coordinator.classic_protocols import select_protocol, supported_by_all


def member(*protocols: str) -> ClassicMember:
    return ClassicMember(
        id="m",
        instance_id=None,
        client_id="c",
        client_host="/::1",
        rebalance_timeout_ms=1,
        session_timeout_ms=1,
        protocols=dict.fromkeys(protocols, b""),
    )


def test_only_what_all_support_is_voted_on() -> None:
    assert select_protocol([member("a", "b"), member("a", "b"), member("b", "c")]) == "b"


def test_the_majority_wins() -> None:
    assert select_protocol([member("a", "b"), member("b", "a"), member("b", "a")]) == "b"


def test_of_equal_ones_the_earliest_preference_wins() -> None:
    assert select_protocol([member("b", "a"), member("a", "b")]) == "b"


def test_without_members_there_is_none() -> None:
    assert select_protocol([]) is None


def test_candidates_keep_their_order() -> None:
    members = [member("a", "b", "c"), member("c", "a")]
    assert supported_by_all(members, ["c", "b", "a", "d"]) == ["c", "a"]
    assert supported_by_all([], ["x"]) == ["x"]
