"""Readers of committed records over the wire, on a partition that other brokers' clients wrote to.

Clients may not write transactions here yet: the batches are put into the partition.
"""

from __future__ import annotations

import pytest

from godel.protocol.messages.describe_producers import DescribeProducersRequest, TopicRequest
from godel.protocol.messages.fetch import FetchResponse, PartitionData
from godel.records.batch import EndMarker, parse_header
from godel.testing import Broker
from tests.transactions import committed, transactional
from tests.wire import NOW_MS, Client, batch, bytes_of, fetch_request, fetched, values_of

COMMITTED_ONLY = 1
COMMIT, ABORT = EndMarker(True, 4), EndMarker(False, 4)


def write(broker: Broker, *values: str, producer_id: int) -> int:
    data = transactional(*values, producer_id=producer_id)
    return broker.run(
        lambda node: node.broker.partition("t", 0).append_internal(data, parse_header(data))
    )


def end(broker: Broker, producer_id: int, marker: EndMarker) -> None:
    broker.run(
        lambda node: node.broker.partition("t", 0).end_transaction(
            producer_id, 0, marker, now_ms=NOW_MS
        )
    )


@pytest.fixture
def topic(broker: Broker, client: Client) -> None:
    """Offset 0: plain. 1-2: aborted. 3: committed. 4, 5: their markers. 6: open. 7: plain."""
    client.create("t")
    client.produce("t", batch("plain"))
    write(broker, "gone", "gone too", producer_id=1)
    write(broker, "kept", producer_id=2)
    end(broker, 1, ABORT)
    end(broker, 2, COMMIT)
    write(broker, "undecided", producer_id=3)
    client.produce("t", batch("behind"))


def aborted_in(data: PartitionData) -> list[tuple[int, int]]:
    return [(one.producer_id, one.first_offset) for one in data.aborted_transactions or ()]


def fetch_committed(client: Client, offset: int = 0, **options: int) -> PartitionData:
    data = client.fetch("t", offset, isolation_level=COMMITTED_ONLY, **options)
    assert data.error_code == 0
    return data


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize("version", [4, 5, 7, 11, 12])
def test_committed_records_up_to_the_first_open_transaction(client: Client, version: int) -> None:
    data = fetch_committed(client, version=version)
    assert (data.high_watermark, data.last_stable_offset) == (8, 6)
    assert aborted_in(data) == [(1, 1)]
    records = committed([bytes_of(data)], aborted_in(data))
    assert [record.value for record in records] == [b"plain", b"kept"]


@pytest.mark.usefixtures("topic")
def test_all_records_and_nothing_said_of_transactions(client: Client) -> None:
    data = client.fetch("t")
    assert (data.high_watermark, data.last_stable_offset) == (8, 6)
    assert data.aborted_transactions is None
    assert {"gone", "undecided", "behind"} < set(values_of(data))


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize(("offset", "expected"), [(0, []), (1, [(1, 1)]), (3, [(1, 1)]), (5, [])])
def test_only_what_reaches_into_the_answer_is_named(
    client: Client, offset: int, expected: list[tuple[int, int]]
) -> None:
    data = fetch_committed(client, offset, partition_max_bytes=1)
    assert aborted_in(data) == expected


@pytest.mark.usefixtures("topic")
def test_the_end_for_a_reader_of_committed_records(client: Client) -> None:
    data = fetch_committed(client, 6)
    assert (bytes_of(data), data.aborted_transactions) == (b"", [])
    assert client.list_offset("t", -1, isolation_level=COMMITTED_ONLY).offset == 6
    assert client.list_offset("t", -1).offset == 8
    assert client.list_offset("t", NOW_MS, isolation_level=COMMITTED_ONLY).offset == 0


@pytest.mark.usefixtures("topic")
def test_a_parked_reader_is_answered_when_the_transaction_ends(
    broker: Broker, client: Client
) -> None:
    options = {"max_wait_ms": 5000, "min_bytes": 1, "isolation_level": COMMITTED_ONLY}
    client.post(fetch_request({("t", 0): 6}, **options), 12)
    with Client(broker) as another:
        another.produce("t", batch("later"))
        assert client.is_silent(), "visible, and not stable"
    end(broker, 3, COMMIT)
    data = fetched(client.take(FetchResponse, 12))
    assert data.last_stable_offset == data.high_watermark == 10
    assert values_of(data)[:3] == ["undecided", "behind", "later"]


@pytest.mark.usefixtures("topic")
def test_producers_and_their_open_transactions_are_described(
    broker: Broker, client: Client
) -> None:
    end(broker, 1, COMMIT)
    write(broker, "again", producer_id=2)
    write(broker, "and again", producer_id=2)
    request = DescribeProducersRequest([TopicRequest("t", [0])])
    described = client.send(request).topics[0].partitions[0].active_producers
    assert sorted(
        (one.producer_id, one.coordinator_epoch, one.current_txn_start_offset) for one in described
    ) == [(1, 4, -1), (2, 4, 9), (3, -1, 6)]
