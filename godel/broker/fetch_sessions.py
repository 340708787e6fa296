"""Incremental fetch sessions (KIP-227; Kafka's `FetchSession`, `FetchManager`).

A session remembers which partitions a consumer fetches, so that a request names only what changed
and an answer only what is new. `begin` turns any Fetch into a `FetchContext`: the partitions to
serve, in order, and the rule for what the answer contains. A fetch without a session costs nothing
but its list; inside a session the list is the session's own and is rebuilt only when it changes.

    session id 0, epoch -1: no session        id 0, epoch 0: give me one
    id n, epoch 0 or -1: close n, then as above   id n, epoch e: the next request of session n

Epochs count 1, 2, ... 2147483647, 1. There are `slots` sessions; when all are taken, one unused for
`idle_ms` makes room, else the smallest one for a larger. Who gets none is answered session id 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from godel.broker.partition import Partition
from godel.clock import Randomness
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.fetch import FetchPartition, FetchRequest
from godel.types import TopicId

SLOTS = 1_000
IDLE_MS = 120_000
SESSION_PARTITIONS_LIMIT = 10_000
TOTAL_PARTITIONS_LIMIT = 200_000
"""Over all sessions: some 60 MB."""

NO_SESSION = 0
FULL_EPOCHS = (0, -1)
FINAL_EPOCH = -1

TOPIC_IDS_SINCE = 13

_LARGEST_EPOCH = 0x7FFFFFFF
_NOT_ANSWERED = -1

_Key: TypeAlias = tuple[str | TopicId, int]


class FetchedPartition:
    """A partition that a client fetches, as it asked last.

    `resolved` belongs to the handler: it keeps there the broker's partition, None while there is
    none, and has to check by itself that it is not closed. `topic` is empty where topics go by id.
    """

    __slots__ = (
        "answered_high_watermark",
        "answered_log_start_offset",
        "current_leader_epoch",
        "fetch_offset",
        "last_fetched_epoch",
        "max_bytes",
        "partition",
        "resolved",
        "topic",
        "topic_id",
    )

    def __init__(self, topic: str, topic_id: TopicId, asked: FetchPartition) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partition = asked.partition
        self.fetch_offset = asked.fetch_offset
        self.max_bytes = asked.partition_max_bytes
        self.current_leader_epoch = asked.current_leader_epoch
        self.last_fetched_epoch = asked.last_fetched_epoch
        self.resolved: Partition | None = None
        self.answered_high_watermark = _NOT_ANSWERED
        self.answered_log_start_offset = _NOT_ANSWERED

    def ask(self, asked: FetchPartition) -> None:
        """Take over what a later request of the session says about this partition."""
        self.fetch_offset = asked.fetch_offset
        self.max_bytes = asked.partition_max_bytes
        self.current_leader_epoch = asked.current_leader_epoch
        self.last_fetched_epoch = asked.last_fetched_epoch


class _Session:
    """One client's session. `partitions` is replaced, never changed, so a parked fetch may keep it.

    `served` are the partitions whose records went out last: the next request serves them last.
    """

    __slots__ = ("by_key", "epoch", "id", "partitions", "served", "used_ms", "uses_topic_ids")

    def __init__(
        self, session_id: int, by_key: dict[_Key, FetchedPartition], *, uses_topic_ids: bool
    ) -> None:
        self.id = session_id
        self.by_key = by_key
        self.partitions: Sequence[FetchedPartition] = list(by_key.values())
        self.served: list[FetchedPartition] = []
        self.epoch = 1
        self.used_ms = 0
        self.uses_topic_ids = uses_topic_ids

    def rotate(self) -> None:
        """Put what was served behind what was not, so that no partition starves."""
        uses_topic_ids, by_key = self.uses_topic_ids, self.by_key
        for served in self.served:
            key = (served.topic_id if uses_topic_ids else served.topic, served.partition)
            if by_key.get(key) is served:
                by_key[key] = by_key.pop(key)
        self.served = []
        self.partitions = list(by_key.values())


class FetchContext:
    """What one Fetch request wants. Lives until it is answered, also while it is parked."""

    __slots__ = ("_session", "is_incremental", "partitions", "session_id")

    def __init__(
        self,
        partitions: Sequence[FetchedPartition],
        session: _Session | None = None,
        *,
        is_incremental: bool = False,
    ) -> None:
        self.partitions = partitions
        """To be served in this order, as far as the request's bytes go."""
        self.session_id = NO_SESSION if session is None else session.id
        """What the answer says; 0 where there is no session."""
        self.is_incremental = is_incremental
        """The answer may leave out what `should_include` denies."""
        self._session = session

    def should_include(
        self,
        slot: FetchedPartition,
        error: int,
        high_watermark: int,
        log_start_offset: int,
        *,
        has_records: bool,
    ) -> bool:
        """Whether the answer has to name this partition; remembers what it says then.

        Ask once for each partition, for the answer that is really sent. `error` is 0 for none; a
        diverging epoch counts as one, for the client has to hear of it each time. A partition with
        an error is named in every answer, and in the first one after it has cleared.
        """
        session = self._session
        if session is None:
            return True
        if has_records:
            session.served.append(slot)
        elif (
            not error
            and high_watermark == slot.answered_high_watermark
            and log_start_offset == slot.answered_log_start_offset
        ):
            return not self.is_incremental
        slot.answered_high_watermark = _NOT_ANSWERED if error else high_watermark
        slot.answered_log_start_offset = log_start_offset
        return True


class FetchSessions:
    """The sessions of one broker. Owned by the `Broker`, used on its event loop only."""

    __slots__ = (
        "_idle_ms",
        "_partitions_count",
        "_randomness",
        "_sessions",
        "_slots",
        "_smallest",
        "evictions",
    )

    def __init__(
        self, randomness: Randomness, *, slots: int = SLOTS, idle_ms: int = IDLE_MS
    ) -> None:
        self._randomness = randomness
        self._slots = slots
        self._idle_ms = idle_ms
        self._sessions: dict[int, _Session] = {}
        """In the order of their last use."""
        self._partitions_count = 0
        self._smallest = 0
        """No session has fewer partitions: saves looking for one when the answer is no."""
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def partitions_count(self) -> int:
        """Partitions remembered over all sessions."""
        return self._partitions_count

    def begin(self, request: FetchRequest, version: int, now_ms: int) -> FetchContext:
        """What a request wants. Raises the ApiErrors that answer a Fetch as a whole.

        These are FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH and
        FETCH_SESSION_TOPIC_ID_ERROR; the client then begins anew.
        """
        session_id, epoch = request.session_id, request.session_epoch
        if epoch in FULL_EPOCHS:
            if session_id != NO_SESSION:
                self.close(session_id)
            if epoch == FINAL_EPOCH:
                return FetchContext(_listed(request))
            return self._open(request, version >= TOPIC_IDS_SINCE, now_ms)
        session = self._sessions.get(session_id)
        if session is None:
            raise ApiError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if epoch != session.epoch:
            raise ApiError(
                ErrorCode.INVALID_FETCH_SESSION_EPOCH,
                f"session {session_id} is at epoch {session.epoch}, the request at {epoch}",
            )
        if session.uses_topic_ids != (version >= TOPIC_IDS_SINCE):
            raise ApiError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        return self._continue(session, request, now_ms)

    def close(self, session_id: int) -> None:
        """Forget a session; unknown ids are no mistake."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._partitions_count -= len(session.by_key)

    # -- a new session -------------------------------------------------------------------------

    def _open(self, request: FetchRequest, uses_topic_ids: bool, now_ms: int) -> FetchContext:
        by_key: dict[_Key, FetchedPartition] = {}
        for topic in request.topics:
            name, topic_id = topic.topic, topic.topic_id
            topic_key = topic_id if uses_topic_ids else name
            for asked in topic.partitions:
                by_key[topic_key, asked.partition] = FetchedPartition(name, topic_id, asked)
        if not by_key or not self._make_room(len(by_key), now_ms):
            return FetchContext(list(by_key.values()))
        session = _Session(self._unused_id(), by_key, uses_topic_ids=uses_topic_ids)
        session.used_ms = now_ms
        self._sessions[session.id] = session
        self._partitions_count += len(by_key)
        self._smallest = min(self._smallest, len(by_key))
        return FetchContext(session.partitions, session)

    def _make_room(self, size: int, now_ms: int) -> bool:
        """Whether a session of `size` partitions has a slot now, perhaps that of another."""
        if size > SESSION_PARTITIONS_LIMIT:
            return False
        freed = 0
        victim = None
        if len(self._sessions) >= self._slots:
            victim = self._evictable(size, now_ms)
            if victim is None:
                return False
            freed = len(victim.by_key)
        if self._partitions_count - freed + size > TOTAL_PARTITIONS_LIMIT:
            return False
        if victim is not None:
            self.close(victim.id)
            self.evictions += 1
        return True

    def _evictable(self, size: int, now_ms: int) -> _Session | None:
        oldest = next(iter(self._sessions.values()), None)
        if oldest is None:
            return None  # no slots at all
        if now_ms - oldest.used_ms > self._idle_ms:
            return oldest
        if size <= self._smallest:
            return None
        smallest = min(self._sessions.values(), key=lambda session: len(session.by_key))
        self._smallest = len(smallest.by_key)
        return smallest if self._smallest < size else None

    def _unused_id(self) -> int:
        while True:
            session_id = 1 + self._randomness.below(0x7FFFFFFF)
            if session_id not in self._sessions:
                return session_id

    # -- the next request of a session ---------------------------------------------------------

    def _continue(self, session: _Session, request: FetchRequest, now_ms: int) -> FetchContext:
        session.epoch = 1 if session.epoch == _LARGEST_EPOCH else session.epoch + 1
        session.used_ms = now_ms
        self._sessions[session.id] = self._sessions.pop(session.id)
        if request.topics or request.forgotten_topics_data:
            self._change(session, request)
            if not session.by_key:
                self.close(session.id)
                return FetchContext(())
        if session.served:
            session.rotate()
        return FetchContext(session.partitions, session, is_incremental=True)

    def _change(self, session: _Session, request: FetchRequest) -> None:
        """Take over what the request adds, changes and forgets."""
        by_key, uses_topic_ids = session.by_key, session.uses_topic_ids
        size_before = len(by_key)
        for topic in request.topics:
            name, topic_id = topic.topic, topic.topic_id
            topic_key = topic_id if uses_topic_ids else name
            for asked in topic.partitions:
                key = (topic_key, asked.partition)
                slot = by_key.get(key)
                if slot is None:
                    by_key[key] = FetchedPartition(name, topic_id, asked)
                else:
                    slot.ask(asked)
        added = len(by_key) - size_before
        forgotten = 0
        for gone in request.forgotten_topics_data:
            topic_key = gone.topic_id if uses_topic_ids else gone.topic
            for partition in gone.partitions:
                if by_key.pop((topic_key, partition), None) is not None:
                    forgotten += 1
        if added or forgotten:
            session.partitions = list(by_key.values())
            self._resized(session, added - forgotten)

    def _resized(self, session: _Session, growth: int) -> None:
        self._partitions_count += growth
        size = len(session.by_key)
        self._smallest = min(self._smallest, size)
        if size > SESSION_PARTITIONS_LIMIT or self._partitions_count > TOTAL_PARTITIONS_LIMIT:
            # The client starts over with all it has and goes on without a session.
            self.close(session.id)
            raise ApiError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)


def _listed(request: FetchRequest) -> list[FetchedPartition]:
    return [
        FetchedPartition(topic.topic, topic.topic_id, asked)
        for topic in request.topics
        for asked in topic.partitions
    ]
