from __future__ import annotations

import pytest

from godel.clock import ManualClock, Randomness
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import NOW_MS, append, append_values, batch_of, open_log


def test_rolls_by_size() -> None:
    log = open_log(MemoryFiles(), segment_bytes=400)
    for _ in range(6):
        append_values(log, 1, size=100)
    assert all(segment.size_bytes <= 400 for segment in log.segments)
    assert [segment.base_offset for segment in log.segments] == [0, 2, 4]


def test_rolls_by_the_age_between_batches() -> None:
    log = open_log(MemoryFiles(), segment_ms=1000)
    for time_ms in (5000, 4000, 6000, 6001, 6900):
        append(log, batch_of([b"x"], timestamps=[time_ms]))
    assert [segment.base_offset for segment in log.segments] == [0, 3]


def test_rolls_by_the_clock_where_there_are_no_timestamps() -> None:
    clock = ManualClock(NOW_MS)
    log = open_log(MemoryFiles(), clock=clock, segment_ms=1000)
    for _ in range(2):
        append(log, batch_of([b"x"], timestamps=[-1]))
    clock.advance(1001)
    append(log, batch_of([b"x"], timestamps=[-1]))
    assert [segment.base_offset for segment in log.segments] == [0, 2]


def test_jitter_shortens_the_age_of_a_segment() -> None:
    lengths = set()
    for seed in range(5):
        log = open_log(
            MemoryFiles(), segment_ms=1000, segment_jitter_ms=900, randomness=Randomness(seed)
        )
        for time_ms in range(1, 1000, 50):
            append(log, batch_of([b"x"], timestamps=[time_ms]))
        lengths.add(log.segments[0].next_offset)
    assert len(lengths) > 1


def test_rolls_when_an_index_is_full() -> None:
    log = open_log(
        MemoryFiles(), segment_bytes=1 << 20, segment_index_bytes=80, index_interval_bytes=100
    )
    for _ in range(60):
        append_values(log, 1, size=90)
    assert len(log.segments) > 3
    assert all(len(segment.offset_index) <= 10 for segment in log.segments)


def test_rolls_before_a_relative_offset_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("godel.storage.rolling.MAX_RELATIVE_OFFSET", 10)
    log = open_log(MemoryFiles())
    for _ in range(5):
        append_values(log, 5)
    assert [segment.base_offset for segment in log.segments] == [0, 10, 20]
