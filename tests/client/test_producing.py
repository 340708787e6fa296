"""Producing: batches, partitions, and records that are refused."""

from __future__ import annotations

import pytest

from godel.client.cluster import Cluster
from godel.client.partitioning import partition_of
from godel.client.producing import ACKS_NONE, BATCH_RECORDS, Batch, open_producer
from godel.errors import ErrorCode
from godel.records.batch import parse_header
from godel.records.builder import NewRecord
from godel.records.compression import Compression
from tests.wire import Client, bytes_of, values_of


def record(value: str, key: str | None = None) -> NewRecord:
    return NewRecord(None if key is None else key.encode(), value.encode())


@pytest.mark.anyio
async def test_records_arrive_in_one_batch_and_once(cluster: Cluster, outside: Client) -> None:
    outside.create("flights")
    producer = await open_producer(cluster, "flights")
    await producer.add(record("a"))
    await producer.add(record("b"))
    await producer.flush()
    await producer.add(record("c"))
    await producer.flush()
    await producer.flush()
    fetched = outside.fetch("flights")
    assert values_of(fetched) == ["a", "b", "c"]
    header = parse_header(bytes_of(fetched))
    assert (header.records_count, header.base_sequence) == (2, 0)
    assert header.producer_id >= 0
    assert (producer.delivered, producer.delivered_bytes) == (3, 3)
    assert producer.next_offsets == {0: 3}


@pytest.mark.anyio
async def test_keys_choose_partitions(cluster: Cluster, outside: Client) -> None:
    outside.create("flights", partitions=3)
    producer = await open_producer(cluster, "flights", compression=Compression.LZ4)
    for key in ("a", "b", "c", "d"):
        await producer.add(record(key, key))
    await producer.add(record("here"), 2)
    await producer.flush()
    for partition in range(3):
        expected = [key for key in "abcd" if partition_of(key.encode(), 3) == partition]
        expected += ["here"] if partition == 2 else []
        assert values_of(outside.fetch("flights", partition=partition)) == expected


@pytest.mark.anyio
async def test_records_without_a_key_move_on_with_each_batch(
    cluster: Cluster, outside: Client
) -> None:
    outside.create("flights", partitions=2)
    producer = await open_producer(cluster, "flights")
    for value in ("a", "b"):
        await producer.add(record(value))
    await producer.flush()
    await producer.add(record("c"))
    await producer.flush()
    assert values_of(outside.fetch("flights", partition=0)) == ["a", "b"]
    assert values_of(outside.fetch("flights", partition=1)) == ["c"]


@pytest.mark.anyio
async def test_a_batch_that_is_too_large_is_halved(cluster: Cluster, outside: Client) -> None:
    outside.create("flights", configs={"max.message.bytes": "400"})
    producer = await open_producer(cluster, "flights")
    values = [f"{number}" * 90 for number in range(6)] + ["x" * 900]
    for value in values:
        await producer.add(record(value))
    await producer.flush()
    assert values_of(outside.fetch("flights")) == values[:-1]
    (rejected,) = producer.rejected
    assert (rejected.number, rejected.error.code) == (7, ErrorCode.MESSAGE_TOO_LARGE)


@pytest.mark.anyio
async def test_a_refused_record_is_told_by_its_number(cluster: Cluster, outside: Client) -> None:
    outside.create("states", configs={"cleanup.policy": "compact"})
    producer = await open_producer(cluster, "states")
    await producer.add(record("good", "k"))
    await producer.flush()
    await producer.add(record("no key"))
    await producer.add(record("in the same batch", "k"))
    await producer.flush()
    assert [each.number for each in producer.rejected] == [2, 3]
    assert producer.rejected[0].error.code is ErrorCode.INVALID_RECORD
    await producer.add(record("after", "k"))
    await producer.flush()
    assert values_of(outside.fetch("states")) == ["good", "after"]


@pytest.mark.anyio
async def test_without_acks_nothing_is_waited_for(cluster: Cluster, outside: Client) -> None:
    outside.create("flights")
    producer = await open_producer(cluster, "flights", acks=ACKS_NONE)
    await producer.add(record("a"))
    await producer.flush()
    assert producer.delivered == 1
    await cluster.metadata([])  # behind it on the same connection
    assert values_of(outside.fetch("flights")) == ["a"]


@pytest.mark.anyio
async def test_the_topic_is_made_where_the_broker_does_that(
    cluster: Cluster, outside: Client
) -> None:
    producer = await open_producer(cluster, "flights")
    await producer.add(record("a"))
    await producer.flush()
    assert values_of(outside.fetch("flights")) == ["a"]


def test_a_batch_is_full_by_its_records_too() -> None:
    batch = Batch()
    for number in range(BATCH_RECORDS):
        assert not batch.is_full
        batch.add(record("x"), number)
    assert batch.is_full
    first, second = batch.halves()
    assert first.numbers + second.numbers == batch.numbers
