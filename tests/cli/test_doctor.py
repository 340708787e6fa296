"""`godel doctor`: the command; its checks have tests of their own."""

from __future__ import annotations

import json

from godel.cli.doctor import status_of
from godel.cli.exits import Status
from godel.cli.findings import Finding, Grade
from godel.testing import Broker
from tests.cli.conftest import Command


def test_a_healthy_broker_passes_every_check_and_keeps_no_topic(godel: Command) -> None:
    result = godel("doctor")
    assert result.status == 0, result.out
    assert "a topic was created, written, read and deleted" in result.out
    assert "the clock of broker 1 is ours" in result.out
    assert result.err == "nothing is wrong\n"
    assert "godel-doctor" not in godel("topics", "list", "--internal").out


def test_machines_get_every_finding(godel: Command) -> None:
    findings = json.loads(godel("doctor", "--output", "json").out)
    assert {each["check"] for each in findings} >= {"bootstrap", "advertised", "versions", "clock"}
    assert {each["grade"] for each in findings} <= set(Grade)


def test_without_a_scratch_topic_nothing_is_made(godel: Command) -> None:
    result = godel("doctor", "--no-scratch")
    assert result.status == 0
    assert "no topic was to be made" in result.out
    assert godel("topics", "list", "--internal", "-o", "json").out == "[]\n"


def test_a_problem_ends_with_status_1(godel: Command, broker: Broker) -> None:
    godel("broker", "edit", "--config", "message.max.bytes=2000000000")
    result = godel("doctor")
    assert result.status == 1
    assert "-> raise socket.request.max.bytes above it" in result.out


def test_where_nobody_answers_the_status_says_so(command: Command) -> None:
    result = command("doctor", "--bootstrap", "127.0.0.1:1")
    assert result.status == Status.UNREACHABLE
    assert "nothing listens there" in result.out


def test_warnings_are_no_failure() -> None:
    reached = Finding("bootstrap", Grade.OK, "")
    assert status_of([reached, Finding("disk", Grade.WARNING, "")]) is Status.DONE
    assert status_of([reached, Finding("disk", Grade.PROBLEM, "")]) is Status.FAILED
