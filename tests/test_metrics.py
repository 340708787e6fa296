"""Metrics: declared once, counted by plain integers, read all at once."""

from __future__ import annotations

import pytest

from godel.metrics import Metrics


def test_a_snapshot_names_every_series_with_its_labels() -> None:
    metrics = Metrics()
    metrics.requests.of("Fetch").add()
    metrics.requests.of("Fetch").add(2)
    metrics.request_errors.of("Fetch", "NOT_LEADER_OR_FOLLOWER").add()
    metrics.bytes_received.add(10)
    metrics.connections.add(3)
    metrics.connections.add(-1)
    snapshot = metrics.snapshot()
    assert snapshot["godel_requests_total{api=Fetch}"] == 3
    assert snapshot["godel_request_errors_total{api=Fetch,error=NOT_LEADER_OR_FOLLOWER}"] == 1
    assert snapshot["godel_bytes_received_total"] == 10
    assert snapshot["godel_connections"] == 2


def test_a_series_is_made_once() -> None:
    metrics = Metrics()
    assert metrics.requests.of("Fetch") is metrics.requests.of("Fetch")
    with pytest.raises(ValueError, match="has the labels"):
        metrics.requests.of("Fetch", "extra")


def test_brokers_in_one_process_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.bugs.add()
    assert second.bugs.value == 0


def test_every_metric_has_a_name_of_ours_and_a_sentence() -> None:
    families = Metrics().families()
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith("godel_")
        assert family.doc.endswith(".")
        assert (family.kind == "counter") == family.name.endswith("_total")
