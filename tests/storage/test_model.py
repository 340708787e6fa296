"""Random operations on a log, against a list in memory, on real and on memory files."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from godel.clock import ManualClock
from godel.records.batch import iterate_headers
from godel.storage.files import Files, join
from godel.storage.log_config import LogConfig
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from tests.storage.harness import NOW_MS, append, batch_of, open_log, read_records

CONFIG = LogConfig(
    segment_bytes=1200,
    index_interval_bytes=150,
    segment_ms=50_000,
    retention_ms=-1,
    file_delete_delay_ms=10,
)
TIMES = st.integers(NOW_MS - 30_000, NOW_MS + 30_000)


class ModelRecord:
    """A record of the model: its offset is its place in the list."""

    __slots__ = ("batch_end", "is_log_append_time", "timestamp", "value")

    def __init__(self, value: bytes, timestamp: int, batch_end: int) -> None:
        self.value = value
        self.timestamp = timestamp
        self.batch_end = batch_end


class LogMachine(RuleBasedStateMachine):
    """The model: every record ever appended, and the log start."""

    files: Files
    folder = "data/topic-0"

    def __init__(self) -> None:
        super().__init__()
        self.records: list[ModelRecord] = []
        self.start = 0
        self.clock = ManualClock(NOW_MS)
        self.make_files()

    def make_files(self) -> None:
        self.files = MemoryFiles()

    @initialize()
    def begin(self) -> None:
        self.log = open_log(self.files, self.folder, config=CONFIG, clock=self.clock)

    @rule(
        times=st.lists(TIMES, min_size=1, max_size=4),
        size=st.integers(0, 200),
        epoch=st.integers(0, 3),
        is_broker_time=st.booleans(),
    )
    def append(self, times: list[int], size: int, epoch: int, is_broker_time: bool) -> None:
        first = len(self.records)
        values = [b"%d" % (first + number) + b"." * size for number in range(len(times))]
        data = batch_of(values, timestamps=times, has_log_append_time=is_broker_time)
        assert append(self.log, data, epoch) == first
        for value, time in zip(values, times, strict=True):
            stored = max(times) if is_broker_time else time
            self.records.append(ModelRecord(value, stored, first + len(times)))

    @rule(data=st.data(), max_bytes=st.integers(1, 3000), at_least_one=st.booleans())
    def read(self, data: st.DataObject, max_bytes: int, at_least_one: bool) -> None:
        offset = data.draw(st.integers(self.start, len(self.records)))
        bounds = sorted({record.batch_end for record in self.records} | {len(self.records)})
        bound = data.draw(st.sampled_from(bounds))
        found = self.log.read(offset, max_bytes, upper_bound=bound, at_least_one=at_least_one)
        assert found is not None
        raw = b"".join(found.pieces)
        assert len(raw) == found.size_bytes
        headers = list(iterate_headers(memoryview(raw)))
        if offset >= bound or not headers:
            assert not raw
            assert offset >= bound or not at_least_one
            return
        assert headers[0].base_offset <= offset <= headers[0].last_offset
        assert headers[-1].next_offset <= bound
        assert len(raw) <= max_bytes or (at_least_one and len(headers) == 1)
        for before, after in itertools.pairwise(headers):
            assert after.base_offset == before.next_offset

    @rule(timestamp=TIMES, data=st.data())
    def find_timestamp(self, timestamp: int, data: st.DataObject) -> None:
        bound = self.draw_bound(data)
        found = self.log.offset_for_timestamp(timestamp, upper_bound=bound)
        wanted = next(
            (
                offset
                for offset in range(self.start, bound)
                if self.records[offset].timestamp >= timestamp
            ),
            None,
        )
        assert (found and found.offset) == wanted
        assert found is None or found.timestamp_ms == self.records[found.offset].timestamp

    @rule(data=st.data())
    def find_largest_timestamp(self, data: st.DataObject) -> None:
        bound = self.draw_bound(data)
        found = self.log.max_timestamp(upper_bound=bound)
        times = [record.timestamp for record in self.records[self.start : bound]]
        if not times:
            assert found is None
        else:
            assert found is not None
            assert found.timestamp_ms == max(times)
            assert found.offset == self.start + times.index(max(times))

    def draw_bound(self, data: st.DataObject) -> int:
        ends = {record.batch_end for record in self.records[self.start :]}
        return data.draw(st.sampled_from(sorted(ends | {self.start})))

    @rule(data=st.data())
    def truncate_prefix(self, data: st.DataObject) -> None:
        ends = {record.batch_end for record in self.records if record.batch_end >= self.start}
        new_start = data.draw(st.sampled_from(sorted(ends | {self.start})))
        self.log.truncate_prefix(new_start)
        self.start = new_start

    @rule(limit=st.integers(0, 4000))
    def retain_by_size(self, limit: int) -> None:
        self.log.configure(replace(CONFIG, retention_bytes=limit))
        self.log.apply_retention(upper_bound=len(self.records))
        self.log.delete_old_segments()
        self.log.configure(CONFIG)
        self.start = self.log.log_start_offset
        assert self.log.size_bytes <= limit + 2 * CONFIG.segment_bytes
        self.clock.advance(10)

    @rule()
    def commit(self) -> None:
        if self.files.is_inline:
            assert self.log.committed(len(self.records)) is None
        else:
            self.log.flush()
        assert self.log.flushed_offset == len(self.records)

    @rule()
    def close_and_reopen(self) -> None:
        self.log.close()
        self.reopen(was_clean=True, recovery_point=len(self.records))
        assert not self.log.recovery_report.was_checked

    @rule(data=st.data(), has_indexes=st.booleans())
    def kill_and_recover(self, data: st.DataObject, has_indexes: bool) -> None:
        recovery_point = data.draw(st.integers(0, self.log.flushed_offset))
        if has_indexes:
            recovery_point = min(self.log.prepare_recovery(), recovery_point)
        self.reopen(was_clean=False, recovery_point=recovery_point)
        assert self.log.recovery_report.cut is None

    def reopen(self, *, was_clean: bool, recovery_point: int) -> None:
        self.log = open_log(
            self.files,
            self.folder,
            config=CONFIG,
            clock=self.clock,
            was_clean=was_clean,
            recovery_point=recovery_point,
            log_start_offset=self.start,
        )

    @invariant()
    def offsets_agree(self) -> None:
        if hasattr(self, "log"):
            assert self.log.log_start_offset == self.start
            assert self.log.end_offset == len(self.records)
            assert self.log.size_bytes == sum(one.size_bytes for one in self.log.segments)

    def teardown(self) -> None:
        if hasattr(self, "log"):
            found = read_records(self.log)
            kept = self.records[self.start :]
            assert [record.value for record in found] == [record.value for record in kept]
            assert [record.timestamp for record in found] == [one.timestamp for one in kept]
            self.log.close()


class RealLogMachine(LogMachine):
    """The same on the operating system's files, with hardly any descriptors to go round."""

    def make_files(self) -> None:
        self.temporary = tempfile.mkdtemp()
        self.folder = join(self.temporary, "topic-0")
        self.files = RealFiles(max_open=3)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.files.finish_background()
            shutil.rmtree(self.temporary)


TestMemoryLog = LogMachine.TestCase
TestMemoryLog.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRealLog = RealLogMachine.TestCase
TestRealLog.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)
