"""What Prometheus is given: every kind, both formats, and never too much."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from godel.clock import ManualClock
from godel.metrics import TIME_BOUNDS_MS, Metrics, Row
from godel.server import exposition
from godel.server.exposition import expose, gather

pytestmark = pytest.mark.anyio


async def samples(metrics: Metrics, accept: str = "") -> dict[tuple[str, frozenset[str]], float]:
    """Every value by name and label values, as Prometheus' own parser reads them."""
    answer = await expose(metrics, ManualClock(), accept)
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


async def test_every_kind_is_written_as_prometheus_has_it() -> None:
    metrics = Metrics()
    metrics.requests.of("Fetch", "12").add(5)
    metrics.requests_waiting.set(2)
    metrics.topic_count.rows = lambda: iter([((), 3)])
    metrics.bytes_in.rows = lambda: iter([(("a topic",), 10), (('an "odd" one\n',), 20)])
    metrics.sync_times.observe(0.0003)
    metrics.sync_times.observe(99.999)
    found = await samples(metrics)
    fsync = "kafka_log_logflushstats_logflushrateandtimems"
    bytes_in = "kafka_server_brokertopicmetrics_bytesin_total"
    requests = ("kafka_network_requestmetrics_requests_total", frozenset({"Fetch", "12"}))
    assert found[requests] == 5
    assert found["godel_requests_waiting", frozenset()] == 2
    assert found["kafka_controller_kafkacontroller_globaltopiccount", frozenset()] == 3
    assert found[bytes_in, frozenset({"a topic"})] == 10
    assert found[bytes_in, frozenset({'an "odd" one\n'})] == 20
    assert found[f"{fsync}_bucket", frozenset({"0.25"})] == 0
    assert found[f"{fsync}_bucket", frozenset({"0.5"})] == 1
    assert found[f"{fsync}_bucket", frozenset({str(TIME_BOUNDS_MS[-1])})] == 1
    assert found[f"{fsync}_bucket", frozenset({"+Inf"})] == 2
    assert found[f"{fsync}_count", frozenset()] == 2
    assert found[f"{fsync}_sum", frozenset()] == pytest.approx(99_999.3)


async def test_the_process_is_there_under_the_usual_names() -> None:
    found = await samples(Metrics())
    assert found["process_resident_memory_bytes", frozenset()] > 0


async def test_the_newer_format_is_given_to_whom_asks_for_it() -> None:
    answer = await expose(Metrics(), ManualClock(), "application/openmetrics-text; version=1.0.0")
    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


async def test_no_metric_has_more_series_than_an_answer_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exposition, "MAX_SERIES", 3)
    metrics = Metrics()
    metrics.group_lag.rows = lambda: ((("g", "t", str(index)), 1) for index in range(4))
    metrics.bytes_in.rows = lambda: (((str(index),), 1) for index in range(3))
    found = await samples(metrics)
    names = [name for name, _ in found]
    assert names.count("kafka_consumergroup_lag") == 3
    assert names.count("kafka_server_brokertopicmetrics_bytesin_total") == 3
    left_out = [key for key in found if key[0] == "godel_metrics_series_left_out"]
    assert left_out == [("godel_metrics_series_left_out", frozenset({"kafka_consumergroup_lag"}))]


async def test_what_takes_too_long_to_read_is_left_out() -> None:
    metrics, clock = Metrics(), ManualClock()

    def slow() -> Iterator[Row]:
        for index in range(1_000):
            clock.advance(exposition.GATHERING_MS / 10)
            yield ("g", "t", str(index)), 0

    metrics.group_lag.rows = slow
    found = {each.declared.name: each for each in await gather(metrics, clock)}
    assert len(found["kafka_consumergroup_lag"].rows) == 9
    left_out = [labels for labels, _ in found["godel_metrics_series_left_out"].rows]
    assert ("kafka_consumergroup_lag",) in left_out
