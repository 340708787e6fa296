"""The states of a classic group (Kafka's `ClassicGroupState`) and the moves between them."""

from __future__ import annotations

from enum import Enum


class ClassicGroupState(Enum):
    """How the group answers in a state (action) and what makes it leave (transition)."""

    EMPTY = "Empty"
    """No members; lingers until its offsets have expired, or is used for offsets only.

    action: JoinGroup from new members is accepted; SyncGroup, Heartbeat, LeaveGroup answer
        UNKNOWN_MEMBER_ID; OffsetCommit without a generation is accepted; OffsetFetch is answered
    transition: a member joins => PreparingRebalance; the last offset is gone, or DeleteGroups
        => Dead
    """

    PREPARING_REBALANCE = "PreparingRebalance"
    """The join phase: waiting for the members to join (again).

    action: JoinGroup is parked; SyncGroup and Heartbeat answer REBALANCE_IN_PROGRESS; LeaveGroup
        removes the member; OffsetCommit of the previous generation is accepted
    transition: every member joined, or the join phase timed out and somebody did
        => CompletingRebalance; all members left => Empty
    """

    COMPLETING_REBALANCE = "CompletingRebalance"
    """The sync phase: waiting for the leader's assignment.

    action: SyncGroup of followers is parked, the leader's is stored; JoinGroup with unchanged
        metadata gets the current generation; Heartbeat is answered; OffsetCommit answers
        REBALANCE_IN_PROGRESS
    transition: the leader's assignment is stored => Stable; a member joins, joins again with
        changed metadata, leaves, fails or misses the sync deadline => PreparingRebalance
    """

    STABLE = "Stable"
    """Every member can have its assignment.

    action: SyncGroup answers the stored assignment; Heartbeat is answered; JoinGroup of a follower
        with unchanged metadata gets the current generation; OffsetCommit of this generation is
        accepted
    transition: a member joins, leaves, fails or misses the sync deadline, the leader joins again,
        or metadata changed => PreparingRebalance
    """

    DEAD = "Dead"
    """Removed, with its offsets. DescribeGroups of an unknown group shows this state, too.

    action: none, nothing reaches the group any more
    transition: none
    """

    # Identity is equality and the hash is the object's: states are compared on the hot path.
    __hash__ = object.__hash__


TRANSITIONS: dict[ClassicGroupState, frozenset[ClassicGroupState]] = {
    ClassicGroupState.EMPTY: frozenset(
        {ClassicGroupState.PREPARING_REBALANCE, ClassicGroupState.DEAD}
    ),
    ClassicGroupState.PREPARING_REBALANCE: frozenset(
        {ClassicGroupState.COMPLETING_REBALANCE, ClassicGroupState.EMPTY, ClassicGroupState.DEAD}
    ),
    ClassicGroupState.COMPLETING_REBALANCE: frozenset(
        {ClassicGroupState.STABLE, ClassicGroupState.PREPARING_REBALANCE, ClassicGroupState.DEAD}
    ),
    ClassicGroupState.STABLE: frozenset(
        {ClassicGroupState.PREPARING_REBALANCE, ClassicGroupState.DEAD}
    ),
    ClassicGroupState.DEAD: frozenset(),
}
