"""The Grafana dashboard asks for metrics that exist, by labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from godel.metrics import Declared, Metrics

PATH = Path(__file__).parent.parent / "deploy" / "grafana" / "godel.json"
DASHBOARD: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
OF_THE_SCRAPE = {"job", "instance"}
OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
}
"""What prometheus_client shows of every process."""

METRIC = re.compile(r"\b((?:kafka|godel|process)_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\bby \(([^)]*)\)")


def declared() -> dict[str, Declared]:
    """Every name that a sample may have."""
    names: dict[str, Declared] = {}
    for family in Metrics().families():
        suffixes = ("_bucket", "_count", "_sum") if family.kind == "histogram" else ("",)
        names.update({family.name + suffix: family for suffix in suffixes})
    return names


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_a_panel_asks_for_what_there_is(title: str, expression: str) -> None:
    names = declared()
    found = METRIC.findall(expression)
    assert found, f"{title} asks for nothing"
    labels = set(OF_THE_SCRAPE)
    for name, _ in found:
        if name not in OF_THE_PROCESS:
            assert name in names, f"{title}: {name} is not declared in godel/metrics"
            labels |= {*names[name].labels, "le"}
    asked = {label for _, selector in found for label in re.findall(r"(\w+)=", selector)}
    asked |= {label for group in GROUPING.findall(expression) for label in group.split(", ")}
    assert asked <= labels, f"{title}: no label {asked - labels}"


def test_the_dashboard_shows_everything_that_is_counted() -> None:
    """What nobody draws nobody sees; what is left out here is left out on purpose."""
    shown = {name for _, expression in expressions() for name, _ in METRIC.findall(expression)}
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} | shown
    missing = {family.name for family in Metrics().families()} - shown
    assert missing == {
        "kafka_server_socket_server_metrics_incoming_byte_total",  # much like bytes in and out
        "kafka_server_socket_server_metrics_outgoing_byte_total",
        "godel_frames_oversized_total",  # closes the connection, which is shown with its reason
        "godel_throttle_ms_total",
        "kafka_log_log_logstartoffset",
        "kafka_log_log_logendoffset",
        "kafka_consumergroup_current_offset",
        "kafka_controller_kafkacontroller_activecontrollercount",
        "kafka_server_fetchsessioncache_numincrementalfetchsessions",
        "godel_metrics_series_left_out",
    }


def test_panels_lie_beside_each_other() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & mine, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= mine
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
