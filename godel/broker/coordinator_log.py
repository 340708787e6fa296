"""A coordinator's view of its partition: internal batches in, all batches out on replay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from godel.broker.partition import Partition
from godel.errors import CorruptBatch
from godel.records.batch import iterate_headers, parse_header
from godel.types import Buffer, in_memory

REPLAY_BYTES = 1024 * 1024


class PartitionCoordinatorLog:
    """Implements `coordinator.runtime.CoordinatorLog` on a partition of an internal topic.

    Internal topics answer like acks=all: `committed` follows the topic's durability rule.
    """

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[], Partition]) -> None:
        self._find = find

    def append(self, batch: bytes) -> int:
        """Store a batch; return the offset behind it. Raises ApiError."""
        return self._find().append_internal(batch, parse_header(batch))

    def committed(self, offset: int) -> Awaitable[None] | None:
        return self._find().committed(offset)

    def replay(self) -> Iterable[Buffer]:
        """Whole batches from the log's start to its end, a piece at a time."""
        log = self._find().log
        offset, end = log.log_start_offset, log.end_offset
        while offset < end:
            found = log.read(offset, REPLAY_BYTES, upper_bound=end, at_least_one=True)
            assert found is not None, "a coordinator's log is local"
            if not found.pieces:
                return
            for piece in map(in_memory, found.pieces):
                yield piece
                for header in iterate_headers(memoryview(piece)):
                    if header.next_offset <= offset:
                        raise CorruptBatch(f"offset {header.base_offset} after {offset}")
                    offset = header.next_offset
