"""What Prometheus is given: every kind, in the text format, and never too much."""

from __future__ import annotations

import re
from collections.abc import Iterator

import anyio
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from godel.clock import Clock, ManualClock
from godel.metrics import TIME_BOUNDS_MS, Metrics, Row
from godel.server import exposition
from godel.server.exposition import expose

pytestmark = pytest.mark.anyio


async def samples(
    metrics: Metrics, clock: Clock | None = None
) -> dict[tuple[str, frozenset[str]], float]:
    """Every value by name and label values, as Prometheus' own parser reads them."""
    text = await expose(metrics, clock or ManualClock(), structlog.get_logger())
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def test_every_kind_is_written_as_prometheus_has_it() -> None:
    metrics = Metrics()
    metrics.request_errors.of("Fetch", "NONE").add(5)
    metrics.requests_waiting.set(2)
    metrics.topic_count.rows = lambda: iter([((), 3)])
    metrics.bytes_in.rows = lambda: iter([(("a topic",), 10), (('an "odd" one\n',), 20)])
    metrics.sync_times.observe(0.0003)
    metrics.sync_times.observe(99.999)
    found = await samples(metrics)
    fsync = "kafka_log_logflushstats_logflushrateandtimems"
    bytes_in = "kafka_server_brokertopicmetrics_bytesin_total"
    errors = ("kafka_network_requestmetrics_errors_total", frozenset({"Fetch", "NONE"}))
    assert found[errors] == 5
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


async def test_a_metric_that_is_written_in_pieces_has_one_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exposition, "LINES_AT_ONCE", 10)
    metrics = Metrics()
    metrics.bytes_in.rows = lambda: (((f"t{index}",), index) for index in range(25))
    for api in ("Fetch", "Metadata", "Produce"):
        metrics.stages(api, "3").prompt(0.1)
    text = (await expose(metrics, ManualClock(), structlog.get_logger())).decode()
    for name in ("brokertopicmetrics_bytesin_total", "requestmetrics_localtimems"):
        assert len(re.findall(f"# TYPE kafka_[a-z]+_{name} ", text)) == 1
    found = await samples(metrics)
    bytes_in = "kafka_server_brokertopicmetrics_bytesin_total"
    assert [found[bytes_in, frozenset({f"t{index}"})] for index in range(25)] == list(range(25))
    for api in ("Fetch", "Metadata", "Produce"):
        assert found["kafka_network_requestmetrics_localtimems_count", frozenset({api})] == 1


async def test_others_have_their_turn_while_metrics_are_read() -> None:
    metrics, clock = Metrics(), ManualClock()

    def slow() -> Iterator[Row]:
        for index in range(10):
            clock.advance(exposition.SLICE_MS)
            yield (str(index),), turns

    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    metrics.bytes_in.rows = slow
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take_turns)
        await expose(metrics, clock, structlog.get_logger())
        tasks.cancel_scope.cancel()
    assert turns >= 10


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
    names = [(name, labels) for name, labels in await samples(metrics, clock)]
    assert sum(name == "kafka_consumergroup_lag" for name, _ in names) == 9
    assert ("godel_metrics_series_left_out", frozenset({"kafka_consumergroup_lag"})) in names


async def test_a_metric_that_cannot_be_read_takes_no_other_away() -> None:
    def broken() -> Iterator[Row]:
        yield ("t",), 1
        raise RuntimeError("a bug")

    metrics = Metrics()
    metrics.bytes_in.rows = broken
    metrics.topic_count.rows = lambda: 1 / 0  # type: ignore[assignment,return-value]  # a bug
    metrics.group_lag.rows = lambda: iter([(("g", "t", "0"), 3)])
    with capture_logs() as logged:
        found = await samples(metrics)
    assert found["kafka_consumergroup_lag", frozenset({"g", "t", "0"})] == 3
    unread = {
        "kafka_server_brokertopicmetrics_bytesin_total",
        "kafka_controller_kafkacontroller_globaltopiccount",
    }
    left_out = {label for name, label in found if name == "godel_metrics_series_left_out"}
    assert left_out == {frozenset({name}) for name in unread}
    assert not unread & {name for name, _ in found}
    assert metrics.bugs.value == 2
    assert {entry["metric"] for entry in logged} == unread
