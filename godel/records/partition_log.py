"""The seam between the broker and whatever keeps a partition's batches.

Append now, wait later: `append` is synchronous and returns once the bytes are handed on,
`committed` gives something to await until they are durable. `read` is synchronous for what is local
and answers None for what is not. Validation, producer state, the high watermark and the
coordinators stand above this seam and exist once; the local segment store and the log of a cluster
stand below it.

Offsets are ordered: `log_start_offset <= flushed_offset <= end_offset`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from godel.config.topic import TopicConfig
from godel.records.batch import BatchHeader
from godel.records.transactions import AbortedTransaction
from godel.types import Buffer, Piece, TopicId, TopicPartition


class TimestampOffset(NamedTuple):
    """A record found by its timestamp (KIP-33, KIP-734)."""

    offset: int
    timestamp_ms: int
    leader_epoch: int


class LogSlice(NamedTuple):
    """Whole record batches in offset order, ready for the wire. `size_bytes` 0: nothing there."""

    pieces: Sequence[Piece]
    size_bytes: int
    next_offset: int
    """Behind the last batch; where offsets are missing there, perhaps that of the next one."""


EMPTY_SLICE = LogSlice((), 0, -1)


class EpochStart(NamedTuple):
    """The offset at which a leader epoch began (KIP-101)."""

    epoch: int
    start_offset: int


class ProducerEntry(NamedTuple):
    """One producer's state as a snapshot file keeps it (Kafka's `ProducerSnapshot` schema)."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp_ms: int
    coordinator_epoch: int
    current_transaction_first_offset: int


class LogDirectory(NamedTuple):
    """Where logs are kept, as DescribeLogDirs tells of it. Bytes are the volume's, -1: unknown."""

    path: str
    total_bytes: int
    usable_bytes: int
    is_working: bool


class FutureLog(NamedTuple):
    """A partition's copy in the directory where it is moved to."""

    partition: TopicPartition
    path: str
    size_bytes: int
    offset_lag: int


class CleanerLimits(NamedTuple):
    """What one compaction may use."""

    dedupe_buffer_bytes: int
    max_bytes_per_second: float


class PartitionLog(Protocol):
    """One partition's batches. One owner (its `broker.partition.Partition`), one event loop."""

    @property
    def log_start_offset(self) -> int:
        """The first offset a reader may ask for; may lie inside a segment (DeleteRecords)."""
        ...

    @property
    def flushed_offset(self) -> int:
        """Everything below survives a power cut."""
        ...

    @property
    def end_offset(self) -> int:
        """The offset that the next record gets."""
        ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def failure(self) -> str | None:
        """Why the log is fenced or closed; None: it is neither."""
        ...

    on_flushed: Callable[[], None] | None
    """Called on the event loop each time `flushed_offset` moved, or the log was fenced."""

    on_snapshot_due: Callable[[], None] | None
    """Called just before a new segment begins at `end_offset`, and when much was written since:
    the moment to `save_producers`.
    """

    def append(
        self,
        header: BatchHeader,
        data: Buffer,
        leader_epoch: int,
        aborted: AbortedTransaction | None = None,
    ) -> int:
        """Store one checked batch with the next offset; return its base offset.

        `data` is the batch as it came; base offset and leader epoch, which no CRC covers, are
        written in passing. The bytes are copied or written before this returns: the caller may
        reuse the buffer. `aborted` is what the batch, a marker, aborts: both are kept, or neither.
        Raises `StorageFailed` when the log is fenced or the write fails.
        """
        ...

    def committed(self, offset: int) -> Awaitable[None] | None:
        """Wait until `flushed_offset >= offset`; None when it is already. Asks for a flush.

        The awaitable raises `StorageFailed` when the log is fenced before that.
        """
        ...

    def read(
        self, offset: int, max_bytes: int, *, upper_bound: int, at_least_one: bool
    ) -> LogSlice | None:
        """Whole batches from the one that contains `offset`, below `upper_bound`.

        `upper_bound` is the boundary of a batch (high watermark, last stable offset).
        At most `max_bytes`, but with `at_least_one` never less than the first batch (KIP-74).
        `offset` lies within `[log_start_offset, end_offset]`. None: the range is not local.
        Raises `CorruptBatch` when what is stored there is not a batch, `StorageFailed` when it
        cannot be read.
        """
        ...

    def offset_for_timestamp(
        self, timestamp_ms: int, *, upper_bound: int
    ) -> TimestampOffset | None:
        """The first record in `[log_start_offset, upper_bound)` whose timestamp is not earlier."""
        ...

    def max_timestamp(self, *, upper_bound: int) -> TimestampOffset | None:
        """The first record that carries the largest timestamp below `upper_bound`; None: empty."""
        ...

    def truncate_prefix(self, new_start: int) -> None:
        """Move the log start; segments that lie wholly below it are deleted later."""
        ...

    def apply_retention(self, *, upper_bound: int) -> Sequence[object]:
        """Move the log start as retention wants, up to `upper_bound` (high watermark).

        Returns one thing for each segment that `delete_old_segments` is to delete, when the log
        starts are saved: deletions that a power cut takes back in part would leave a hole.
        """
        ...

    def delete_old_segments(self) -> None:
        """Delete the segments that lie wholly below the log start."""
        ...

    def has_aborted(self, start: int) -> bool:
        """Whether anything may have been aborted from `start` on; quick. Raises `StorageFailed`."""
        ...

    def aborted_transactions(self, start: int, upper_bound: int) -> Sequence[AbortedTransaction]:
        """What was aborted and overlaps `[start, upper_bound)`. Raises `StorageFailed`."""
        ...

    def leader_epochs(self) -> Sequence[EpochStart]:
        """The leader-epoch checkpoint, and what recovery saw beyond it."""
        ...

    def latest_producers(self) -> tuple[int, Sequence[ProducerEntry]]:
        """The newest usable producer snapshot and the offset from which to replay."""
        ...

    def replay(self, from_offset: int, on_batch: Callable[[BatchHeader, memoryview], None]) -> None:
        """Show every batch from `from_offset` to the end, in order."""
        ...

    def save_leader_epochs(self, epochs: Sequence[EpochStart]) -> None:
        """Replace the leader-epoch checkpoint, durably."""
        ...

    def save_producers(self, producers: Sequence[ProducerEntry]) -> None:
        """Write the producer snapshot as of `end_offset`."""
        ...


class LogStore(Protocol):
    """All partition logs of one broker: where they come from, and what is done to all of them."""

    def open(
        self, partition: TopicPartition, topic_id: TopicId, config: TopicConfig
    ) -> PartitionLog:
        """Open the partition's log, or make it. Raises `StorageFailed`; it may be offline."""
        ...

    on_offline: Callable[[TopicPartition, str], None] | None
    """Called on the event loop when the directory of a partition has failed: its log is closed."""

    on_moved: Callable[[TopicPartition, PartitionLog], None] | None
    """Called on the event loop when a partition is in another directory: this is its log now."""

    def move(self, partition: TopicPartition, path: str) -> None:
        """Begin to move a partition to a directory that works, or give up a move.

        Its log is open, if it has one. Raises `StorageFailed`.
        """
        ...

    async def run_moves(self) -> None:
        """Carry moves out, until cancelled. Run it while the broker serves."""
        ...

    def moves(self) -> Sequence[FutureLog]:
        """The moves that have not ended."""
        ...

    async def watch(self) -> None:
        """Find out which directories fail, until cancelled. Run it while the broker serves.

        Raises `StorageFailed` when the broker cannot go on with those that are left.
        """
        ...

    @property
    def offline(self) -> Mapping[TopicPartition, str]:
        """The partitions that cannot be served because of their directory, and why."""
        ...

    async def recover(self, configs: Mapping[TopicPartition, TopicConfig], *, threads: int) -> None:
        """Check and mend the logs of these partitions, where the last stop was not clean.

        Before anything is opened. One that cannot be is reported; the others are served.
        """
        ...

    def remove_deleted(self, delay_ms: float) -> None:
        """At the start: what the last run deleted and had no time to remove goes after a delay."""
        ...

    def needs_retention(self, partition: TopicPartition, config: TopicConfig) -> bool:
        """Whether `apply_retention` might find something; does not open a log for that.

        Raises `StorageFailed`.
        """
        ...

    def exists(self, partition: TopicPartition) -> bool:
        """Whether the partition has ever been opened: what has not needs no maintenance."""
        ...

    def configure(self, partition: TopicPartition, config: TopicConfig) -> None:
        """Let a log that is open follow its topic's settings."""
        ...

    def set_aside_strays(self, known: Mapping[TopicPartition, TopicId]) -> None:
        """At the start: whatever is kept of partitions that do not exist is never served."""
        ...

    def dirtiness(self, partition: TopicPartition, *, upper_bound: int) -> float | None:
        """The share of an open log, up to 1, that is worth compacting; None: leave it alone.

        Only what lies below `upper_bound` counts (the last stable offset). Raises `StorageFailed`.
        """
        ...

    async def compact(
        self,
        partition: TopicPartition,
        *,
        upper_bound: int,
        producers: Sequence[ProducerEntry],
        limits: CleanerLimits,
    ) -> bool:
        """Compact what is dirty in an open log. `producers`: whose last batches must stay.

        False: the log has changed meanwhile, or was closed; it may be tried again later. Raises
        `StorageFailed` when that cannot be done; the log is left out from then on, but goes on
        being written and read.
        """
        ...

    def delete(self, partition: TopicPartition, config: TopicConfig) -> None:
        """Set the partition's folder aside at once; its files go after file.delete.delay.ms."""
        ...

    @property
    def metadata_directory_id(self) -> bytes:
        """The id of the directory that keeps the metadata."""
        ...

    def directories(self) -> Sequence[LogDirectory]:
        """Where logs are, as configured; those that do not work, too."""
        ...

    def directory_path(self, partition: TopicPartition) -> str:
        """Where a partition is, or will be made. Raises `StorageFailed` where it is offline."""
        ...

    def size_bytes(self, partition: TopicPartition) -> int:
        """How much a partition holds, whether its log is open or not. Raises `StorageFailed`."""
        ...

    def known_end(self, partition: TopicPartition) -> int | None:
        """The end offset, where the log is not opened for it; None: it is not known."""
        ...

    async def save_log_starts(self) -> None:
        """Return when no log start that was moved until now can come back after a power cut.

        Raises `StorageFailed`.
        """
        ...

    async def checkpoint(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Note how far every log is durable, so that the next start need not look before that."""
        ...

    async def run_checkpoints(self) -> None:
        """Bound what is read after a crash, until cancelled. Run it while the broker serves.

        After so many bytes written it notes how far the logs are durable, those with
        `write.caching` once it has synced them.
        """
        ...

    async def close(
        self,
        high_watermarks: Mapping[TopicPartition, int],
        producers: Mapping[TopicPartition, Sequence[ProducerEntry]] | None = None,
    ) -> bool:
        """Sync and close every log; True when all of them did, and the stop was a clean one.

        `producers`: what a clean start would otherwise have to read the logs for.
        """
        ...
