"""`godel topics`: transcripts, and what they cannot show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client, batch


def test_topics(transcript: Callable[[str], None]) -> None:
    transcript("topics")


def test_records_are_deleted_up_to_an_offset(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.produce("flights", batch("a", "b", "c"))
        result = godel("topics", "records", "flights", "--before", "2", "--yes", "-o", "json")
        assert result.status == 0
        assert '"begins": 2' in result.out
        assert client.list_offset("flights", -2).offset == 2


def test_records_need_to_know_what_to_delete(godel: Command, broker: Broker) -> None:
    result = godel("topics", "records", "flights")
    assert result.status == 2
    assert "--before or --all" in result.err


def test_nothing_is_deleted_without_an_answer(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        assert godel("topics", "delete", "flights").status == 2
        (topic,) = client.describe("flights").topics
    assert topic.error_code == 0


@pytest.mark.parametrize("words", [("edit", "flights"), ("list", "[", "--regex")])
def test_what_makes_no_sense_is_wrong_usage(godel: Command, words: tuple[str, ...]) -> None:
    assert godel("topics", *words).status == 2
