"""Fetch sessions: the rules of KIP-227 one by one, then a client and a broker that must agree."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from godel.broker import fetch_sessions
from godel.broker.fetch_sessions import FetchContext, FetchedPartition, FetchSessions
from godel.clock import Randomness
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
)
from godel.types import ZERO_ID

NOW_MS = 1_000_000
BY_NAME = 12
BY_ID = 13
NOT_FOUND = ErrorCode.FETCH_SESSION_ID_NOT_FOUND
WRONG_EPOCH = ErrorCode.INVALID_FETCH_SESSION_EPOCH


def topic_id(name: str) -> bytes:
    return name.encode().ljust(16, b"\x01")


def request(
    session_id: int = 0,
    epoch: int = 0,
    partitions: Iterable[tuple[str, int, int]] = (),
    forget: Iterable[tuple[str, int]] = (),
    *,
    version: int = BY_NAME,
) -> FetchRequest:
    """`partitions` are (topic, partition, fetch offset)."""

    def named(name: str) -> tuple[str, bytes]:
        return (name, ZERO_ID) if version < BY_ID else ("", topic_id(name))

    return FetchRequest(
        session_id=session_id,
        session_epoch=epoch,
        topics=[
            FetchTopic(
                topic=named(name)[0],
                topic_id=named(name)[1],
                partitions=[
                    FetchPartition(
                        partition=partition,
                        fetch_offset=offset,
                        partition_max_bytes=1000 + offset,
                        current_leader_epoch=3,
                        last_fetched_epoch=2,
                    )
                ],
            )
            for name, partition, offset in partitions
        ],
        forgotten_topics_data=[
            ForgottenTopic(topic=named(name)[0], topic_id=named(name)[1], partitions=[partition])
            for name, partition in forget
        ],
    )


def new_sessions(slots: int = 3) -> FetchSessions:
    return FetchSessions(Randomness(1), slots=slots)


def some(count: int, topic: str = "t") -> list[tuple[str, int, int]]:
    return [(topic, partition, 0) for partition in range(count)]


def begin(
    sessions: FetchSessions, asked: FetchRequest, version: int = BY_NAME, now_ms: int = NOW_MS
) -> FetchContext:
    return sessions.begin(asked, version, now_ms)


def refusal(sessions: FetchSessions, asked: FetchRequest, version: int = BY_NAME) -> ErrorCode:
    with pytest.raises(ApiError) as raised:
        begin(sessions, asked, version)
    return raised.value.code


def names(context: FetchContext) -> list[tuple[str, int]]:
    return [(slot.topic, slot.partition) for slot in context.partitions]


def answer(
    context: FetchContext,
    *,
    error: int = 0,
    high_watermark: int = 10,
    log_start_offset: int = 0,
    records_in: Iterable[int] = (),
) -> list[int]:
    """Answer every partition alike; the partitions that the answer names."""
    served = set(records_in)
    return [
        slot.partition
        for slot in context.partitions
        if context.should_include(
            slot, error, high_watermark, log_start_offset, has_records=slot.partition in served
        )
    ]


# -- without a session -----------------------------------------------------------------------------


def test_no_session_lists_what_was_asked_and_answers_all_of_it() -> None:
    sessions = new_sessions()
    for _ in range(2):
        context = begin(sessions, request(0, -1, [("a", 1, 5), ("b", 0, 7)]))
        assert context.session_id == 0
        assert names(context) == [("a", 1), ("b", 0)]
        assert answer(context) == [1, 0]
    assert len(sessions) == 0


def test_a_partition_carries_what_the_request_says_of_it() -> None:
    (slot,) = begin(new_sessions(), request(0, -1, [("a", 1, 5)], version=BY_ID)).partitions
    assert isinstance(slot, FetchedPartition)
    assert (slot.topic, slot.topic_id, slot.partition) == ("", topic_id("a"), 1)
    assert (slot.fetch_offset, slot.max_bytes) == (5, 1005)
    assert (slot.current_leader_epoch, slot.last_fetched_epoch) == (3, 2)
    assert slot.resolved is None


# -- the life of a session -------------------------------------------------------------------------


def test_a_session_remembers_its_partitions() -> None:
    sessions = new_sessions()
    first = begin(sessions, request(partitions=some(3)))
    assert first.session_id > 0
    assert not first.is_incremental
    assert answer(first) == [0, 1, 2]
    for epoch in range(1, 4):
        context = begin(sessions, request(first.session_id, epoch))
        assert context.session_id == first.session_id
        assert context.is_incremental
        assert context.partitions is first.partitions
        assert answer(context) == []


def test_a_request_of_a_session_changes_adds_and_forgets() -> None:
    sessions = new_sessions()
    session_id = begin(sessions, request(partitions=[("a", 0, 1), ("a", 1, 1)])).session_id
    context = begin(
        sessions, request(session_id, 1, [("a", 0, 9), ("b", 5, 2)], forget=[("a", 1), ("x", 9)])
    )
    assert names(context) == [("a", 0), ("b", 5)]
    assert [slot.fetch_offset for slot in context.partitions] == [9, 2]
    assert [slot.max_bytes for slot in context.partitions] == [1009, 1002]
    assert sessions.partitions_count == 2


def test_a_parked_fetch_keeps_its_list() -> None:
    sessions = new_sessions()
    parked = begin(sessions, request(partitions=some(2)))
    begin(sessions, request(parked.session_id, 1, forget=[("t", 0)]))
    assert names(parked) == [("t", 0), ("t", 1)]


def test_what_the_handler_looked_up_stays() -> None:
    sessions = new_sessions()
    context = begin(sessions, request(partitions=some(1)))
    found = context.partitions[0].resolved = object()
    context = begin(sessions, request(context.session_id, 1, [("t", 0, 99)]))
    assert context.partitions[0].resolved is found


def test_a_session_that_forgets_everything_ends() -> None:
    sessions = new_sessions()
    session_id = begin(sessions, request(partitions=some(1))).session_id
    context = begin(sessions, request(session_id, 1, forget=[("t", 0)]))
    assert (context.session_id, list(context.partitions)) == (0, [])
    assert (len(sessions), sessions.partitions_count) == (0, 0)
    assert refusal(sessions, request(session_id, 2)) is NOT_FOUND


def test_no_session_for_no_partitions() -> None:
    sessions = new_sessions()
    assert begin(sessions, request()).session_id == 0
    assert len(sessions) == 0


def test_a_partition_named_twice_is_one() -> None:
    context = begin(new_sessions(), request(partitions=[("a", 0, 1), ("a", 0, 2)]))
    assert [slot.fetch_offset for slot in context.partitions] == [2]


# -- epochs and ids --------------------------------------------------------------------------------


def test_epochs_count_up() -> None:
    sessions = new_sessions()
    session_id = begin(sessions, request(partitions=some(1))).session_id
    assert refusal(sessions, request(session_id, 2)) is WRONG_EPOCH
    begin(sessions, request(session_id, 1))
    for epoch in (1, 3, -2, 2**31 - 1):
        assert refusal(sessions, request(session_id, epoch)) is WRONG_EPOCH
    begin(sessions, request(session_id, 2))


def test_epochs_wrap_to_one() -> None:
    sessions = new_sessions()
    session_id = begin(sessions, request(partitions=some(1))).session_id
    sessions._sessions[session_id].epoch = 2**31 - 1
    begin(sessions, request(session_id, 2**31 - 1))
    begin(sessions, request(session_id, 1))


@pytest.mark.parametrize("session_id", [0, 1, -1, 2**31 - 1])
def test_unknown_sessions(session_id: int) -> None:
    assert refusal(new_sessions(), request(session_id, 1)) is NOT_FOUND


@pytest.mark.parametrize("epoch", [0, -1])
def test_a_full_request_closes_the_session_it_names(epoch: int) -> None:
    sessions = new_sessions()
    session_id = begin(sessions, request(partitions=some(4))).session_id
    context = begin(sessions, request(session_id, epoch, some(1)))
    assert names(context) == [("t", 0)]
    assert context.session_id != session_id
    assert sessions.partitions_count == (1 if epoch == 0 else 0)
    assert refusal(sessions, request(session_id, 1)) is NOT_FOUND


@pytest.mark.parametrize(("first", "then"), [(BY_NAME, BY_ID), (BY_ID, BY_NAME)])
def test_a_session_goes_by_names_or_by_ids(first: int, then: int) -> None:
    sessions = new_sessions()
    asked = request(partitions=some(1), version=first)
    session_id = begin(sessions, asked, first).session_id
    refused = refusal(sessions, request(session_id, 1, version=then), then)
    assert refused is ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    assert begin(sessions, request(session_id, 1), first).is_incremental


def test_two_topics_that_differ_only_by_id() -> None:
    sessions = new_sessions()
    asked = request(partitions=[("a", 0, 1), ("b", 0, 2)], version=BY_ID)
    context = begin(sessions, asked, BY_ID)
    assert len(context.partitions) == 2
    forget = request(context.session_id, 1, forget=[("a", 0)], version=BY_ID)
    (left,) = begin(sessions, forget, BY_ID).partitions
    assert left.topic_id == topic_id("b")


# -- what an answer contains -----------------------------------------------------------------------


def session_with(count: int) -> tuple[FetchSessions, int]:
    sessions = new_sessions()
    context = begin(sessions, request(partitions=some(count)))
    assert answer(context) == list(range(count))
    return sessions, context.session_id


def test_an_answer_names_what_changed() -> None:
    sessions, session_id = session_with(2)
    assert answer(begin(sessions, request(session_id, 1)), high_watermark=11) == [0, 1]
    assert answer(begin(sessions, request(session_id, 2)), high_watermark=11) == []
    moved = answer(begin(sessions, request(session_id, 3)), high_watermark=11, log_start_offset=4)
    assert moved == [0, 1]


def test_records_are_always_named() -> None:
    sessions, session_id = session_with(3)
    for epoch in (1, 2):
        assert answer(begin(sessions, request(session_id, epoch)), records_in=[1]) == [1]


def test_an_error_is_repeated_until_it_clears() -> None:
    sessions, session_id = session_with(1)
    for epoch in (1, 2):
        context = begin(sessions, request(session_id, epoch))
        assert answer(context, error=3, high_watermark=-1, log_start_offset=-1) == [0]
    assert answer(begin(sessions, request(session_id, 3))) == [0]
    assert answer(begin(sessions, request(session_id, 4))) == []


def test_an_error_that_changes_no_offset_clears_too() -> None:
    sessions, session_id = session_with(1)
    assert answer(begin(sessions, request(session_id, 1)), error=74) == [0]
    assert answer(begin(sessions, request(session_id, 2))) == [0]
    assert answer(begin(sessions, request(session_id, 3))) == []


def test_a_new_partition_is_named_at_once() -> None:
    sessions, session_id = session_with(1)
    assert answer(begin(sessions, request(session_id, 1, [("t", 7, 0)]))) == [7]


# -- rotation --------------------------------------------------------------------------------------


def test_what_was_served_is_served_last_the_next_time() -> None:
    sessions, session_id = session_with(4)
    orders = []
    for epoch in range(1, 6):
        context = begin(sessions, request(session_id, epoch))
        orders.append([slot.partition for slot in context.partitions])
        answer(context, records_in=orders[-1][:1])
    assert orders == [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2], [0, 1, 2, 3]]


def test_a_served_partition_that_was_forgotten_stays_forgotten() -> None:
    sessions, session_id = session_with(2)
    answer(begin(sessions, request(session_id, 1)), records_in=[0])
    context = begin(sessions, request(session_id, 2, forget=[("t", 0)]))
    assert names(context) == [("t", 1)]


# -- room ------------------------------------------------------------------------------------------


def test_no_slot_no_session() -> None:
    sessions = new_sessions(slots=2)
    for _ in range(2):
        assert begin(sessions, request(partitions=some(5))).session_id
    for count in (1, 5):
        context = begin(sessions, request(partitions=some(count)))
        assert context.session_id == 0
        assert answer(context) == list(range(count))
    assert begin(FetchSessions(Randomness(1), slots=0), request(partitions=some(9))).session_id == 0


def test_a_larger_session_takes_the_place_of_the_smallest() -> None:
    sessions = new_sessions(slots=3)
    small, smaller, large = (
        begin(sessions, request(partitions=some(count))).session_id for count in (5, 4, 9)
    )
    newcomer = begin(sessions, request(partitions=some(6))).session_id
    assert newcomer
    assert sessions.evictions == 1
    assert refusal(sessions, request(smaller, 1)) is NOT_FOUND
    for session_id in (small, large, newcomer):
        begin(sessions, request(session_id, 1))
    assert sessions.partitions_count == 20


def test_a_session_that_shrank_is_found_to_be_the_smallest() -> None:
    sessions = new_sessions(slots=1)
    session_id = begin(sessions, request(partitions=some(5))).session_id
    assert begin(sessions, request(partitions=some(5))).session_id == 0
    begin(sessions, request(session_id, 1, forget=[("t", n) for n in range(4)]))
    assert begin(sessions, request(partitions=some(2))).session_id


def test_an_idle_session_makes_room_for_any() -> None:
    sessions = new_sessions(slots=2)
    old = begin(sessions, request(partitions=some(9))).session_id
    used = begin(sessions, request(partitions=some(9))).session_id
    later_ms = NOW_MS + 100_000
    begin(sessions, request(used, 1), now_ms=later_ms)
    asked = request(partitions=some(1))
    assert begin(sessions, asked, now_ms=NOW_MS + 120_000).session_id == 0
    assert begin(sessions, asked, now_ms=NOW_MS + 120_001).session_id
    assert refusal(sessions, request(old, 1)) is NOT_FOUND
    begin(sessions, request(used, 2))


def test_partitions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_sessions, "SESSION_PARTITIONS_LIMIT", 4)
    monkeypatch.setattr(fetch_sessions, "TOTAL_PARTITIONS_LIMIT", 6)
    sessions = new_sessions()
    assert begin(sessions, request(partitions=some(5))).session_id == 0
    session_id = begin(sessions, request(partitions=some(4))).session_id
    assert begin(sessions, request(partitions=some(3))).session_id == 0
    assert begin(sessions, request(partitions=some(2))).session_id
    assert refusal(sessions, request(session_id, 1, [("u", 0, 0)])) is NOT_FOUND
    assert (len(sessions), sessions.partitions_count) == (1, 2)


# -- a client and a broker that must agree ---------------------------------------------------------


class ClientAgainstBroker(RuleBasedStateMachine):
    """A client that keeps its picture of every partition only by what the answers name.

    After each answer its picture must be the broker's state: that is what a session is for.
    """

    @initialize(version=st.sampled_from([BY_NAME, BY_ID]))
    def start(self, version: int) -> None:
        self.version = version
        self.sessions = FetchSessions(Randomness(7), slots=1)
        self.session_id = 0
        self.epoch = 0
        self.wanted: dict[int, int] = dict.fromkeys(range(3), 0)
        self.told: dict[int, int] = {}
        """What the session knows of `wanted`."""
        self.truth = {n: [0, 10, 0] for n in range(6)}
        """Error, high watermark, log start offset."""
        self.seen: dict[int, list[int]] = {}

    @rule(partition=st.integers(0, 5), offset=st.integers(0, 9))
    def want(self, partition: int, offset: int) -> None:
        self.wanted[partition] = offset

    @rule(partition=st.integers(0, 5))
    def want_no_more(self, partition: int) -> None:
        if len(self.wanted) > 1:
            self.wanted.pop(partition, None)

    @rule(partition=st.integers(0, 5), column=st.integers(0, 2), value=st.integers(0, 3))
    def change(self, partition: int, column: int, value: int) -> None:
        self.truth[partition][column] = value

    @rule()
    def lose_the_session(self) -> None:
        self.sessions.close(self.session_id)

    @rule(records=st.sets(st.integers(0, 5)), final=st.booleans())
    def fetch(self, records: set[int], final: bool) -> None:
        if final and self.session_id:
            self.epoch = -1
        if self.session_id == 0 or self.epoch == -1:
            news, gone = dict(self.wanted), []
        else:
            news = {p: at for p, at in self.wanted.items() if self.told.get(p) != at}
            gone = [p for p in self.told if p not in self.wanted]
        asked = request(
            self.session_id,
            self.epoch,
            [("t", p, at) for p, at in news.items()],
            [("t", p) for p in gone],
            version=self.version,
        )
        if self.session_id and self.epoch > 0 and not len(self.sessions):
            assert refusal(self.sessions, asked, self.version) is NOT_FOUND
            self.session_id = self.epoch = 0
            return
        self.take(begin(self.sessions, asked, self.version), records)

    def take(self, context: FetchContext, records: set[int]) -> None:
        asked_for = {slot.partition: slot.fetch_offset for slot in context.partitions}
        assert asked_for == self.wanted
        if not context.is_incremental:
            self.seen.clear()
        for slot in context.partitions:
            truth = self.truth[slot.partition]
            has_records = slot.partition in records and not truth[0]
            if context.should_include(slot, *truth, has_records=has_records):
                self.seen[slot.partition] = list(truth)
            else:
                assert not has_records
                assert not truth[0]
        assert {p: self.seen[p] for p in self.wanted} == {p: self.truth[p] for p in self.wanted}
        if self.epoch == -1:
            assert context.session_id == 0
        self.session_id = context.session_id
        self.epoch = self.epoch + 1 if context.session_id else 0
        self.told = dict(self.wanted) if context.session_id else {}

    @invariant()
    def counted(self) -> None:
        sizes = [len(session.by_key) for session in self.sessions._sessions.values()]
        assert sum(sizes) == self.sessions.partitions_count
        assert len(sizes) <= 1


ClientAgainstBroker.TestCase.settings = settings(max_examples=50, stateful_step_count=30)
TestClientAgainstBroker = ClientAgainstBroker.TestCase
