"""Data directories for the tests of what operators do: made by a broker, looked into afterwards."""

from __future__ import annotations

import struct
from pathlib import Path

from godel.clock import ManualClock
from godel.records.builder import NewRecord, build_batch
from godel.testing import Broker
from tests.wire import Client

SETTINGS = {
    "log.index.interval.bytes": "200",
    "log.cleaner.enable": "false",
}
SMALL_SEGMENTS = {"segment.bytes": "1048576", "retention.ms": "-1"}
PRODUCER_ID = 4000


def used_directory(path: Path, *, batches: int = 60) -> Path:
    """Two topics: one of two segments with an idempotent producer, and an empty one."""
    with (
        Broker(SETTINGS, data=path, clock=ManualClock(), seed=1) as broker,
        Client(broker) as client,
    ):
        client.create("t", configs=SMALL_SEGMENTS)
        client.create("unused")
        for number in range(batches):
            client.produce("t", sequenced(number))
    return path


def sequenced(number: int, size: int = 30_000) -> bytes:
    """The `number`th batch of an idempotent producer: two records."""
    records = [NewRecord(b"k", b"%d" % number + b"." * size) for _ in range(2)]
    return build_batch(
        records,
        timestamp_ms=ManualClock().now_ms() + number,
        producer_id=PRODUCER_ID,
        producer_epoch=0,
        base_sequence=2 * number,
    )


def segments(path: Path, folder: str = "t-0") -> list[Path]:
    return sorted((path / folder).glob("*.log"))


def flip(path: Path, position: int) -> None:
    """Damage a byte."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x5A
    path.write_bytes(data)


def batch_positions(path: Path) -> list[int]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        found.append(at)
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    return found
