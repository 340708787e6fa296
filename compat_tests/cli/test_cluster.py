"""`godel` and its client against Apache Kafka on three nodes, one of which stops for a while."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from compat_tests import kafka_cluster
from compat_tests.brokers import BrokerProcess
from compat_tests.cli.test_cli import Godel
from compat_tests.java.runner import need_kafkas_jars
from compat_tests.waiting import eventually
from godel.cli.findings import Finding, Grade
from godel.client.cluster import Cluster, parse_addresses

need_kafkas_jars()

pytestmark = pytest.mark.slow

NODES = 3


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[BrokerProcess]]:
    with kafka_cluster.running(tmp_path_factory.mktemp("cluster"), NODES) as brokers:
        yield brokers


@pytest.fixture
def godel(brokers: list[BrokerProcess], tmp_path: Path) -> Godel:
    """Asks any broker but the last, the one that stops."""
    return Godel(",".join(each.bootstrap for each in brokers[:-1]), tmp_path)


@contextmanager
def stopped(broker: BrokerProcess) -> Iterator[None]:
    broker.stop()
    try:
        yield
    finally:
        broker.start()


def wrong(godel: Godel) -> list[Finding]:
    """What the doctor finds amiss between brokers; how full the disk is does not matter here."""
    found = godel.run("doctor", "--output", "json")
    assert found.status in (0, 1), found.err
    findings = [Finding(**each) for each in json.loads(found.out)]
    assert len([each for each in findings if each.check == "advertised"]) == NODES
    between = ("cluster", "advertised", "versions", "topics", "round trip", "groups")
    return [
        each
        for each in findings
        if each.check in between and each.grade in (Grade.PROBLEM, Grade.WARNING)
    ]


def test_the_doctor_names_the_broker_that_stopped(
    godel: Godel, brokers: list[BrokerProcess]
) -> None:
    created = godel.run("topics", "create", "replicated", "-p", "3", "--replicas", str(NODES))
    assert created.status == 0, created.err
    assert wrong(godel) == []
    with stopped(brokers[-1]):
        away, lacking = wrong(godel)
        assert (away.check, away.grade) == ("advertised", Grade.PROBLEM)
        assert f"broker {NODES} at {brokers[-1].bootstrap}" in away.what
        assert "cannot be dialled: connection refused" in away.what
        assert (away.advice or "").startswith("start it")
        assert (lacking.check, lacking.grade) == ("topics", Grade.WARNING)
        assert f"broker {NODES} should have them" in lacking.what
        assert lacking.advice == "a broker is down: start it"
    eventually(lambda: wrong(godel) == [], "the broker is back in every place")


def test_records_and_groups_outlast_a_broker(godel: Godel, brokers: list[BrokerProcess]) -> None:
    godel.run("topics", "create", "outlasting", "-p", "3", "--replicas", str(NODES))
    lines = "".join(f"key {number}\tvalue {number}\n" for number in range(30))
    keyed = ("produce", "outlasting", "--key-separator", r"\t")
    read = ("consume", "outlasting", "--group", "board", "-n", "30")
    assert godel.run(*keyed, stdin=lines).status == 0
    assert len(godel.run(*read).out.splitlines()) == 30
    with stopped(brokers[-1]):
        assert godel.run(*keyed, stdin=lines).status == 0
        rows = godel.json("topics", "partitions", "outlasting", "--under-replicated")
        assert [each["partition"] for each in rows] == [0, 1, 2]
        assert {leader for each in rows if (leader := each["leader"])} <= {1, 2}
        assert len(godel.run(*read).out.splitlines()) == 30


def test_the_controller_is_the_node_that_leads_the_quorum(godel: Godel) -> None:
    for _ in range(3):
        rows = godel.json("broker", "list")
        assert [each["id"] for each in rows if each["controller"]] == [1]


def test_a_client_goes_on_with_brokers_that_its_bootstrap_has_told_it_of(
    brokers: list[BrokerProcess],
) -> None:
    async def ask() -> None:
        async with Cluster(parse_addresses(brokers[-1].bootstrap), timeout_ms=20_000) as cluster:
            assert len((await cluster.metadata([])).brokers) == NODES
            with stopped(brokers[-1]):
                answer = await cluster.retried(lambda: cluster.metadata([]))
                assert {each.node_id for each in answer.brokers} >= {1, 2}

    anyio.run(ask)
