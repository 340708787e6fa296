"""What the members of a consumer group tell each other, and how a leader shares partitions.

    subscription  version int16 | topics | user data bytes | v1: owned partitions
                  | v2: generation int32 | v3: rack string
    assignment    version int16 | topics with partitions | user data bytes

These are Kafka's `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`. We write
subscriptions in version 1, which cooperative groups need, and read every version: what follows the
fields that we know is left alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from godel.client.topics import by_topic
from godel.errors import DecodeError
from godel.types import TopicPartition

SUBSCRIPTION_VERSION = 1
ASSIGNMENT_VERSION = 0

_SHORT, _INT = struct.Struct(">h"), struct.Struct(">i")


class Subscription(NamedTuple):
    """What a member wants, and has so far."""

    topics: tuple[str, ...]
    owned: tuple[TopicPartition, ...] = ()


Assignments = dict[str, list[TopicPartition]]
"""Partitions by the member that gets them."""


def encode_subscription(subscription: Subscription) -> bytes:
    topics = sorted(subscription.topics)
    parts = [_SHORT.pack(SUBSCRIPTION_VERSION), _INT.pack(len(topics))]
    parts += [_text(topic) for topic in topics]
    parts += [_INT.pack(-1), _partitions(subscription.owned)]
    return b"".join(parts)


def decode_subscription(raw: bytes) -> Subscription:
    """Raises `DecodeError`."""
    read = Reading(raw)
    version = read.short()
    topics = tuple(read.text() for _ in range(read.count()))
    read.skip(read.word())
    owned = tuple(read.partitions()) if version >= 1 else ()
    return Subscription(topics, owned)


def encode_assignment(partitions: Iterable[TopicPartition]) -> bytes:
    return _SHORT.pack(ASSIGNMENT_VERSION) + _partitions(partitions) + _INT.pack(-1)


def decode_assignment(raw: bytes) -> list[TopicPartition]:
    """Raises `DecodeError`."""
    read = Reading(raw)
    read.short()
    return list(read.partitions())


def _text(text: str) -> bytes:
    raw = text.encode()
    return _SHORT.pack(len(raw)) + raw


def _partitions(partitions: Iterable[TopicPartition]) -> bytes:
    topics = by_topic(sorted(partitions))
    parts = [_INT.pack(len(topics))]
    for topic, group in topics.items():
        parts += [_text(topic), _INT.pack(len(group))]
        parts += [_INT.pack(each.partition) for each in group]
    return b"".join(parts)


class Reading:
    """A place in bytes of somebody else."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def short(self) -> int:
        return self._number(_SHORT)

    def word(self) -> int:
        return self._number(_INT)

    def count(self) -> int:
        """A number of things, each of at least two bytes."""
        count = self.word()
        if not 0 <= count <= len(self._raw):
            raise DecodeError(f"{count} elements in {len(self._raw)} bytes")
        return count

    def text(self) -> str:
        size = self.short()
        start = self._at
        self.skip(size)
        try:
            return self._raw[start : self._at].decode()
        except UnicodeDecodeError as error:
            raise DecodeError("a name is not UTF-8") from error

    def skip(self, size: int) -> None:
        """Leave out so many bytes; -1 is nothing."""
        if size < -1 or self._at + size > len(self._raw):
            raise DecodeError(f"{size} bytes do not fit")
        self._at += max(size, 0)

    def partitions(self) -> Iterable[TopicPartition]:
        for _ in range(self.count()):
            topic = self.text()
            for _ in range(self.count()):
                yield TopicPartition(topic, self.word())

    def _number(self, form: struct.Struct) -> int:
        try:
            (number,) = form.unpack_from(self._raw, self._at)
        except struct.error as error:
            raise DecodeError("the bytes end too early") from error
        self._at += form.size
        return int(number)


# -- assignors ------------------------------------------------------------------------------------


def assign_range(members: Mapping[str, Subscription], counts: Mapping[str, int]) -> Assignments:
    """Kafka's RangeAssignor: each topic by itself, in runs of neighbours."""
    assigned: Assignments = {member: [] for member in members}
    for topic in sorted({topic for each in members.values() for topic in each.topics}):
        takers = sorted(member for member, each in members.items() if topic in each.topics)
        share, more = divmod(counts.get(topic, 0), len(takers))
        begin = 0
        for at, member in enumerate(takers):
            end = begin + share + (at < more)
            assigned[member] += [TopicPartition(topic, index) for index in range(begin, end)]
            begin = end
    return assigned


def assign_round_robin(
    members: Mapping[str, Subscription], counts: Mapping[str, int]
) -> Assignments:
    """Kafka's RoundRobinAssignor: all partitions in turn, passing over who does not want them."""
    assigned: Assignments = {member: [] for member in members}
    order = sorted(members)
    turn = 0
    for topic in sorted({topic for each in members.values() for topic in each.topics}):
        for index in range(counts.get(topic, 0)):
            while topic not in members[order[turn % len(order)]].topics:
                turn += 1
            assigned[order[turn % len(order)]].append(TopicPartition(topic, index))
            turn += 1
    return assigned


def assign_cooperative(
    members: Mapping[str, Subscription], counts: Mapping[str, int]
) -> Assignments:
    """An even share that leaves partitions where they are, given up before they are taken.

    As in Kafka's cooperative protocol (KIP-429) a partition that moves is assigned to nobody in
    this round; its owner gives it up, joins again, and the next round assigns it.
    """
    owners = {partition: member for member, each in members.items() for partition in each.owned}
    target = _sticky(members, counts, owners)
    return {
        member: [each for each in partitions if owners.get(each, member) == member]
        for member, partitions in target.items()
    }


def _sticky(
    members: Mapping[str, Subscription],
    counts: Mapping[str, int],
    owners: Mapping[TopicPartition, str],
) -> Assignments:
    """Who should have what in the end: no member two more than another that could take one."""
    assigned: Assignments = {member: [] for member in members}
    topics = sorted({topic for each in members.values() for topic in each.topics})
    everything = [TopicPartition(topic, i) for topic in topics for i in range(counts.get(topic, 0))]
    largest_share = -(-len(everything) // len(members))
    left = []
    for partition in everything:
        owner = owners.get(partition)
        keeps = (
            owner is not None
            and partition.topic in members[owner].topics
            and len(assigned[owner]) < largest_share
        )
        if owner is not None and keeps:
            assigned[owner].append(partition)
        else:
            left.append(partition)
    for partition in left:
        takers = [member for member, each in members.items() if partition.topic in each.topics]
        assigned[min(takers, key=lambda taker: (len(assigned[taker]), taker))].append(partition)
    _even_out(assigned, members)
    return assigned


def _even_out(assigned: Assignments, members: Mapping[str, Subscription]) -> None:
    """Move single partitions from the richest to the poorest that wants them, while that helps."""
    while True:
        move = _helpful_move(assigned, members, sorted(assigned, key=lambda m: len(assigned[m])))
        if move is None:
            return
        rich, poor, partition = move
        assigned[rich].remove(partition)
        assigned[poor].append(partition)


def _helpful_move(
    assigned: Assignments, members: Mapping[str, Subscription], by_wealth: Sequence[str]
) -> tuple[str, str, TopicPartition] | None:
    for poor in by_wealth:
        for rich in reversed(by_wealth):
            if len(assigned[rich]) - len(assigned[poor]) < 2:
                break
            for partition in reversed(assigned[rich]):
                if partition.topic in members[poor].topics:
                    return rich, poor, partition
    return None
