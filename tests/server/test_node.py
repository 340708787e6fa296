"""One broker, composed: what it locks, listens on, tells and survives."""

from __future__ import annotations

import asyncio
import socket

import pytest

from godel import descriptors
from godel.broker.context import Endpoint
from godel.clock import ManualClock
from godel.config.sources import from_flags, load
from godel.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from godel.server.node import advertised, limits
from godel.storage.data_directory import DataDirectoryError
from godel.storage.faulty_files import FaultyFiles
from godel.testing import Broker
from tests.wire import (
    BROKER,
    Client,
    batch,
    values_of,
)


def test_two_brokers_do_not_share_a_directory() -> None:
    disk = FaultyFiles()
    with Broker(files=disk), pytest.raises(DataDirectoryError, match="in use by another broker"):
        Broker(files=disk).start()


def test_a_start_that_fails_leaves_the_directory_as_it_was() -> None:
    disk = FaultyFiles()
    broker = Broker(files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = broker.config
        broker.config = load(
            from_flags([("listeners", f"127.0.0.1:{port}"), ("write.caching", "true")])
        ).config
        with pytest.raises(OSError, match=str(port)):
            broker.start()
        broker.config = config
    with broker, Client(broker) as client:
        assert client.leader_epoch("t") == 0
        assert values_of(client.fetch("t")) == ["a"]


def test_ten_brokers_live_side_by_side_each_with_its_own_time() -> None:
    brokers = [Broker(clock=ManualClock()).start() for _ in range(10)]
    try:
        for n, broker in enumerate(brokers):
            with Client(broker) as client:
                client.create("t")
                client.produce("t", batch(str(n)))
        brokers[3].advance(86_400_000)
        for n, broker in enumerate(brokers):
            with Client(broker) as client:
                assert values_of(client.fetch("t")) == [str(n)]
    finally:
        for broker in brokers:
            broker.stop()


@pytest.mark.parametrize(
    ("settings", "bound", "expected"),
    [
        ({}, ("127.0.0.1", 9092), ("127.0.0.1", 9092)),
        ({"listeners": "0.0.0.0:0"}, ("0.0.0.0", 4711), (socket.gethostname(), 4711)),
        ({"listeners": "[::]:0"}, ("::", 4711), (socket.gethostname(), 4711)),
        ({"listeners": "PLAINTEXT://:0"}, ("", 4711), (socket.gethostname(), 4711)),
        ({"advertised.listeners": "kafka.example:1"}, ("0.0.0.0", 4711), ("kafka.example", 1)),
        ({"advertised.listeners": "[::1]:1"}, ("0.0.0.0", 4711), ("::1", 1)),
    ],
)
def test_clients_are_told_an_address_that_they_can_use(
    settings: dict[str, str], bound: tuple[str, int], expected: tuple[str, int]
) -> None:
    config = load(from_flags(settings.items())).config
    assert advertised(config, Endpoint(*bound)) == Endpoint(*expected)


def test_the_advertised_address_stands_in_metadata() -> None:
    settings = {"advertised.listeners": "PLAINTEXT://kafka.example:19092"}
    with Broker(settings) as broker, Client(broker) as client:
        (node,) = client.describe().brokers
        assert (node.host, node.port) == ("kafka.example", 19092)


def test_the_limits_follow_the_configuration() -> None:
    settings = {
        "socket.request.max.bytes": "1000",
        "max.connections": "7",
        "max.connections.per.ip": "3",
        "connections.max.idle.ms": "-1",
        "queued.max.request.bytes": "5000",
    }
    bounds = limits(load(from_flags(settings.items())).config)
    assert bounds.max_request_bytes == 1000
    assert bounds.max_connections == 7
    assert bounds.max_connections_per_ip == 3
    assert bounds.max_idle_ms == -1
    assert bounds.queued_request_bytes == 5000


def test_connections_end_where_files_would_lack_descriptors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(descriptors, "for_connections", lambda: 2)
    with Broker() as broker, Client(broker) as client, Client(broker) as second:
        second.describe()
        with Client(broker) as refused:
            assert refused.socket.recv(1) == b"", "closed at once"
        client.create("t")
        assert client.produce("t", batch("a")).error_code == 0


def test_the_metadata_of_a_restarted_broker_names_its_new_port() -> None:
    broker = Broker()
    for _ in range(2):
        with broker, Client(broker) as client:
            wanted = [MetadataRequestTopic(name="t")]
            response = client.send(MetadataRequest(topics=wanted))
            assert [node.port for node in response.brokers] == [broker.node.endpoint.port]


def test_the_limit_of_connections_is_followed_live() -> None:
    with Broker() as broker, Client(broker) as client:
        with Client(broker) as second:
            second.describe()
        client.alter("1", {"max.connections": 1}, resource_type=BROKER)
        with Client(broker) as refused:
            assert refused.socket.recv(1) == b"", "closed at once"
        client.alter("1", {"max.connections": None}, resource_type=BROKER)
        with Client(broker) as third:
            third.describe()


@pytest.mark.parametrize(("error", "bugs"), [(RuntimeError("a bug"), 1), (OSError("no room"), 0)])
def test_what_nobody_catches_is_logged_and_a_bug_counted(
    error: Exception, bugs: int, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    with Broker() as broker:
        broker.run(lambda _node: asyncio.get_running_loop().call_soon(fail))
        assert broker.run(lambda node: node.broker.metrics.bugs.value) == bugs
        with Client(broker) as client:
            client.describe()
    (told,) = (record for record in caplog.records if "unforeseen_error" in record.message)
    assert str(error) in told.message
