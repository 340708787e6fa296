"""Metrics: declared once, counted by plain numbers, read all at once."""

from __future__ import annotations

import re

import pytest

from godel.metrics import Metrics


def test_a_snapshot_names_every_series_with_its_labels() -> None:
    metrics = Metrics()
    metrics.request_errors.of("Fetch", "NONE").add()
    metrics.request_errors.of("Fetch", "NONE").add(2)
    metrics.throttled.of("producer_byte_rate").add()
    metrics.bugs.add(10)
    metrics.requests_waiting.add(3)
    metrics.requests_waiting.add(-1)
    metrics.topic_count.rows = lambda: iter([((), 7)])
    metrics.sync_times.observe(1.5)
    snapshot = metrics.snapshot()
    errors = "kafka_network_requestmetrics_errors_total{request=Fetch,error=NONE}"
    assert snapshot[errors] == 3
    assert snapshot["godel_throttled_total{quota=producer_byte_rate}"] == 1
    assert snapshot["godel_bugs_total"] == 10
    assert snapshot["godel_requests_waiting"] == 2
    assert snapshot["kafka_controller_kafkacontroller_globaltopiccount"] == 7
    assert snapshot["kafka_log_logflushstats_logflushrateandtimems"] == 1


def test_requests_are_counted_by_version_and_timed_by_api() -> None:
    metrics = Metrics()
    metrics.stages("Fetch", "12").quick += 1
    metrics.stages("Fetch", "12").prompt(0.002)
    metrics.stages("Fetch", "13").queued(queue_s=0.5, local_s=0.003)
    metrics.stages("Fetch", "13").waited(queue_s=0.0, local_s=0.004, remote_s=0.1)
    snapshot = metrics.snapshot()
    times = "kafka_network_requestmetrics"
    assert snapshot[f"{times}_requests_total{{request=Fetch,version=12}}"] == 2
    assert snapshot[f"{times}_requests_total{{request=Fetch,version=13}}"] == 2
    assert snapshot[f"{times}_totaltimems{{request=Fetch}}"] == 4
    assert snapshot[f"{times}_remotetimems{{request=Fetch}}"] == 1


def test_a_series_is_made_once() -> None:
    metrics = Metrics()
    assert metrics.throttled.of("a") is metrics.throttled.of("a")
    with pytest.raises(ValueError, match="has the labels"):
        metrics.throttled.of("a", "extra")


def test_brokers_in_one_process_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.bugs.add()
    first.sync_times.observe(1)
    assert second.bugs.value == second.sync_times.value == 0


def test_every_metric_has_a_name_that_is_kafkas_or_ours_and_a_sentence() -> None:
    families = Metrics().families()
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert re.fullmatch(r"(kafka|godel)_[a-z0-9_]+", family.name)
        assert family.doc.endswith(".")
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert family.unit in ("", "ms", "bytes")
