"""Names that the shell completes."""

from __future__ import annotations

import pytest

from godel.cli.completion import group_names, topic_names
from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client, batch


def test_topics_and_groups(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.create("arrivals")
        client.produce("flights", batch("a"))
    godel("consume", "flights", "--group", "board", "-n", "1")
    assert topic_names("fl") == ["flights"]
    assert topic_names("x") == []
    assert group_names("b") == ["board"]


def test_nobody_there_completes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GODEL_BOOTSTRAP", "127.0.0.1:1")
    assert topic_names("") == []


def test_the_shell_gets_commands_and_topics(
    godel: Command, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(broker) as client:
        client.create("flights")
    monkeypatch.setenv("_GODEL_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "godel topics describe fl")
    assert "flights" in godel().out
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "godel to")
    assert "topics" in godel().out


@pytest.mark.parametrize(
    ("typed", "offered", "not_offered"),
    [
        ("configs set --topic t ret", ["retention.ms=", "retention.bytes="], []),
        ("configs set --topic t log.ret", [], ["log.retention.ms"]),
        ("configs set --brokers log.ret", ["log.retention.ms="], ["log.retention.check"]),
        ("configs get --broker 1 log.retention.c", ["log.retention.check.interval.ms"], ["="]),
        ("configs unset --group g consumer.s", ["consumer.session.timeout.ms"], ["="]),
        ("configs set slow", ["slow.request.log.ms="], []),
        ("topics create t --config cleanup", ["cleanup.policy="], []),
        ("broker edit --config write", ["write.caching="], []),
    ],
)
def test_the_shell_gets_settings_without_asking_anybody(
    godel: Command,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    offered: list[str],
    not_offered: list[str],
) -> None:
    monkeypatch.setenv("GODEL_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("_GODEL_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"godel {typed}")
    out = godel().out
    for name in offered:
        assert name in out
    for name in not_offered:
        assert name not in out
