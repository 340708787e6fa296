"""Histograms, and how the stages of a request are counted once and shown several times."""

from __future__ import annotations

import pytest

from godel.metrics import TIME_BOUNDS_S, Histogram, Stages


def test_a_duration_falls_into_the_bucket_of_the_next_bound() -> None:
    histogram = Histogram()
    durations = [0.0, TIME_BOUNDS_S[0], TIME_BOUNDS_S[0] + 1e-6, 1e9]
    for took_s in durations:
        histogram.observe(took_s)
    assert histogram.counts[:2] == [2, 1]
    assert histogram.counts[-1] == 1
    assert histogram.value == 4
    assert histogram.sum_s == pytest.approx(sum(durations))


def test_every_request_is_in_each_stage_that_it_went_through() -> None:
    stages = Stages()
    stages.quick += 1
    stages.quick_s += 0.00001
    stages.prompt(0.001)
    stages.queued(queue_s=0.5, local_s=0.002)
    stages.waited(queue_s=0.0, local_s=0.003, remote_s=7.0)
    for _again in range(2):
        assert stages.local.value == stages.queue.value == stages.total.value == 4
        assert stages.requests == 4
        assert stages.remote.value == 1
        assert stages.local.sum_s == pytest.approx(0.00601)
        assert stages.local.counts[0] == 1
        assert stages.queue.sum_s == pytest.approx(0.5)
        assert stages.total.sum_s == pytest.approx(0.00101 + 0.502 + 7.003)
