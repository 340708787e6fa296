"""Choosing a group's protocol (its assignor): what every member can do, by the members' votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from godel.coordinator.classic_member import ClassicMember


def supported_by_all(members: Collection[ClassicMember], candidates: Collection[str]) -> list[str]:
    """Those of `candidates` that every member knows, in the order of `candidates`."""
    return [name for name in candidates if all(name in member.protocols for member in members)]


def select_protocol(members: Collection[ClassicMember]) -> str | None:
    """Each member votes for the first of its protocols that all support; the most votes win.

    Of equal ones the protocol wins that the earliest member prefers. None: no members.
    """
    if not members:
        return None
    candidates = set(supported_by_all(members, next(iter(members)).protocols))
    votes: Counter[str] = Counter()
    for member in members:
        vote = next((name for name in member.protocols if name in candidates), None)
        assert vote is not None, "members without a common protocol are not let in"
        votes[vote] += 1
    return votes.most_common(1)[0][0]
