"""Reading assigned partitions: positions, waiting, and what readers do not see."""

from __future__ import annotations

import pytest

from godel.client.cluster import Cluster
from godel.client.fetching import Reader, StoredBatch, stored_batches, visible
from godel.errors import ApiError, CorruptBatch
from godel.protocol.messages.fetch import AbortedTransaction, PartitionData
from godel.records.batch import EndMarker, parse_header
from godel.records.builder import control_batch
from godel.types import TopicPartition
from tests.wire import NOW_MS, Client, batch

FIRST, SECOND = TopicPartition("flights", 0), TopicPartition("flights", 1)


def values(batches: list[StoredBatch]) -> list[str]:
    return [(record.value or b"").decode() for each in batches for record in each.records()]


@pytest.mark.anyio
async def test_records_come_from_the_position_on(cluster: Cluster, outside: Client) -> None:
    outside.create("flights", partitions=2)
    outside.produce("flights", batch("a", "b", "c"))
    outside.produce("flights", batch("d"), partition=1)
    reader = Reader(cluster, {FIRST: 1, SECOND: 0}, max_wait_ms=0)
    assert sorted(values(await reader.poll())) == ["b", "c", "d"]
    assert reader.positions == {FIRST: 3, SECOND: 1}
    assert await reader.poll() == []
    outside.produce("flights", batch("e"))
    assert values(await reader.poll()) == ["e"]


@pytest.mark.anyio
async def test_an_offset_that_is_gone_moves_to_the_nearest(
    cluster: Cluster, outside: Client
) -> None:
    outside.create("flights")
    outside.produce("flights", batch("a"))
    moves: list[tuple[TopicPartition, int, int]] = []
    reader = Reader(
        cluster,
        {FIRST: 7},
        max_wait_ms=0,
        moved=lambda where, before, after: moves.append((where, before, after)),
    )
    assert await reader.poll() == []
    assert moves == [(FIRST, 7, 1)]
    assert reader.positions == {FIRST: 1}


@pytest.mark.anyio
async def test_what_the_others_give_is_not_lost_with_a_partition_that_fails(
    cluster: Cluster, outside: Client
) -> None:
    outside.create("flights")
    outside.create("gone")
    reader = Reader(cluster, {TopicPartition("gone", 0): 0, FIRST: 0}, max_wait_ms=0)
    assert await reader.poll() == []
    outside.delete("gone")
    outside.produce("flights", batch("a"))
    for _each_once_in_front in range(2):
        if found := values(await reader.poll()):
            break
    assert found == ["a"]
    with pytest.raises(ApiError):
        await reader.poll()


@pytest.mark.anyio
async def test_a_topic_that_does_not_exist_is_an_error(cluster: Cluster) -> None:
    with pytest.raises(ApiError):
        await Reader(cluster, {FIRST: 0}, max_wait_ms=0).poll()


def as_stored(*batches: bytes) -> list[StoredBatch]:
    data = PartitionData(records=b"".join(batches))
    return list(stored_batches(FIRST, data, 0))


def test_a_batch_that_is_cut_is_left_for_the_next_time() -> None:
    whole = batch("a") + batch("b")
    assert len(as_stored(whole)) == 2
    assert len(as_stored(whole[:-1])) == 1
    assert as_stored(whole[:10]) == []
    assert list(stored_batches(FIRST, PartitionData(records=None), 0)) == []


def test_damage_is_found() -> None:
    damaged = bytearray(batch("abc"))
    damaged[-2] ^= 1
    (stored,) = as_stored(bytes(damaged))
    with pytest.raises(CorruptBatch, match="flights-0 at 0"):
        list(stored.records())


def transactional(value: str, producer_id: int, base_offset: int) -> bytes:
    return batch(
        value, producer_id=producer_id, producer_epoch=0, base_sequence=0, is_transactional=True,
        base_offset=base_offset,
    )  # fmt: skip


def marker(producer_id: int, *, is_commit: bool) -> bytes:
    return control_batch(
        EndMarker(is_commit, 0), producer_id=producer_id, producer_epoch=0, timestamp_ms=NOW_MS
    )


def test_aborted_transactions_and_markers_are_not_seen() -> None:
    log = as_stored(
        transactional("aborted", 1, 0),
        transactional("kept", 2, 1),
        marker(1, is_commit=False),
        transactional("later", 1, 3),
        marker(2, is_commit=True),
    )
    assert parse_header(log[2].batch).is_control
    aborted = [AbortedTransaction(producer_id=1, first_offset=0)]
    assert values(visible(log, aborted)) == ["kept", "later"]
    assert values(visible(log, [])) == ["aborted", "kept", "later"]
