"""Dialling addresses, and what is made of it."""

from __future__ import annotations

import pytest

from godel.cli.dialling import (
    ADVERTISE,
    Dialled,
    dial,
    is_loopback,
    judge,
    judge_fenced,
    misleading,
)
from godel.cli.findings import Grade
from godel.client.cluster import Cluster, parse_addresses
from godel.client.connection import Address
from godel.testing import Broker

HERE = Address("db.example", 9092)


@pytest.mark.anyio
async def test_who_answers_says_which_cluster_it_is(broker: Broker) -> None:
    (address,) = parse_addresses(broker.bootstrap_servers)
    async with Cluster([address]) as cluster:
        dialled = await dial(cluster, address)
        elsewhere = await dial(cluster, Address("127.0.0.1", 1))
        nowhere = await dial(cluster, Address("no.such.name.invalid", 9092))
    assert list(dialled.cluster_ids) == ["127.0.0.1"]
    assert not elsewhere.answers
    assert elsewhere.failures == {"127.0.0.1": "connection refused"}
    assert nowhere.unresolved


def test_a_name_that_answers_is_fine() -> None:
    finding = judge("advertised", "broker 1 at ", Dialled(HERE, {"10.0.0.1": "A"}, {}), "A")
    assert finding.grade is Grade.OK
    assert finding.what == "broker 1 at db.example:9092 (10.0.0.1) answers"


def test_another_cluster_behind_the_address_is_a_problem() -> None:
    finding = judge("advertised", "", Dialled(HERE, {"10.0.0.1": "B"}, {}), "A")
    assert finding.grade is Grade.PROBLEM
    assert "another cluster answers there (B)" in finding.what


def test_a_name_with_a_dead_address_behind_it_is_a_warning() -> None:
    dialled = Dialled(HERE, {"127.0.0.1": "A"}, {"::1": "connection refused"})
    finding = judge("bootstrap", "", dialled, None)
    assert finding.grade is Grade.WARNING
    assert "not at ::1 (connection refused)" in finding.what


@pytest.mark.parametrize(
    ("dialled", "check", "advice"),
    [
        (Dialled(HERE, {}, {}, "unknown name"), "bootstrap", "correct the name"),
        (Dialled(HERE, {}, {}, "unknown name"), "advertised", ADVERTISE),
        (Dialled(HERE, {}, {"10.0.0.1": "connection refused"}), "advertised", ADVERTISE),
        (Dialled(HERE, {}, {"10.0.0.1": "no connection in 5 seconds"}), "bootstrap", "firewall"),
        (Dialled(HERE, {}, {"10.0.0.1": "no answer in 5 seconds"}), "bootstrap", "another kind"),
        (Dialled(HERE, {}, {"10.0.0.1": "speaks nothing but HTTP"}), "bootstrap", "the port"),
        (Dialled(HERE, {}, {"10.0.0.1": "something else"}), "bootstrap", "the broker's log"),
    ],
)
def test_who_does_not_answer_comes_with_advice(dialled: Dialled, check: str, advice: str) -> None:
    finding = judge(check, "", dialled, None)
    assert finding.grade is Grade.PROBLEM
    assert advice in (finding.advice or "")


def test_a_broker_that_takes_no_part_is_a_problem_whether_it_answers_or_not() -> None:
    gone = judge_fenced(3, Dialled(HERE, {}, {"10.0.0.1": "connection refused"}))
    assert (gone.check, gone.grade) == ("advertised", Grade.PROBLEM)
    assert "broker 3 at db.example:9092" in gone.what
    assert "cannot be dialled: connection refused" in gone.what
    assert (gone.advice or "").startswith("start it")
    there = judge_fenced(3, Dialled(HERE, {"10.0.0.1": "A"}, {}))
    assert "although it answers" in there.what
    assert "the controller" in (there.advice or "")


def test_addresses_that_lead_clients_astray() -> None:
    outside, inside = [Address("10.0.0.1", 9092)], [Address("localhost", 9092)]
    assert "every address" in (misleading("0.0.0.0", outside) or "")
    assert "their own machine" in (misleading("127.0.0.1", outside) or "")
    assert misleading("127.0.0.1", inside) is None
    assert misleading("db.example", outside) is None
    assert is_loopback("::1")
    assert not is_loopback("db.example")
