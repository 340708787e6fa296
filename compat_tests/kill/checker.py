"""What is wrong with a history: a pure function from journals and log to findings.

The kinds of findings are those of Jepsen's Kafka workload where it has them: lost-write, duplicate,
inconsistent-offsets, nonmonotonic-send, aborted-read, poll-skip and nonmonotonic-poll (with `int-`
inside one poll), unseen. Ours beside them: phantom (nobody's record), log-gap, nonmonotonic-commit
(committed offsets go back), unanswered and gave-up (what clients must not do, wherever the fault).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from compat_tests.kill.history import Assigned, History, Outcome, Send
from compat_tests.kill.values import Sent


class Finding(NamedTuple):
    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def check(history: History) -> list[Finding]:
    """Every anomaly of a history, none for a clean one."""
    view = _View(history)
    return [finding for search in SEARCHES for finding in search(view)]


class _View:
    """A history with what most searches look up."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.sends: dict[Sent, Send] = {send.sent: send for send in history.sends}
        self.at: dict[tuple[int, int], Sent | None] = {}
        self.copies: Counter[tuple[int, Sent]] = Counter()
        for partition, records in history.log.items():
            for record in records:
                self.at[partition, record.offset] = record.sent
                if record.sent is not None:
                    self.copies[partition, record.sent] += 1

    def is_kept(self, sent: Sent) -> bool:
        return (sent.partition, sent) in self.copies

    def end(self, partition: int) -> int:
        records = self.history.log.get(partition)
        return records[-1].offset + 1 if records else 0


def phantoms(view: _View) -> Iterator[Finding]:
    """Records that nobody sent, or sent elsewhere, or whose sending is known to have failed."""
    for partition, records in view.history.log.items():
        for offset, sent, excerpt in records:
            at = f"partition {partition} offset {offset}"
            if sent is None:
                yield Finding("phantom", f"{at} holds what nobody sends: {excerpt}")
            elif sent.partition != partition or sent not in view.sends:
                yield Finding("phantom", f"{at} holds {sent}, which was not sent there")
            elif view.sends[sent].outcome is Outcome.FAIL:
                yield Finding("aborted-read", f"{at} holds {sent}, which was refused")
    for poll in view.history.polls():
        for offset, sent in poll.records:
            if sent is None or sent not in view.sends or sent.partition != poll.partition:
                where = f"partition {poll.partition} offset {offset}"
                yield Finding("phantom", f"{poll.member} read {sent} from {where}")


def gaps(view: _View) -> Iterator[Finding]:
    """Offsets without a record; nothing here is compacted, deleted or transactional."""
    for partition, records in view.history.log.items():
        expected = 0
        for record in records:
            if record.offset != expected:
                gap = f"offset {record.offset} where {expected} is expected"
                yield Finding("log-gap", f"partition {partition}: {gap}")
            expected = record.offset + 1


def lost_writes(view: _View) -> Iterator[Finding]:
    """Acknowledged, or delivered to a consumer, and not in the log."""
    for send in view.history.sends:
        if send.outcome is Outcome.OK and not view.is_kept(send.sent):
            yield Finding("lost-write", f"{send.sent}, acknowledged at offset {send.offset}")
    told = set()
    for poll in view.history.polls():
        for offset, sent in poll.records:
            if sent in view.sends and not view.is_kept(sent) and sent not in told:
                told.add(sent)
                yield Finding("lost-write", f"{sent}, read by {poll.member} at offset {offset}")


def inconsistent_offsets(view: _View) -> Iterator[Finding]:
    """A record is in the log, but not at the offset that was told for it."""
    for send in view.history.sends:
        if send.outcome is Outcome.OK and send.offset is not None and view.is_kept(send.sent):
            kept = view.at.get((send.sent.partition, send.offset))
            if kept != send.sent:
                told = f"{send.sent} acknowledged at offset {send.offset}"
                yield Finding("inconsistent-offsets", f"{told}, which holds {kept}")
    for poll in view.history.polls():
        for offset, sent in poll.records:
            if sent is not None and view.is_kept(sent):
                kept = view.at.get((poll.partition, offset))
                if kept != sent:
                    told = f"{poll.member} read {sent} at offset {offset} of {poll.partition}"
                    yield Finding("inconsistent-offsets", f"{told}, which holds {kept}")


def duplicates(view: _View) -> Iterator[Finding]:
    """More copies than the client may have made.

    An idempotent producer and one that tries once make one. One that retries sends again what was
    not acknowledged, which takes a broker that died meanwhile: one more for each such death.
    """
    for (partition, sent), copies in view.copies.items():
        if copies == 1 or sent not in view.sends:
            continue
        producer = view.history.producers[sent.producer]
        may_repeat = producer.retries and not producer.idempotent
        send = view.sends[sent]
        allowed = 1 + may_repeat * sum(map(send.was_under_way, view.history.kills))
        if copies > allowed:
            what = f"{sent} is {copies} times in partition {partition}, {allowed} may be"
            yield Finding("duplicate", what)


def nonmonotonic_sends(view: _View) -> Iterator[Finding]:
    """A producer's records in another order than sent. Who retries without idempotence may."""
    for partition, records in view.history.log.items():
        last: dict[str, int] = {}
        for offset, sent, _ in records:
            producer = view.history.producers.get(sent.producer) if sent else None
            if sent is None or producer is None or (producer.retries and not producer.idempotent):
                continue
            before = last.get(producer.name, -1)
            if sent.number < before:
                where = f"partition {partition} offset {offset}"
                yield Finding("nonmonotonic-send", f"{where}: {sent} behind number {before}")
            last[producer.name] = max(before, sent.number)


def poll_orders(view: _View) -> Iterator[Finding]:
    """What one member reads of one partition while it has it: each offset, once, in order."""
    positions: dict[tuple[str, str, int], int] = {}
    for event in view.history.events:
        if isinstance(event, Assigned):
            for partition in event.partitions:
                positions.pop((event.group, event.member, partition), None)
            continue
        who = f"{event.member} in partition {event.partition}"
        for (left, _), (right, _) in pairwise(event.records):
            yield from _step("int-", who, left + 1, right)
        key = (event.group, event.member, event.partition)
        if key in positions:
            yield from _step("", who, positions[key], event.records[0][0])
        positions[key] = event.records[-1][0] + 1


def _step(prefix: str, who: str, expected: int, got: int) -> Iterator[Finding]:
    if got > expected:
        yield Finding(f"{prefix}poll-skip", f"{who} went from {expected} to {got}")
    elif got < expected:
        yield Finding(f"{prefix}nonmonotonic-poll", f"{who} went back from {expected} to {got}")


def group_skips(view: _View) -> Iterator[Finding]:
    """Below the group's committed offset, delivered to no member."""
    for group in view.history.groups():
        delivered = _delivered(view.history, group)
        for partition, committed in _highest_committed(view.history, group).items():
            missing = set(range(min(committed, view.end(partition)))) - delivered[partition]
            if missing:
                what = f"{group} committed {committed} in partition {partition}"
                never = f"{len(missing)} records from {min(missing)} were delivered to nobody"
                yield Finding("poll-skip", f"{what}, {never}")


def _delivered(history: History, group: str) -> Mapping[int, set[int]]:
    delivered: dict[int, set[int]] = defaultdict(set)
    for poll in history.polls():
        if poll.group == group:
            delivered[poll.partition].update(offset for offset, _ in poll.records)
    return delivered


def _highest_committed(history: History, group: str) -> Mapping[int, int]:
    highest: dict[int, int] = {}
    said: list[Mapping[int, int | None]] = [
        each.offsets
        for each in history.commits
        if each.group == group and each.outcome is Outcome.OK
    ]
    said.extend(each.offsets for each in history.observations if each.group == group)
    for offsets in said:
        for partition, offset in offsets.items():
            if offset is not None:
                highest[partition] = max(offset, highest.get(partition, 0))
    return highest


class _Known(NamedTuple):
    """From `since` on a partition's committed offset is never below `offset`."""

    since: float
    offset: int
    why: str


def nonmonotonic_commits(view: _View) -> Iterator[Finding]:
    """What the group had committed is not what it gets: asked for, or given to a new owner."""
    for group in view.history.groups():
        known = _known_offsets(view.history, group)
        for seen in _seen_offsets(view.history, group):
            least = _least(known.get(seen.partition, []), seen.since)
            if least is not None and seen.offset < least.offset:
                what = f"{group} partition {seen.partition}: {seen.how} {seen.offset}"
                yield Finding("nonmonotonic-commit", f"{what} after {least.why} {least.offset}")


def _known_offsets(history: History, group: str) -> Mapping[int, list[_Known]]:
    """By partition in the order of time, each with the highest offset until then."""
    told: dict[int, list[_Known]] = defaultdict(list)
    for commit in history.commits:
        if commit.group == group and commit.outcome is Outcome.OK and commit.ended_at is not None:
            for partition, offset in commit.offsets.items():
                why = f"{commit.member} committed"
                told[partition].append(_Known(commit.ended_at, offset, why))
    for observation in history.observations:
        if observation.group == group:
            for partition, seen in observation.offsets.items():
                if seen is not None:
                    told[partition].append(_Known(observation.at, seen, "somebody was told"))
    for known in told.values():
        known.sort()
        for number, (before, each) in enumerate(pairwise(known), 1):
            if known[number - 1].offset > each.offset:
                known[number] = before._replace(
                    since=each.since, offset=known[number - 1].offset, why=known[number - 1].why
                )
    return told


def _least(known: list[_Known], at: float) -> _Known | None:
    """The last that was known strictly before."""
    number = bisect_left(known, at, key=lambda each: each.since)
    return known[number - 1] if number else None


class _Seen(NamedTuple):
    partition: int
    since: float
    offset: int
    how: str


def _seen_offsets(history: History, group: str) -> Iterator[_Seen]:
    for observation in history.observations:
        if observation.group == group:
            for partition, offset in observation.offsets.items():
                yield _Seen(partition, observation.invoked_at, offset or 0, "is told")
    assigned: dict[tuple[str, int], float] = {}
    for event in history.events:
        if event.group != group:
            continue
        if isinstance(event, Assigned):
            assigned.update({(event.member, each): event.at for each in event.partitions})
            continue
        since = assigned.pop((event.member, event.partition), None)
        if since is not None:
            how = f"{event.member} begins at"
            yield _Seen(event.partition, since, event.records[0][0], how)


def unseen(view: _View) -> Iterator[Finding]:
    """Records that the group, given time, did not get to: stuck consumers."""
    for group in view.history.groups():
        observations = [each for each in view.history.observations if each.group == group]
        final = max(observations, key=lambda each: each.at).offsets if observations else {}
        delivered = _delivered(view.history, group)
        for partition in view.history.log:
            end, committed = view.end(partition), final.get(partition) or 0
            if committed < end:
                count = len(set(range(end)) - delivered[partition])
                what = f"{group} is stuck at {committed} of {end} in partition {partition}"
                yield Finding("unseen", f"{what}, {count} records were delivered to nobody")


def client_troubles(view: _View) -> Iterator[Finding]:
    """Sends that the client forgot, and processes that could not go on."""
    counts = Counter(send.sent.producer for send in view.history.sends if send.ended_at is None)
    for producer, count in counts.items():
        yield Finding("unanswered", f"{producer} was never told what became of {count} records")
    for trouble in view.history.troubles:
        yield Finding("gave-up", trouble)


SEARCHES: tuple[Callable[[_View], Iterator[Finding]], ...] = (
    lost_writes,
    duplicates,
    inconsistent_offsets,
    nonmonotonic_sends,
    phantoms,
    gaps,
    poll_orders,
    group_skips,
    nonmonotonic_commits,
    unseen,
    client_troubles,
)
