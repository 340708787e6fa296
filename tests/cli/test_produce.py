"""`godel produce`: transcripts, and what they cannot show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client, records_of, values_of


def test_records(transcript: Callable[[str], None]) -> None:
    transcript("records")


def test_files_are_read_by_line_or_whole(godel: Command, broker: Broker, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"a\nb\n")
    second.write_bytes(b"c\r\nd")
    with Client(broker) as client:
        client.create("flights")
        assert godel("produce", "flights", str(first), str(second)).status == 0
        assert values_of(client.fetch("flights")) == ["a", "b", "c", "d"]
        assert godel("produce", "flights", "--whole", str(first)).status == 0
        assert values_of(client.fetch("flights", 4)) == ["a\nb\n"]
    missing = godel("produce", "flights", str(tmp_path / "3"))
    assert missing.status == 4
    assert "no such file" in missing.err.lower()


def test_rejected_records_are_counted_and_named(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("states", configs={"cleanup.policy": "compact"})
    result = godel("produce", "states", "-o", "json", stdin=b"no key\n" * 12)
    assert result.status == 1
    told = json.loads(result.out)
    assert (told["delivered"], len(told["rejected"])) == (0, 12)
    assert "record 1 was rejected" in result.err
    assert "2 records more rejected" in result.err


def test_what_consume_writes_produce_takes(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.create("copy")
        godel("produce", "flights", "-k", "k", "-H", "h=1", stdin=b"a\n\xff\n")
        lines = godel("consume", "flights", "--until", "end", "-o", "json").out
        assert godel("produce", "copy", "--json", "-z", "zstd", stdin=lines.encode()).status == 0
        assert records_of(client.fetch("copy")) == records_of(client.fetch("flights"))


def test_a_rate_lets_everything_through(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        assert godel("produce", "flights", "--rate", "100000", stdin=b"a\nb\n").status == 0
        assert values_of(client.fetch("flights")) == ["a", "b"]


def test_json_brings_its_own_keys(godel: Command, broker: Broker) -> None:
    assert godel("produce", "flights", "--json", "--key", "k").status == 2
    assert godel("produce", "flights", "--timestamp", "soon").status == 2
