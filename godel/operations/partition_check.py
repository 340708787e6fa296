"""Checks one partition's folder without changing it: batches, indexes, producers, transactions.

The judge of batches is `batch_scan.scan`, the one that decides at a start where a log ends. What it
would cut after a crash as the torn end of what nobody was promised is a note, anything else that is
wrong is a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from godel.broker.leader_epochs import LeaderEpochs
from godel.operations.findings import Finding, Tally, note, problem
from godel.operations.index_check import IndexCheck
from godel.operations.producer_check import ProducerCheck
from godel.operations.transaction_check import TransactionCheck
from godel.records.batch import BatchHeader, EndMarker, read_end_marker
from godel.storage import batch_scan, layout
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.files import File, Files, join
from godel.storage.leader_epoch_checkpoint import read_leader_epochs
from godel.storage.offset_index import OffsetIndex
from godel.storage.partition_metadata import id_text, read_partition_metadata
from godel.storage.producer_snapshot import DamagedSnapshot, read_producers
from godel.storage.time_index import TimeIndex
from godel.storage.transaction_index import TransactionIndex
from godel.types import TopicId

LEFTOVERS = {
    layout.DELETED: "deleted, to be removed at the next start",
    layout.CLEANED: "an unfinished copy of a compaction, to be removed at the next start",
    layout.SWAP: "a copy of a compaction, which the next start puts in its place",
    layout.TEMPORARY: "an unfinished file, to be removed at the next start",
    layout.ASIDE: "what an earlier recovery has cut off and kept",
}
SIDECARS = {layout.LEADER_EPOCH_CHECKPOINT, layout.PARTITION_METADATA}


class Expected(NamedTuple):
    """What the rest of the data directory says about a partition."""

    topic_id: TopicId
    compacted_end: int
    """Up to there compaction may have left gaps, whatever the topic's settings are now."""
    was_clean: bool
    recovery_point: int
    log_start_offset: int
    high_watermark: int


class SegmentPlace(NamedTuple):
    base_offset: int
    is_last: bool
    is_recovered: bool
    """The next start rebuilds its indexes, so they are not judged."""


class PartitionCheck:
    """The check of one folder. `run` makes it; what was found goes into `tally`."""

    def __init__(
        self,
        files: Files,
        folder: str,
        expected: Expected,
        *,
        tally: Tally,
        on_progress: Callable[[int], None],
    ) -> None:
        self._files = files
        self._folder = folder
        self._expected = expected
        self._tally = tally
        self._on_progress = on_progress
        self._epochs = LeaderEpochs()
        self._strange_epochs: set[int] = set()
        self._next_offset = 0
        self._producers = ProducerCheck()
        self._transactions = TransactionCheck()

    def run(self) -> None:
        """Raises OSError."""
        names = sorted(self._files.list_files(self._folder))
        parsed = [one for one in map(layout.parse_segment_file, names) if one is not None]
        bases = [one.base_offset for one in parsed if one.suffix == layout.LOG]
        snapshots = [one.base_offset for one in parsed if one.suffix == layout.PRODUCER_SNAPSHOT]
        self._tally.partitions += 1
        self._tally.add(self._check_names(names, bases))
        self._tally.add(self._check_sidecars())
        self._producers.expect(snapshots)
        for number, base_offset in enumerate(bases):
            next_base = bases[number + 1] if number + 1 < len(bases) else layout.MAX_OFFSET
            is_recovered = (
                not self._expected.was_clean and next_base > self._expected.recovery_point
            )
            self._check_segment(SegmentPlace(base_offset, number + 1 == len(bases), is_recovered))
        self._tally.add(self._check_end(bases))
        self._tally.add(self._check_snapshots(snapshots))

    def _check_names(self, names: Sequence[str], bases: Sequence[int]) -> Iterator[Finding]:
        for name in names:
            path = join(self._folder, name)
            parsed = layout.parse_segment_file(name)
            if parsed is None:
                ending = next((one for one in LEFTOVERS if name.endswith(one)), None)
                if ending is not None:
                    yield note(path, LEFTOVERS[ending])
                elif name not in SIDECARS:
                    yield note(path, "not a file of this broker")
            elif parsed.suffix in layout.SEGMENT_SUFFIXES and parsed.base_offset not in bases:
                yield note(path, "there is no segment that it belongs to")

    def _check_sidecars(self) -> Iterator[Finding]:
        path = join(self._folder, layout.PARTITION_METADATA)
        try:
            found = read_partition_metadata(self._files, self._folder)
        except DamagedCheckpoint as damage:
            yield problem(path, str(damage))
        else:
            if found is None:
                yield note(path, "there is no id of a topic yet")
            elif found != self._expected.topic_id:
                yield problem(
                    path,
                    f"it belongs to the topic {id_text(found)}, the one of this name is "
                    f"{id_text(self._expected.topic_id)}",
                )
        try:
            self._epochs = LeaderEpochs(read_leader_epochs(self._files, self._folder))
        except DamagedCheckpoint as damage:
            yield problem(join(self._folder, layout.LEADER_EPOCH_CHECKPOINT), str(damage))

    # The segments

    def _check_segment(self, place: SegmentPlace) -> None:
        path = self._path(place.base_offset, layout.LOG)
        file = self._files.open(path)
        index_path = self._path(place.base_offset, layout.OFFSET_INDEX)
        offset_index = OffsetIndex(self._files, index_path, is_new=False)
        time_path = self._path(place.base_offset, layout.TIME_INDEX)
        time_index = TimeIndex(self._files, time_path, is_new=False)
        indexes = IndexCheck(place.base_offset, offset_index, time_index)
        are_believed = not place.is_recovered and any(
            map(self._files.exists, (index_path, time_path))
        )
        tally, on_progress = self._tally, self._on_progress
        tally.segments += 1
        tally.size_bytes += file.size

        def on_batch(position: int, header: BatchHeader) -> None:
            tally.batches += 1
            if are_believed:
                indexes.see(position, header)
            self._see_epoch(path, position, header)
            self._producers.see(header)
            if header.is_transactional:
                self._transactions.see(header, _marker(file, position, header))
            on_progress(header.size_bytes)

        if place.base_offset < self._next_offset:
            tally.add([problem(path, f"offset {place.base_offset} comes again")])
        elif self._is_gap_before(place.base_offset):
            what = f"nothing between the offsets {self._next_offset} and this: a segment is missing"
            tally.add([problem(path, what)])
        result = batch_scan.scan(
            file.pread,
            on_batch,
            position=0,
            next_offset=place.base_offset,
            size_bytes=file.size,
            base_offset=place.base_offset,
        )
        if result.problem is not None:
            tally.add([self._judge(file, result, place)])
            on_progress(file.size - result.position)
        elif not place.is_recovered:
            if are_believed:
                tally.add(indexes.finish(is_closed=True))
            tally.add(self._check_aborted(place.base_offset, result.next_offset))
        self._transactions.forget()
        self._next_offset = max(self._next_offset, result.next_offset)
        for opened in (file, offset_index.file, time_index.file):
            opened.close()

    def _check_aborted(self, base_offset: int, next_offset: int) -> Iterator[Finding]:
        path = self._path(base_offset, layout.TRANSACTION_INDEX)
        index = TransactionIndex(self._files.open(path)) if self._files.exists(path) else None
        for what in self._transactions.finish(index, base_offset, next_offset):
            yield problem(path, what)
        if index is not None:
            index.file.close()

    def _is_gap_before(self, base_offset: int) -> bool:
        """Only compaction leaves such gaps, and what lies below the log start is nobody's."""
        expected = self._expected
        return (
            expected.compacted_end < base_offset
            and expected.log_start_offset < base_offset
            and 0 < self._next_offset < base_offset
        )

    def _judge(self, file: File, result: batch_scan.Scan, place: SegmentPlace) -> Finding:
        """Of what recovery would cut."""
        what = f"{result.problem}; the log would end at offset {result.next_offset}"
        is_promised = result.next_offset < self._expected.recovery_point
        if place.is_last and place.is_recovered and not is_promised:
            data = file.pread(result.position, batch_scan.SEARCH_BYTES)
            if batch_scan.find_batch(data, 0, result.next_offset) is None:
                return note(file.path, f"{what} (the torn end of a crash)", result.position)
        return problem(file.path, what, result.position)

    def _see_epoch(self, path: str, position: int, header: BatchHeader) -> None:
        epoch = header.partition_leader_epoch
        if epoch < 0 or epoch in self._strange_epochs:
            return
        first = max(header.base_offset, self._expected.log_start_offset)
        if first <= header.last_offset and self._epochs.at(first) != epoch:
            self._strange_epochs.add(epoch)
            what = f"leader epoch {epoch} is not what the checkpoint has for this offset"
            self._tally.add([problem(path, what, position)])

    def _path(self, base_offset: int, suffix: str) -> str:
        return join(self._folder, layout.segment_file(base_offset, suffix))

    # What must agree with the end of the log

    def _check_end(self, bases: Sequence[int]) -> Iterator[Finding]:
        expected, end_offset = self._expected, self._next_offset
        if not bases:
            end_offset = expected.log_start_offset
        for what, offset in (
            ("the recovery point", expected.recovery_point),
            ("the log start", expected.log_start_offset),
            ("the high watermark", expected.high_watermark),
        ):
            if offset > end_offset:
                yield problem(self._folder, f"{what} is {offset}, but the log ends at {end_offset}")
        if expected.was_clean and bases and max(expected.recovery_point, bases[-1]) < end_offset:
            what = f"it was closed at offset {expected.recovery_point}, but ends at {end_offset}"
            yield problem(self._folder, what)

    def _check_snapshots(self, offsets: Sequence[int]) -> Iterator[Finding]:
        """Newest first: a damaged one matters only as long as no newer one is sound."""
        judge = problem
        for offset in sorted(offsets, reverse=True):
            path = self._path(offset, layout.PRODUCER_SNAPSHOT)
            if offset > self._next_offset:
                yield problem(path, f"it is behind the end of the log, {self._next_offset}")
                continue
            try:
                entries = read_producers(self._files, self._folder, offset)
            except DamagedSnapshot as damage:
                yield judge(path, str(damage))
                continue
            judge = note
            for what in self._producers.compare(offset, entries):
                yield problem(path, what)


def _marker(file: File, position: int, header: BatchHeader) -> EndMarker | None:
    if not header.is_control:
        return None
    return read_end_marker(file.pread(position, header.size_bytes))
