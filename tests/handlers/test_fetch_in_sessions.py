"""Fetch in a session, as a client sees it: what an answer names, and which sessions there are."""

from __future__ import annotations

from typing import TypeAlias

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.fetch import (
    FetchPartition,
    FetchResponse,
    ForgottenTopic,
)
from godel.testing import Broker
from tests.wire import (
    Client,
    batch,
    fetch_request,
    produce_request,
    produced,
    raise_leader_epoch,
    values_of,
)

Told: TypeAlias = tuple[int, list[str]]
"""Error and records of a partition."""


class Consumer:
    """A client with a fetch session."""

    def __init__(self, client: Client, version: int = 12) -> None:
        self.client = client
        self.version = version
        self.id = 0
        self.epoch = 0

    def fetch(
        self,
        offsets: dict[tuple[str | bytes, int], int | FetchPartition] | None = None,
        forgotten: list[ForgottenTopic] | None = None,
    ) -> dict[int, tuple[int, list[str]]]:
        """Partition -> error and records, for the partitions that the answer names."""
        response = self.send(offsets, forgotten)
        assert response.error_code == 0, response
        self.id = response.session_id
        self.epoch += 1
        return {
            data.partition_index: (data.error_code, values_of(data))
            for topic in response.responses
            for data in topic.partitions
        }

    def send(
        self,
        offsets: dict[tuple[str | bytes, int], int | FetchPartition] | None = None,
        forgotten: list[ForgottenTopic] | None = None,
    ) -> FetchResponse:
        request = fetch_request(
            offsets or {},
            session_id=self.id,
            session_epoch=self.epoch,
            forgotten_topics_data=forgotten or [],
        )
        response: FetchResponse = self.client.send(request, self.version)
        return response


@pytest.mark.parametrize("version", [7, 12, 13, 18])
def test_a_session_names_only_what_is_new(client: Client, version: int) -> None:
    topic_id = client.create("t", partitions=2)
    name: str | bytes = "t" if version < 13 else topic_id
    consumer = Consumer(client, version)
    assert consumer.fetch({(name, 0): 0, (name, 1): 0}) == {0: (0, []), 1: (0, [])}
    assert consumer.id > 0
    assert consumer.fetch() == {}
    client.produce("t", batch("a"), partition=1)
    assert consumer.fetch() == {1: (0, ["a"])}
    assert consumer.fetch() == {1: (0, ["a"])}, "the offset has not moved"
    assert consumer.fetch({(name, 1): 1}) == {}
    client.produce("t", batch("b"), partition=0)
    assert consumer.fetch() == {0: (0, ["b"])}


def test_partitions_join_and_leave_a_session(client: Client) -> None:
    client.create("t", partitions=3)
    for partition in range(3):
        client.produce("t", batch(str(partition)), partition=partition)
    consumer = Consumer(client)
    assert consumer.fetch({("t", 0): 0}) == {0: (0, ["0"])}
    assert consumer.fetch({("t", 1): 0, ("t", 0): 1}) == {1: (0, ["1"])}
    gone = [ForgottenTopic(topic="t", partitions=[1])]
    assert consumer.fetch({("t", 2): 0}, gone) == {2: (0, ["2"])}


def test_an_error_is_repeated_until_it_clears(broker: Broker, client: Client) -> None:
    client.create("t")
    consumer = Consumer(client)
    unknown: Told = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])
    assert consumer.fetch({("t", 0): 0, ("t", 1): 0}) == {0: (0, []), 1: unknown}
    assert consumer.fetch() == {1: unknown}
    assert consumer.fetch() == {1: unknown}
    client.create("u")
    raise_leader_epoch(broker, "u", 5)
    fenced = FetchPartition(partition=0, current_leader_epoch=4, partition_max_bytes=100)
    gone = [ForgottenTopic(topic="t", partitions=[0, 1])]
    told: Told = (ErrorCode.FENCED_LEADER_EPOCH, [])
    assert consumer.fetch({("u", 0): fenced}, gone) == {0: told}
    assert consumer.fetch() == {0: told}
    fenced.current_leader_epoch = 5
    assert consumer.fetch({("u", 0): fenced}) == {0: (0, [])}
    assert consumer.fetch() == {}


@pytest.mark.parametrize(("epoch", "session"), [(1, 12345), (2, None), (0, None), (5, None)])
def test_wrong_sessions_and_epochs_are_refused(
    client: Client, epoch: int, session: int | None
) -> None:
    client.create("t")
    consumer = Consumer(client)
    consumer.fetch({("t", 0): 0})
    consumer.epoch = epoch
    if session is not None:
        consumer.id = session
        expected = ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    elif epoch == 0:
        expected = ErrorCode.NONE
    else:
        expected = ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert consumer.send().error_code == expected


def test_a_session_does_not_change_between_names_and_ids(client: Client) -> None:
    topic_id = client.create("t")
    consumer = Consumer(client, 12)
    consumer.fetch({("t", 0): 0})
    consumer.version = 13
    refused = consumer.send({(topic_id, 0): 0})
    assert refused.error_code == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_a_full_request_closes_the_old_session(client: Client) -> None:
    client.create("t")
    consumer = Consumer(client)
    consumer.fetch({("t", 0): 0})
    old = consumer.id
    consumer.epoch = -1
    assert consumer.send({("t", 0): 0}).session_id == 0
    consumer.epoch = 1
    assert consumer.send().error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    consumer.id, consumer.epoch = old, 0
    consumer.fetch({("t", 0): 0})
    assert consumer.id not in (0, old)


def test_a_session_without_room_is_session_0() -> None:
    settings = {"max.incremental.fetch.session.cache.slots": 0}
    with Broker(settings, clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t")
        consumer = Consumer(client)
        assert consumer.fetch({("t", 0): 0}) == {0: (0, [])}
        assert consumer.id == 0


def test_a_topic_that_is_made_again_is_another_one_inside_a_session(client: Client) -> None:
    by_id, by_name = Consumer(client, 18), Consumer(client, 12)
    topic_id = client.create("t")
    client.produce("t", batch("old"))
    assert by_id.fetch({(topic_id, 0): 0}) == {0: (0, ["old"])}
    assert by_name.fetch({("t", 0): 0}) == {0: (0, ["old"])}
    client.delete("t")
    unknown: Told = (ErrorCode.UNKNOWN_TOPIC_ID, [])
    assert by_id.fetch() == {0: unknown}
    assert by_name.fetch() == {0: (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])}
    assert client.create("t") != topic_id
    assert produced(client.send(produce_request({("t", 0): batch("new")}))).base_offset == 0
    assert by_id.fetch() == {0: unknown}
    assert by_name.fetch() == {0: (0, ["new"])}
