"""What machines may ask of a broker: metrics, whether it lives, whether it serves."""

from __future__ import annotations

import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import anyio
import pytest
import structlog

from godel.clock import ManualClock, Randomness
from godel.config.sources import from_flags, load
from godel.metrics import Histogram, Metrics
from godel.server.monitor import PROBE_MS, Monitor, monitored, watch_event_loop
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.memory_files import MemoryFiles
from godel.testing import Broker
from tests.wire import Client, batch

ANYWHERE = {"metrics.listener": "127.0.0.1:0"}


def get(broker: Broker, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://{broker.node.monitor}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.read().decode()


def test_a_broker_shows_what_it_did() -> None:
    with Broker(ANYWHERE) as broker, Client(broker) as client:
        client.create("orders")
        client.produce("orders", batch("a", "b"))
        client.produce("nowhere", batch("a"))
        status, text = get(broker, "/metrics")
        assert status == 200
        assert 'messagesin_total{topic="orders"} 2.0' in text
        assert 'errors_total{error="UNKNOWN_TOPIC_OR_PARTITION",request="Produce"} 1.0' in text
        assert "\ngodel_bugs_total 0.0" in text


def test_a_broker_that_serves_is_alive_and_ready() -> None:
    with Broker(ANYWHERE) as broker:
        assert get(broker, "/healthz") == (200, "alive\n")
        assert get(broker, "/readyz") == (200, "ready\n")
        assert get(broker, "/elsewhere")[0] == 404


def test_a_broker_that_has_lost_one_of_its_data_directories_serves_the_others() -> None:
    disks = FaultyFiles()
    settings = {**ANYWHERE, "log.dirs": "one,two"}
    with Broker(settings, files=disks, clock=ManualClock()) as broker:
        disks.fail(lambda o: o.path.startswith("two") and o.kind is not Kind.READ)
        broker.advance(61_000)
        for _turn_of_the_loop in range(10):
            broker.run(lambda _node: None)
        assert get(broker, "/readyz") == (200, "ready\n")
        assert get(broker, "/healthz")[0] == 200
        assert "\nkafka_log_logmanager_offlinelogdirectorycount 1.0" in get(broker, "/metrics")[1]


def test_nothing_listens_unless_asked() -> None:
    with Broker() as broker:
        assert broker.node.monitor is None


def test_a_port_that_is_taken_is_said_with_the_name_of_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = Broker({"metrics.listener": f"127.0.0.1:{port}"})
        with pytest.raises(OSError, match=f"metrics.listener: cannot listen on 127.0.0.1:{port}"):
            taken.start()


def test_a_port_that_is_taken_leaves_the_data_directory_as_it_was() -> None:
    files = MemoryFiles()
    with Broker({"log.dirs": "data"}, files=files):
        pass
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OSError, match="cannot listen"):
            Broker({"log.dirs": "data", "metrics.listener": address}, files=files).start()
    clock, randomness = ManualClock(), Randomness(1)
    again = DataDirectories.open(("data",), files=files, clock=clock, randomness=randomness)
    assert again.was_clean


def test_what_keeps_a_broker_from_starting_is_told_as_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = Broker({**ANYWHERE, "listeners": f"PLAINTEXT://127.0.0.1:{port}"})
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            taken.start()


@pytest.mark.anyio
async def test_a_broker_that_starts_or_stops_is_alive_but_not_ready() -> None:
    config = load(from_flags(ANYWHERE.items())).config
    async with monitored(config, Metrics(), ManualClock(), structlog.get_logger()) as monitor:
        assert monitor.listens_on is not None
        assert (await monitor.answer("/healthz")).status == 200
        page = await monitor.answer("/readyz")
        assert (page.status, page.body) == (503, b"the broker is starting\n")


def test_a_broker_that_stops_is_not_ready() -> None:
    with Broker() as broker:
        monitor = Monitor(Metrics(), ManualClock(), structlog.get_logger())
        monitor.broker = broker.node.broker
        assert monitor.reason_not_ready() == ""
        broker.run(lambda node: node.broker.stop_waiting())
        assert monitor.reason_not_ready() == "the broker is stopping"


@pytest.mark.anyio
async def test_the_event_loop_is_watched() -> None:
    clock, lag = ManualClock(), Histogram()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_event_loop, clock, lag)
        await anyio.wait_all_tasks_blocked()
        clock.advance(PROBE_MS)
        clock.advance(40)  # passes before the loop gets to it
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert (lag.value, lag.sum_s) == (1, pytest.approx(0.04))
