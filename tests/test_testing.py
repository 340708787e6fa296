"""The embedded broker, from the view of those who write tests with it."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from pathlib import Path

import pytest
import structlog

from godel import testing
from godel.clock import ManualClock, Randomness
from godel.config.sources import ConfigError
from godel.metadata.sqlite_store import StoreUnusable
from godel.storage.data_directory import DataDirectoryError
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.wire import Client, batch, fetch_request, values_of


def test_nothing_global_is_touched(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def surroundings() -> tuple[object, ...]:
        return (
            structlog.is_configured(),
            structlog.get_config(),
            signal.getsignal(signal.SIGTERM),
            signal.getsignal(signal.SIGINT),
            asyncio.get_event_loop_policy(),
            logging.getLogger().handlers[:0],
            logging.getLogger("godel").handlers,
            logging.getLogger("godel").level,
            threading.active_count(),
        )

    before = surroundings()
    disk = FaultyFiles()
    with Broker(files=disk) as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
        disk.fail(lambda operation: operation.kind is Kind.RENAME)
        client.delete("t")
        disk.faults = None
    assert surroundings() == before
    assert capfd.readouterr() == ("", "")
    assert any("partition_not_deleted" in record.message for record in caplog.records)


def test_stop_and_start_keep_the_data_and_a_new_broker_begins_empty(tmp_path: Path) -> None:
    for data in (None, tmp_path / "data"):
        broker = Broker(data=data)
        with broker, Client(broker) as client:
            client.create("t")
            client.produce("t", batch("a"))
        with broker, Client(broker) as client:
            assert values_of(client.fetch("t")) == ["a"]
    with Broker() as broker, Client(broker) as client:
        assert client.describe("t").topics[0].error_code != 0


def test_a_directory_belongs_to_one_broker_at_a_time(tmp_path: Path) -> None:
    with Broker(data=tmp_path / "data"), pytest.raises(DataDirectoryError, match="in use"):
        Broker(data=tmp_path / "data").start()
    Broker(data=tmp_path / "data").start().stop()


def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    broker = Broker(data=tmp_path / "data")
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
    metadata = tmp_path / "data" / "metadata.sqlite"
    content = metadata.read_bytes()
    metadata.write_bytes(b"damaged" * 1000)
    threads = threading.active_count()
    with pytest.raises(StoreUnusable):
        broker.start()
    assert threading.active_count() == threads
    metadata.write_bytes(content)
    with broker, Client(broker) as client:
        assert client.leader_epoch("t") == 0, "the stop before is still a clean one"
        assert values_of(client.fetch("t")) == ["a"]


def test_settings_are_kafkas_and_are_checked() -> None:
    with Broker({"num.partitions": 3, "auto.create.topics.enable": True}) as broker:
        assert broker.config.num_partitions == 3
        assert broker.config.write_caching, "a test wants no sync"
        assert broker.config.group_initial_rebalance_delay_ms == 0
    with pytest.raises(ConfigError, match=r"num\.partitions"):
        Broker({"num.partition": 3})


def test_a_seed_makes_ids_repeatable() -> None:
    def ids() -> tuple[str, bytes]:
        with Broker(seed=7) as broker, Client(broker) as client:
            return broker.node.broker.metadata.image.cluster_id, client.create("t")

    assert ids() == ids()


def test_a_client_that_takes_no_answer_does_not_keep_it_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(testing, "PATIENCE_MS", 10.0)
    broker = Broker({"message.max.bytes": 30_000_000}, clock=ManualClock())
    with broker, Client(broker) as client, Client(broker) as reader:
        client.create("t")
        client.produce("t", batch("x" * 20_000_000))
        reader.post(fetch_request({("t", 0): 0}))
        assert reader.socket.recv(1), "the answer has begun"
        broker.stop()


def test_its_state_is_said_where_it_does_not_fit() -> None:
    broker = Broker()
    with pytest.raises(RuntimeError, match="not running"):
        broker.bootstrap_servers  # noqa: B018  # reading it is what is tested
    with pytest.raises(RuntimeError, match="not running"):
        broker.run(lambda node: node)
    broker.stop()
    with broker, pytest.raises(RuntimeError, match="running already"):
        broker.start()
    broker.stop()
    with broker:
        assert broker.bootstrap_servers.startswith("127.0.0.1:")
        with pytest.raises(TypeError, match="ManualClock"):
            broker.advance(1)
        with pytest.raises(TypeError, match="FaultyFiles"):
            broker.crash()


def test_data_and_files_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in both"):
        Broker(data=tmp_path, files=FaultyFiles())


def test_a_crash_may_keep_some_of_what_was_not_synced() -> None:
    kept = set()
    for seed in range(12):
        broker = Broker(files=FaultyFiles(), clock=ManualClock())
        with broker, Client(broker) as client:
            client.create("t", configs={"flush.messages": 1})
            client.produce("t", batch("synced"))
            client.alter("t", {"flush.messages": None})
            for value in "abc":
                client.produce("t", batch(value))
            broker.crash(Randomness(seed))
        with broker, Client(broker) as client:
            values = values_of(client.fetch("t"))
            assert values == ["synced", "a", "b", "c"][: len(values)]
            assert values
            kept.add(len(values))
    assert len(kept) > 1
