"""Transactions for tests: batches as a coordinator will have them written, and what readers see.

`committed` is what a consumer does with an answer at isolation level READ_COMMITTED. `History` is
the model: a list of everything ever written to one partition, from which it is plain to tell what
is open, what is stable, and who sees what.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from godel.records.batch import (
    BatchHeader,
    Record,
    iterate_headers,
    iterate_records,
    read_end_marker,
)
from godel.records.builder import NewRecord, build_batch
from godel.types import Buffer

NOW_MS = 1_700_000_000_000


def transactional(
    *values: str, producer_id: int, epoch: int = 0, sequence: int = -1, key: str | None = None
) -> bytes:
    """A batch inside a transaction."""
    records = [NewRecord(None if key is None else key.encode(), one.encode()) for one in values]
    return build_batch(
        records,
        timestamp_ms=NOW_MS,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        is_transactional=True,
    )


def committed(
    buffers: Iterable[Buffer], aborted: Iterable[tuple[int, int]], *, start: int = 0
) -> list[Record]:
    """The records from `start` on that are not part of an aborted transaction (KIP-98).

    `aborted`: producer ids and first offsets.
    """
    waiting = sorted(aborted, key=lambda one: one[1])
    inside: set[int] = set()
    records: list[Record] = []
    for header, batch in _batches(buffers):
        while waiting and waiting[0][1] <= header.last_offset:
            inside.add(waiting.pop(0)[0])
        if header.is_control:
            marker = read_end_marker(batch)
            if marker is not None and not marker.is_commit:
                inside.discard(header.producer_id)
        elif not (header.is_transactional and header.producer_id in inside):
            records += [one for one in iterate_records(batch) if one.offset >= start]
    return records


def uncommitted(buffers: Iterable[Buffer], *, start: int = 0) -> list[Record]:
    """All records from `start` on, whatever became of their transaction."""
    return [
        record
        for header, batch in _batches(buffers)
        if not header.is_control
        for record in iterate_records(batch)
        if record.offset >= start
    ]


def _batches(buffers: Iterable[Buffer]) -> Iterable[tuple[BatchHeader, memoryview]]:
    for buffer in buffers:
        view, at = memoryview(buffer), 0
        for header in iterate_headers(view):
            yield header, view[at : at + header.size_bytes]
            at += header.size_bytes


class Event(NamedTuple):
    """A record or a marker; producer -1: written outside of any transaction."""

    offset: int
    producer_id: int
    key: str
    value: str
    is_commit: bool | None = None
    """None: a record."""


class Transaction(NamedTuple):
    producer_id: int
    first_offset: int
    last_offset: int | None
    is_commit: bool | None


class History:
    """Everything that was written, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.end_offset = 0

    def write(self, producer_id: int, *pairs: tuple[str, str]) -> None:
        for key, value in pairs:
            self._add(Event(self.end_offset, producer_id, key, value))

    def end(self, producer_id: int, *, is_commit: bool) -> None:
        self._add(Event(self.end_offset, producer_id, "", "", is_commit))

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self.end_offset += 1

    def forget_from(self, offset: int) -> None:
        """A power cut has taken what was not synced."""
        self.events = [one for one in self.events if one.offset < offset]

    def transactions(self) -> list[Transaction]:
        """In the order in which they began."""
        found: dict[int, Transaction] = {}
        begun: dict[int, int] = {}
        for one in self.events:
            if one.producer_id < 0:
                continue
            if one.is_commit is None:
                first = begun.setdefault(one.producer_id, one.offset)
                found[first] = Transaction(one.producer_id, first, None, None)
            elif one.producer_id in begun:
                first = begun.pop(one.producer_id)
                found[first] = Transaction(one.producer_id, first, one.offset, one.is_commit)
        return list(found.values())

    def open_producers(self) -> set[int]:
        return {one.producer_id for one in self.transactions() if one.last_offset is None}

    def last_stable_offset(self, high_watermark: int, *, start: int = 0) -> int:
        """`start`: records before it hold nothing back."""
        unstable = [
            offset
            for one in self.transactions()
            if one.last_offset is None or one.last_offset >= high_watermark
            for offset in self.offsets(one)
            if offset >= start
        ]
        return min([*unstable, high_watermark])

    def offsets(self, transaction: Transaction) -> list[int]:
        """Of its records."""
        return [
            one.offset
            for one in self.events
            if one.producer_id == transaction.producer_id
            and one.is_commit is None
            and transaction.first_offset <= one.offset
            and (transaction.last_offset is None or one.offset < transaction.last_offset)
        ]

    def aborted(self) -> list[Transaction]:
        """In the order of their markers."""
        aborted = [one for one in self.transactions() if one.is_commit is False]
        return sorted(aborted, key=lambda one: one.last_offset or 0)

    def records(self, start: int, end: int, *, committed_only: bool) -> list[Event]:
        """What a reader sees of `[start, end)`."""
        hidden = self.aborted() if committed_only else []
        return [
            one
            for one in self.events
            if start <= one.offset < end
            and one.is_commit is None
            and not any(
                one.producer_id == txn.producer_id
                and txn.first_offset <= one.offset <= (txn.last_offset or 0)
                for txn in hidden
            )
        ]
