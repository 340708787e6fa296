"""Finding the right broker, and trying again."""

from __future__ import annotations

import asyncio

import pytest

from godel.client.cluster import Cluster, InvalidAddress, error_code, parse_addresses
from godel.client.connection import Address, ConnectionFailed
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from godel.testing import Broker
from godel.types import TopicPartition
from tests.wire import Client


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a", [Address("a", 9092)]),
        ("a:1, b:2,", [Address("a", 1), Address("b", 2)]),
        ("[::1]:9", [Address("::1", 9)]),
        ("[::1]", [Address("::1", 9092)]),
    ],
)
def test_addresses(text: str, addresses: list[Address]) -> None:
    assert parse_addresses(text) == addresses


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:x", "a:70000", "a:0"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_addresses(text)


def test_an_error_of_the_future_is_unknown() -> None:
    assert error_code(30_000) is ErrorCode.UNKNOWN_SERVER_ERROR
    assert error_code(3) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.anyio
async def test_a_leader_is_found(cluster: Cluster, outside: Client) -> None:
    outside.create("flights", partitions=2)
    assert await cluster.leader(TopicPartition("flights", 1)) == 1
    with pytest.raises(ApiError, match="has 2 partitions, and no 2"):
        await cluster.leader(TopicPartition("flights", 2))
    with pytest.raises(ApiError) as unknown:
        await cluster.leader(TopicPartition("nowhere", 0))
    assert unknown.value.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.anyio
async def test_partitions_are_told_apart_by_leader(cluster: Cluster, outside: Client) -> None:
    outside.create("flights", partitions=2)
    both = [TopicPartition("flights", 0), TopicPartition("flights", 1)]
    assert await cluster.by_leader(both) == {1: both}


@pytest.mark.anyio
async def test_controller_and_coordinator_are_found(cluster: Cluster) -> None:
    answer = await cluster.ask_controller(ListGroupsRequest(), ListGroupsResponse)
    assert answer.error_code == 0
    answer = await cluster.ask_coordinator("board", ListGroupsRequest(), ListGroupsResponse)
    assert answer.error_code == 0


@pytest.mark.anyio
async def test_a_broker_that_does_not_exist(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match="there is no broker 9"):
        await cluster.node(9)


@pytest.mark.anyio
async def test_errors_that_pass_are_tried_again(cluster: Cluster) -> None:
    attempts: list[int] = []

    async def attempt() -> str:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            raise ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return "done"

    assert await cluster.retried(attempt) == "done"
    assert len(attempts) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("code", [ErrorCode.INVALID_REQUEST, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
async def test_errors_that_stay_are_raised(cluster: Cluster, code: ErrorCode) -> None:
    attempts: list[int] = []

    async def attempt() -> None:
        attempts.append(1)
        raise ApiError(code)

    with pytest.raises(ApiError):
        await cluster.retried(attempt)
    assert len(attempts) == 1


@pytest.mark.anyio
async def test_the_deadline_ends_the_trying(broker: Broker) -> None:
    addresses = parse_addresses(broker.bootstrap_servers)

    async def attempt() -> None:
        raise ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)

    async with Cluster(addresses, timeout_ms=1) as cluster:
        with pytest.raises(ApiError):
            await cluster.retried(attempt)


@pytest.mark.anyio
async def test_a_broker_that_came_back_is_found_again(cluster: Cluster, broker: Broker) -> None:
    await cluster.metadata([])
    connection = await cluster.any()
    await connection.close()
    answer = await cluster.retried(lambda: cluster.metadata([]))
    assert answer.controller_id == 1


@pytest.mark.anyio
async def test_the_first_address_that_answers_is_taken(broker: Broker) -> None:
    dead = Address("127.0.0.1", 1)
    async with Cluster([dead, *parse_addresses(broker.bootstrap_servers)]) as cluster:
        assert (await cluster.metadata([])).controller_id == 1
    async with Cluster([dead]) as cluster:
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:1"):
            await cluster.retried(lambda: cluster.metadata([]))


class Door:
    """Another way to a broker, as through a load balancer, that may be shut."""

    def __init__(self, behind: Address) -> None:
        self._behind = behind
        self._open: list[asyncio.StreamWriter] = []

    async def open(self) -> Address:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        return Address(*self._server.sockets[0].getsockname()[:2])

    async def shut(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.close()
        await self._server.wait_closed()

    async def _pass_on(self, asked: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        answers, ask = await asyncio.open_connection(*self._behind)
        self._open += [answer, ask]
        await asyncio.gather(self._copy(asked, ask), self._copy(answers, answer))

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()


@pytest.mark.anyio
async def test_brokers_stand_in_for_a_bootstrap_that_is_gone(broker: Broker) -> None:
    door = Door(*parse_addresses(broker.bootstrap_servers))
    async with Cluster([await door.open()], timeout_ms=10_000) as cluster:
        await cluster.metadata([])
        await door.shut()
        answer = await cluster.retried(lambda: cluster.metadata([]))
        assert [each.node_id for each in answer.brokers] == [1]
