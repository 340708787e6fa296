"""Random keyed appends, compactions, rolls, restarts and crashes, against a dict."""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from godel.clock import ManualClock, Randomness
from godel.records.batch import Record
from godel.records.compression import Compression
from godel.records.partition_log import CleanerLimits
from godel.storage.cleaner import Abandoned
from godel.storage.faulty_files import FaultyFiles, PowerCut
from tests.storage.compaction_harness import COMPACTED, Compactor, put_keys, table_of
from tests.storage.harness import NOW_MS, open_log, read_records

KEYS = st.sampled_from([f"key {number}" for number in range(12)])
VALUES = st.one_of(st.none(), st.text("abc", max_size=60))


class CompactionMachine(RuleBasedStateMachine):
    """The model: every record ever appended, and the last value of every key."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOW_MS)
        self.files = FaultyFiles()
        self.log = open_log(self.files, config=COMPACTED, clock=self.clock)
        self.log.flush()
        self.files.sync_folder("data")
        self.files.sync_folder(".")
        self.compactor = Compactor(self.files, self.clock)
        self.written: dict[int, tuple[str, str | None, int]] = {}
        self.table: dict[str, str] = {}
        self.step = 0

    @rule(
        pairs=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=5),
        compression=st.sampled_from([Compression.NONE, Compression.LZ4]),
        timestamp_ms=st.integers(NOW_MS - 1000, NOW_MS + 1000),
    )
    def append(
        self,
        pairs: list[tuple[str, str | None]],
        compression: Compression,
        timestamp_ms: int,
    ) -> None:
        base = put_keys(self.log, pairs, compression=compression, timestamp_ms=timestamp_ms)
        for number, (key, value) in enumerate(pairs):
            self.written[base + number] = (key, value, timestamp_ms)
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        self.log.flush()

    @rule()
    def roll(self) -> None:
        if self.log.segments[-1].size_bytes:
            self.log.roll()
            self.log.flush()

    @rule(buffer_keys=st.integers(1, 12))
    def compact(self, buffer_keys: int) -> None:
        self.compactor.compact(self.log, limits=CleanerLimits(256 * buffer_keys, 1e18))
        closed_end = self.log.segments[-1].base_offset
        kept = [one for one in self.records() if one.offset < closed_end]
        assert len({record.key for record in kept}) == len(kept), "a key twice in the clean part"

    @rule(ms=st.sampled_from([1, 300, 1500]))
    def wait(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule()
    def restart(self) -> None:
        end_offset = self.log.end_offset
        self.log.close()
        self.log = open_log(
            self.files,
            config=COMPACTED,
            clock=self.clock,
            was_clean=True,
            recovery_point=end_offset,
        )

    @rule(operations=st.integers(1, 60), seed=st.integers(0, 1 << 20), buffer=st.integers(1, 12))
    def crash_in_a_compaction(self, operations: int, seed: int, buffer: int) -> None:
        end_offset = self.log.end_offset
        self.files.crash_at = self.files.operations + operations
        with contextlib.suppress(PowerCut, Abandoned):
            self.compactor.compact(self.log, limits=CleanerLimits(256 * buffer, 1e18))
        clean_offset = self.compactor.clean_offset
        self.files = self.files.after_crash(Randomness(seed))
        self.clock = ManualClock(self.clock.now_ms())  # without the timers of who is gone
        self.log = open_log(self.files, config=COMPACTED, clock=self.clock)
        self.compactor = Compactor(self.files, self.clock)
        self.compactor.clean_offset = clean_offset
        assert self.log.recovery_report.cut is None
        assert self.log.end_offset == end_offset

    def records(self) -> list[Record]:
        return read_records(self.log, max_bytes=400)

    @invariant()
    def what_is_read_is_what_was_written(self) -> None:
        for record in self.records():
            key, value, timestamp_ms = self.written[record.offset]
            assert record.key == key.encode()
            assert record.value == (None if value is None else value.encode())
            assert record.timestamp == timestamp_ms
        assert table_of(self.log) == self.table
        assert self.log.size_bytes == sum(one.size_bytes for one in self.log.segments)

    @rule(timestamp_ms=st.integers(NOW_MS - 1000, NOW_MS + 1000))
    def find_by_timestamp(self, timestamp_ms: int) -> None:
        records, end_offset = self.records(), self.log.end_offset
        found = self.log.offset_for_timestamp(timestamp_ms, upper_bound=end_offset)
        later = [record.offset for record in records if record.timestamp >= timestamp_ms]
        assert (found.offset if found else None) == (later[0] if later else None)
        largest = self.log.max_timestamp(upper_bound=end_offset)
        times = [record.timestamp for record in records]
        if times:
            assert largest is not None
            assert largest.offset == records[times.index(max(times))].offset
        else:
            assert largest is None


TestCompaction = CompactionMachine.TestCase
TestCompaction.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
