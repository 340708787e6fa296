"""What members tell each other, and how partitions are shared."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.client.assignment import (
    Assignments,
    Subscription,
    assign_cooperative,
    assign_range,
    assign_round_robin,
    decode_assignment,
    decode_subscription,
    encode_assignment,
    encode_subscription,
)
from godel.coordinator.consumer_protocol import subscribed_topics
from godel.errors import DecodeError
from godel.types import TopicPartition


def p(text: str) -> list[TopicPartition]:
    """`a0 a1` as partitions."""
    return [TopicPartition(each[0], int(each[1:])) for each in text.split()]


def shown(assigned: Assignments) -> dict[str, str]:
    return {
        member: " ".join(f"{each.topic}{each.partition}" for each in sorted(partitions))
        for member, partitions in assigned.items()
    }


WANTS_A, WANTS_BOTH = Subscription(("a",)), Subscription(("a", "b"))


def test_subscriptions_and_assignments_survive() -> None:
    subscription = Subscription(("a", "b"), tuple(p("a0 a2 b1")))
    assert decode_subscription(encode_subscription(subscription)) == subscription
    assert decode_assignment(encode_assignment(p("a1 b0"))) == p("a1 b0")
    assert decode_assignment(encode_assignment([])) == []


def test_the_broker_reads_our_subscriptions() -> None:
    assert subscribed_topics([encode_subscription(WANTS_BOTH)]) == {"a", "b"}


def test_newer_and_older_versions_are_read() -> None:
    old = b"\0\0" + encode_subscription(WANTS_A)[2:]
    assert decode_subscription(old) == WANTS_A
    new = b"\0\3" + encode_subscription(WANTS_A)[2:] + b"\0\0\0\1\xff\xff"
    assert decode_subscription(new) == WANTS_A


@given(st.binary(max_size=60))
def test_garbage_is_an_error_and_nothing_worse(raw: bytes) -> None:
    for decode in (decode_subscription, decode_assignment):
        with suppress(DecodeError):
            decode(raw)  # type: ignore[operator]  # two functions of bytes


def test_range_takes_each_topic_by_itself() -> None:
    members = {"m1": WANTS_BOTH, "m2": WANTS_BOTH}
    assert shown(assign_range(members, {"a": 3, "b": 3})) == {
        "m1": "a0 a1 b0 b1",
        "m2": "a2 b2",
    }


def test_round_robin_deals_all_partitions() -> None:
    members = {"m1": WANTS_BOTH, "m2": WANTS_BOTH}
    assert shown(assign_round_robin(members, {"a": 3, "b": 3})) == {
        "m1": "a0 a2 b1",
        "m2": "a1 b0 b2",
    }
    members["m2"] = WANTS_A
    assert shown(assign_round_robin(members, {"a": 2, "b": 2})) == {"m1": "a0 b0 b1", "m2": "a1"}


def test_cooperative_gives_up_before_it_gives_away() -> None:
    alone = Subscription(("a",), tuple(p("a0 a1 a2 a3")))
    first = assign_cooperative({"m1": alone, "m2": WANTS_A}, {"a": 4})
    assert shown(first) == {"m1": "a0 a1", "m2": ""}
    less = Subscription(("a",), tuple(p("a0 a1")))
    second = assign_cooperative({"m1": less, "m2": WANTS_A}, {"a": 4})
    assert shown(second) == {"m1": "a0 a1", "m2": "a2 a3"}


def test_a_topic_that_is_gone_has_no_partitions() -> None:
    for assign in (assign_range, assign_round_robin, assign_cooperative):
        assert shown(assign({"m1": WANTS_A}, {})) == {"m1": ""}


MEMBERS = st.dictionaries(
    st.sampled_from(["m1", "m2", "m3", "m4"]),
    st.sets(st.sampled_from("abc"), min_size=1).map(lambda each: Subscription(tuple(sorted(each)))),
    min_size=1,
)


@pytest.mark.parametrize("assign", [assign_range, assign_round_robin, assign_cooperative])
@given(members=MEMBERS, count=st.integers(0, 7))
def test_every_partition_has_one_taker_who_wants_it(
    assign: object, members: dict[str, Subscription], count: int
) -> None:
    assigned: Assignments = assign(members, dict.fromkeys("abc", count))  # type: ignore[operator]  # one of three functions
    given_out = [each for partitions in assigned.values() for each in partitions]
    wanted = {topic for each in members.values() for topic in each.topics}
    assert sorted(given_out) == [TopicPartition(t, i) for t in sorted(wanted) for i in range(count)]
    for member, partitions in assigned.items():
        assert {each.topic for each in partitions} <= set(members[member].topics)
