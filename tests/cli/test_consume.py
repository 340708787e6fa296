"""`godel consume`: what a transcript cannot show."""

from __future__ import annotations

import json

from godel.cli.consume import for_people, readable
from godel.records.batch import Record
from godel.testing import Broker
from godel.types import TopicPartition
from tests.cli.conftest import Command
from tests.wire import NOW_MS, Client, batch

WHERE = TopicPartition("flights", 0)


def test_people_get_one_line_that_harms_no_terminal() -> None:
    record = Record(7, NOW_MS, b"k", b"a\x1b[31m\n\xff", [("h", None)])
    assert for_people(WHERE, record) == (
        b"flights 0:7  2023-11-14T22:13:20.000Z  k  a\\x1b[31m\\n\\xff  h=\n"
    )
    assert for_people(WHERE, record._replace(value=None, key=None)).rstrip().endswith(b"h=")
    assert readable("Gödel".encode()) == "Gödel"


def test_values_are_bare_in_a_pipe(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.produce("flights", batch("a", "b"))
    assert godel("consume", "flights", "-n", "2").out == "a\nb\n"


def test_a_group_begins_where_it_stopped(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.produce("flights", batch("a", "b", "c"))
    words = ("consume", "flights", "--group", "board")
    assert godel(*words, "-n", "2").out == "a\nb\n"
    assert godel(*words, "-n", "1", "--no-commit").out == "c\n"
    assert godel(*words, "-n", "1", "--assignor", "cooperative-sticky").out == "c\n"


def test_a_group_chooses_partitions_itself(godel: Command, broker: Broker) -> None:
    assert godel("consume", "flights", "--group", "board", "-p", "0").status == 2


def test_a_member_of_a_group_reads_its_partitions_up_to_a_bound_and_commits_that(
    godel: Command, broker: Broker
) -> None:
    with Client(broker) as client:
        client.create("flights", partitions=2)
        for partition, values in enumerate(("abc", "x")):
            client.produce("flights", batch(*values), partition=partition)
    words = ("consume", "flights", "--group", "board", "--until")
    assert sorted(godel(*words, "2").out.split()) == ["a", "b", "x"]
    assert godel(*words, "2").out == ""
    assert godel(*words, "end").out == "c\n"
    assert godel(*words, "end").out == ""


def test_reading_stops_at_an_offset(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.produce("flights", batch("a", "b", "c"))
    result = godel("consume", "flights", "--from", "1", "--until", "2", "-o", "json")
    assert [json.loads(line)["offset"] for line in result.out.splitlines()] == [1]


def test_an_unknown_field_of_a_format_is_wrong_usage(godel: Command) -> None:
    result = godel("consume", "flights", "--format", "%q")
    assert result.status == 2
    assert "%q means nothing" in result.err
