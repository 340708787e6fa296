"""What clients were told, and what a broker has to show for it after a crash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from godel.records.batch import iterate_headers, iterate_records


class Policy(Enum):
    """What a topic's settings promise."""

    DURABLE = "durable"
    CACHED = "cached"
    COMPACTED = "compacted"


class SentRecord(NamedTuple):
    key: bytes | None
    value: bytes


class SentBatch(NamedTuple):
    """A batch that was sent. -1 as producer: not idempotent."""

    data: bytes
    producer_id: int
    base_offset: int
    end_offset: int


@dataclass
class PartitionPromises:
    """`records` by offset are what was sent; everything below `kept_end` is acknowledged."""

    policy: Policy
    records: list[SentRecord] = field(default_factory=list)
    batches: list[SentBatch] = field(default_factory=list)
    kept_end: int = 0
    """Acknowledged, or seen by a consumer."""
    kept_start: int = 0
    """Deleted below, and that was answered."""
    deleted_end: int = 0
    """Below it somebody has begun to delete."""
    epoch: int = 0

    def __str__(self) -> str:
        return (
            f"{self.policy.value}: sent up to {self.end}, kept {self.kept_start} to "
            f"{self.kept_end}, deleted up to {self.deleted_end} at most"
        )

    @property
    def end(self) -> int:
        return len(self.records)

    def send(self, records: list[SentRecord], data: bytes, producer_id: int) -> None:
        """Note a batch before the broker gets it."""
        self.batches.append(SentBatch(data, producer_id, self.end, self.end + len(records)))
        self.records += records

    def keep(self, end_offset: int) -> None:
        self.kept_end = max(self.kept_end, end_offset)

    def copy(self) -> PartitionPromises:
        return replace(self, records=self.records[:], batches=self.batches[:])

    def settle(self, stored: Stored) -> None:
        """Take over what is there after a restart: consumers see it from now on."""
        del self.records[stored.end :]
        self.batches = [one for one in self.batches if one.end_offset <= self.end]
        self.epoch = stored.leader_epoch
        self.deleted_end = max(self.deleted_end, stored.start)
        if self.policy is not Policy.CACHED:
            self.keep(self.end)


@dataclass
class TopicPromises:
    """`id` None: the creation is not answered yet."""

    partitions: list[PartitionPromises]
    id: bytes | None = None
    is_deleting: bool = False


@dataclass
class Promises:
    """All of it, at one moment."""

    topics: dict[str, TopicPromises] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    """Ids of topics whose deletion was answered."""
    producer_ids: set[int] = field(default_factory=set)
    commits: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """Of a group: the offset that was acknowledged last, and those asked for since; -1: none."""

    def copy(self) -> Promises:
        return Promises(
            {
                name: replace(topic, partitions=[one.copy() for one in topic.partitions])
                for name, topic in self.topics.items()
            },
            set(self.gone),
            set(self.producer_ids),
            {key: offsets[:] for key, offsets in self.commits.items()},
        )

    def partition(self, topic: str, index: int) -> PartitionPromises:
        return self.topics[topic].partitions[index]


class StoredBatch(NamedTuple):
    base_offset: int
    end_offset: int
    epoch: int


class Stored(NamedTuple):
    """What a consumer reads from a partition's start to its end."""

    start: int
    end: int
    records: list[tuple[int, SentRecord]]
    batches: list[StoredBatch]
    leader_epoch: int = -1


def stored_in(pieces: Iterable[memoryview], start: int, end: int) -> Stored:
    """Whole batches, from the one with the log start on, become records."""
    records, batches = [], []
    offset = start
    for data in pieces:
        for header in iterate_headers(data):
            batch, data = data[: header.size_bytes], data[header.size_bytes :]
            assert header.next_offset > offset, f"offset {header.base_offset} comes again"
            records += [
                (one.offset, SentRecord(one.key, one.value or b""))
                for one in iterate_records(batch)
                if one.offset >= offset
            ]
            batches.append(
                StoredBatch(header.base_offset, header.next_offset, header.partition_leader_epoch)
            )
            offset = header.next_offset
    return Stored(start, end, records, batches)


def check_partition(promised: PartitionPromises, stored: Stored) -> None:
    """Compare what is there with what was promised."""
    said = f"{stored.start} to {stored.end} of {promised}"
    kept_end = max(promised.kept_end, promised.kept_start)
    assert promised.kept_start <= stored.start <= promised.deleted_end, f"log start, {said}"
    assert kept_end <= stored.end, f"acknowledged and lost, {said}"
    assert stored.end <= max(promised.end, stored.start), f"nobody's records, {said}"
    offsets = [offset for offset, _ in stored.records]
    assert offsets == sorted(set(offsets)), f"order, {said}"
    for offset, record in stored.records:
        assert record == promised.records[offset], f"other bytes at {offset}, {said}"
    if promised.policy is Policy.COMPACTED:
        check_compacted(promised, stored, said)
    else:
        needed = range(max(stored.start, promised.deleted_end), stored.end)
        missing = set(needed) - set(offsets)
        assert not missing, f"hole at {sorted(missing)}, {said}"
    check_epochs(promised, stored)


def check_compacted(promised: PartitionPromises, stored: Stored, said: str) -> None:
    """Whatever was acknowledged is there, or a later record of its key is."""
    last = {record.key: offset for offset, record in stored.records}
    for offset, record in enumerate(promised.records[: promised.kept_end]):
        is_there = last.get(record.key, -1) >= offset
        assert is_there, f"{record.key!r} of {offset} is lost, {said}"


def check_epochs(promised: PartitionPromises, stored: Stored) -> None:
    """Leader epochs never go down, and where records were lost they have gone up."""
    least = promised.epoch + (stored.end < promised.end)
    assert stored.leader_epoch >= least, f"leader epoch {stored.leader_epoch}, not {least}"
    epochs = [batch.epoch for batch in stored.batches]
    assert epochs == sorted(epochs), f"epochs of batches go down: {epochs}"
