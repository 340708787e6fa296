"""What stands in a coordinator's partition: the records of its batches, those that count.

A record of a transaction counts from the marker on that commits it. One of a transaction that was
aborted, or has not ended, does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from godel.records.batch import BatchHeader, iterate_headers, iterate_records, read_end_marker
from godel.types import Buffer

Record = TypeVar("Record")


def committed_records(
    pieces: Iterable[Buffer], decode: Callable[[bytes, bytes | None], Record | None]
) -> Iterator[Record | None]:
    """The records of one or more whole batches a piece, in the order in which they are applied.

    None: one that does not count, or not yet, so that the reader can stop in between. Raises
    `CorruptBatch`, and what `pieces` and `decode` raise.
    """
    open_transactions: dict[int, list[Record]] = {}
    for header, batch in _batches(pieces):
        if header.is_control:
            pending = open_transactions.pop(header.producer_id, [])
            marker = read_end_marker(batch)
            if marker is not None and marker.is_commit:
                yield from pending
            continue
        for record in iterate_records(batch):
            decoded = None
            if record.key is not None:
                decoded = decode(record.key, record.value)
            if header.is_transactional and decoded is not None:
                open_transactions.setdefault(header.producer_id, []).append(decoded)
                decoded = None
            yield decoded


def _batches(pieces: Iterable[Buffer]) -> Iterator[tuple[BatchHeader, memoryview]]:
    for piece in pieces:
        view = memoryview(piece)
        at = 0
        for header in iterate_headers(view):
            yield header, view[at : at + header.size_bytes]
            at += header.size_bytes
