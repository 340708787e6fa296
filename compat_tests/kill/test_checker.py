"""The checker on histories made by hand: each anomaly is found, and a clean history is clean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from compat_tests.kill.checker import check
from compat_tests.kill.history import (
    Assigned,
    Commit,
    History,
    Kill,
    LogRecord,
    Observation,
    Outcome,
    Poll,
    Producer,
    Send,
)
from compat_tests.kill.values import Sent, from_text, identify, key, value

IDEMPOTENT = Producer("idempotent", "confluent-kafka", "all", idempotent=True, retries=True)
RETRYING = Producer("retrying", "confluent-kafka", "1", idempotent=False, retries=True)
ONCE = Producer("once", "kafka-python", "all", idempotent=False, retries=False)
GROUP = "group"

LOG = [
    Sent("idempotent", 0, 0),
    Sent("retrying", 0, 0),
    Sent("once", 0, 0),
    Sent("idempotent", 0, 1),
    Sent("idempotent", 0, 2),
]
"""Partition 0 of the clean history. Number n is sent at n and acknowledged half a second later."""


def in_log(records: Sequence[Sent | None]) -> list[LogRecord]:
    return [LogRecord(offset, sent) for offset, sent in enumerate(records)]


def poll(member: str, at: float, *offsets: int, log: Sequence[Sent] = LOG) -> Poll:
    records = tuple((offset, log[offset] if offset < len(log) else None) for offset in offsets)
    return Poll(GROUP, member, at, 0, records)


def commit(member: str, at: float, offset: int, outcome: Outcome = Outcome.OK) -> Commit:
    return Commit(GROUP, member, at, at + 0.1, outcome, {0: offset})


def observation(at: float, offset: int | None) -> Observation:
    return Observation(GROUP, at, at + 0.1, {0: offset})


def clean() -> History:
    """Everything sent is kept, read once by one of two members, and committed."""
    return History(
        producers={each.name: each for each in (IDEMPOTENT, RETRYING, ONCE)},
        sends=[
            Send(sent, sent.number, sent.number + 0.5, Outcome.OK, offset)
            for offset, sent in enumerate(LOG)
        ],
        events=[
            Assigned(GROUP, "first", 1.0, (0,)),
            poll("first", 2.0, 0, 1),
            poll("first", 3.0, 2),
            Assigned(GROUP, "second", 5.0, (0,)),
            poll("second", 6.0, 3, 4),
        ],
        commits=[commit("first", 2.1, 2), commit("first", 3.1, 3), commit("second", 6.1, 5)],
        observations=[observation(2.5, 2), observation(7.0, 5)],
        log={0: in_log(LOG)},
    )


def kinds(history: History) -> set[str]:
    return {finding.kind for finding in check(history)}


def replace_send(history: History, sent: Sent, **changes: object) -> None:
    history.sends = [
        send._replace(**changes) if send.sent == sent else send for send in history.sends
    ]


def keep(history: History, records: Sequence[Sent | None]) -> None:
    """Another log, which the group read from begin to end without any trouble."""
    end = len(records)
    history.log = {0: in_log(records)}
    offsets = {sent: offset for offset, sent in enumerate(records)}
    history.sends = [
        send._replace(offset=offsets.get(send.sent, send.offset)) for send in history.sends
    ]
    history.events = [
        Assigned(GROUP, "first", 1.0, (0,)),
        Poll(GROUP, "first", 2.0, 0, tuple(enumerate(records))),
    ]
    history.commits = [commit("first", 2.1, end)]
    history.observations = [observation(7.0, end)]


def test_a_clean_history_is_clean() -> None:
    assert check(clean()) == []
    assert check(History()) == []


def test_an_acknowledged_record_that_is_absent_is_lost() -> None:
    history = clean()
    keep(history, LOG[:-1])
    assert kinds(history) == {"lost-write"}


@pytest.mark.parametrize("ended_at", [None, 3.0])
def test_a_record_without_an_answer_may_be_absent(ended_at: float | None) -> None:
    history = clean()
    keep(history, LOG[:-1])
    replace_send(history, LOG[-1], outcome=Outcome.INFO, ended_at=ended_at, offset=None)
    assert kinds(history) == ({"unanswered"} if ended_at is None else set())


def test_a_record_that_a_consumer_saw_may_not_disappear() -> None:
    history = clean()
    history.log = {0: in_log(LOG[:-1])}
    replace_send(history, LOG[-1], outcome=Outcome.INFO, offset=None)
    assert kinds(history) == {"lost-write"}


@pytest.mark.parametrize("producer", [IDEMPOTENT, ONCE])
def test_a_second_copy_is_a_duplicate_even_if_the_broker_died(producer: Producer) -> None:
    history = clean()
    twice = Sent(producer.name, 0, 0)
    keep(history, [twice, *LOG])
    history.kills = [Kill(0.1, 0.2, 0.3)]
    assert kinds(history) == {"duplicate"}


def test_who_retries_may_repeat_what_a_death_left_unanswered_and_nothing_else() -> None:
    history = clean()
    keep(history, [Sent("retrying", 0, 0), *LOG])
    assert kinds(history) == {"duplicate"}
    history.kills = [Kill(0.6, 0.7, 0.8)]  # acknowledged before that
    assert kinds(history) == {"duplicate"}
    history.kills = [Kill(0.4, 0.45, 0.8)]
    assert kinds(history) == set()
    keep(history, [Sent("retrying", 0, 0), Sent("retrying", 0, 0), *LOG])
    assert kinds(history) == {"duplicate"}


def test_an_offset_that_holds_another_record_is_inconsistent() -> None:
    history = clean()
    replace_send(history, LOG[3], offset=4)
    assert kinds(history) == {"inconsistent-offsets"}


def test_a_consumer_that_read_another_record_at_an_offset_is_inconsistent() -> None:
    history = clean()
    swapped = [LOG[1], LOG[0], *LOG[2:]]
    history.events[1] = poll("first", 2.0, 0, 1, log=swapped)
    assert kinds(history) == {"inconsistent-offsets"}


@pytest.mark.parametrize(
    ("producer", "found"),
    [(IDEMPOTENT, {"nonmonotonic-send"}), (ONCE, {"nonmonotonic-send"}), (RETRYING, set())],
)
def test_another_order_than_sent(producer: Producer, found: set[str]) -> None:
    history = clean()
    records = [Sent(producer.name, 0, 1), Sent(producer.name, 0, 0)]
    history.sends = [Send(sent, 0.0, 1.0, Outcome.OK, at) for at, sent in enumerate(records)]
    keep(history, records)
    assert kinds(history) == found


def test_a_gap_in_what_an_idempotent_producer_sent_is_a_lost_write_only() -> None:
    history = clean()
    keep(history, [each for each in LOG if each != Sent("idempotent", 0, 1)])
    assert kinds(history) == {"lost-write"}


@pytest.mark.parametrize(
    "stranger",
    [None, Sent("idempotent", 0, 3), Sent("nobody", 0, 0), Sent("once", 1, 0)],
    ids=["unknown bytes", "not sent yet", "unknown producer", "of another partition"],
)
def test_a_record_that_nobody_sent_there_is_a_phantom(stranger: Sent | None) -> None:
    history = clean()
    keep(history, [*LOG, stranger])
    assert kinds(history) == {"phantom"}


def test_a_consumer_that_is_given_other_bytes_met_a_phantom() -> None:
    history = clean()
    history.events[1] = Poll(GROUP, "first", 2.0, 0, ((0, LOG[0]), (1, None)))
    assert kinds(history) == {"phantom"}


def test_a_refused_record_in_the_log_is_an_aborted_read() -> None:
    history = clean()
    replace_send(history, LOG[2], outcome=Outcome.FAIL, offset=None)
    assert kinds(history) == {"aborted-read"}


def test_a_log_without_an_offset_has_a_gap() -> None:
    history = clean()
    history.log = {0: [each._replace(offset=each.offset + 1) for each in in_log(LOG)]}
    assert "log-gap" in kinds(history)


@pytest.mark.parametrize(
    ("polls", "found"),
    [
        ([(0, 1), (3, 4)], {"poll-skip"}),
        ([(0, 1, 3, 4)], {"int-poll-skip", "poll-skip"}),
        ([(0, 1, 2, 3, 4), (4,)], {"nonmonotonic-poll"}),
        ([(0, 2, 1), (2, 3, 4)], {"int-poll-skip", "int-nonmonotonic-poll"}),
    ],
)
def test_what_one_member_polls_without_a_rebalance(
    polls: list[tuple[int, ...]], found: set[str]
) -> None:
    history = clean()
    history.events = [
        Assigned(GROUP, "first", 1.0, (0,)),
        *(poll("first", 2.0 + number, *offsets) for number, offsets in enumerate(polls)),
    ]
    history.commits = [commit("first", 4.5, 5)]
    history.observations = history.observations[-1:]
    assert kinds(history) == found


def test_a_new_owner_may_read_again_what_was_not_committed() -> None:
    history = clean()
    history.commits[1] = commit("first", 3.1, 3, Outcome.INFO)
    history.events[-1] = poll("second", 6.0, 2, 3, 4)
    assert kinds(history) == set()


def test_records_below_the_committed_offset_that_no_member_got_were_skipped() -> None:
    history = clean()
    history.events[-1] = poll("second", 6.0, 4)  # begins one too late
    assert kinds(history) == {"poll-skip"}


def test_a_new_owner_that_begins_below_what_was_committed_got_an_old_offset() -> None:
    history = clean()
    history.events[-1] = poll("second", 6.0, 2, 3, 4)
    assert kinds(history) == {"nonmonotonic-commit"}


@pytest.mark.parametrize("offset", [None, 2])
def test_a_committed_offset_that_goes_back_is_found_when_somebody_asks(offset: int | None) -> None:
    history = clean()
    history.observations.insert(1, observation(4.0, offset))
    assert kinds(history) == {"nonmonotonic-commit"}


def test_what_was_told_once_may_not_go_back_either() -> None:
    history = clean()
    history.commits[1] = commit("first", 3.1, 3, Outcome.INFO)
    history.observations[1:1] = [observation(3.5, 3), observation(4.0, 2)]
    assert kinds(history) == {"nonmonotonic-commit"}


def test_a_commit_that_was_under_way_may_be_seen_or_not() -> None:
    history = clean()
    history.observations.insert(1, observation(3.15, 2))
    assert kinds(history) == set()
    history.observations[1] = observation(3.15, 3)
    assert kinds(history) == set()


def test_a_group_that_does_not_get_to_the_end_is_stuck() -> None:
    history = clean()
    del history.events[3:], history.commits[2:]
    history.observations[-1] = observation(7.0, 3)
    assert kinds(history) == {"unseen"}


def test_a_process_that_could_not_go_on_is_reported() -> None:
    history = clean()
    history.troubles.append("m1: it did not end when it was asked to")
    assert kinds(history) == {"gave-up"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda _, right: (None, right),
        lambda name, right: (name + b"x", right),
        lambda name, right: (name, right[:-1]),
        lambda name, right: (name, right + b"0"),
        lambda name, right: (name, right.replace(b"/7/", b"/8/")),
        lambda name, _: (name, None),
    ],
)
def test_only_the_exact_bytes_are_a_record(
    damage: Callable[[bytes, bytes], tuple[bytes | None, bytes | None]],
) -> None:
    sent = Sent("p1", 3, 7)
    assert identify(key(sent), value(sent)) == sent == from_text(str(sent))
    assert identify(*damage(key(sent), value(sent))) is None
