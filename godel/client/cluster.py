"""A cluster as a client sees it: who leads, who coordinates, and another try when that has changed.

`Cluster` finds the broker that a request must go to and keeps the connections. What brokers answer
is raised as `ApiError`; `retried` tries again what may succeed later, until the deadline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

import anyio

from godel.client.connection import Address, Connection, ConnectionFailed, connect
from godel.clock import Clock, Randomness, SystemClock
from godel.errors import ApiError, ErrorCode
from godel.protocol.message import Message
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from godel.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)
from godel.types import TopicPartition

R = TypeVar("R", bound=Message)
T = TypeVar("T")

DEFAULT_PORT = 9092
DEFAULT_TIMEOUT_MS = 30_000
FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS = 50, 1_000
FINAL = frozenset({ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID})
"""Retriable to Kafka, for another broker may know the topic; to a person the name is wrong."""


class InvalidAddress(ValueError):
    """A text that is no list of addresses."""


def check(code: int, message: str | None = None) -> None:
    """Raise an answer that is an error."""
    if code:
        raise ApiError(error_code(code), message)


def error_code(code: int) -> ErrorCode:
    """The error of a number; one that a newer broker made up is UNKNOWN_SERVER_ERROR."""
    try:
        return ErrorCode(code)
    except ValueError:
        return ErrorCode.UNKNOWN_SERVER_ERROR


def parse_addresses(text: str) -> list[Address]:
    """`host[:port],...`, IPv6 in brackets. Raises `InvalidAddress`."""
    addresses = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        host, colon, port = part.rpartition(":")
        if not colon or part.endswith("]"):
            host, port = part, str(DEFAULT_PORT)
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise InvalidAddress(f"{part!r} is not host:port")
        addresses.append(Address(host, int(port)))
    if not addresses:
        raise InvalidAddress("no address is named")
    return addresses


class Cluster:
    """Connections to the brokers of one cluster; `async with` closes them.

    One owner at a time may wait on a *lane*: what blocks for long (a fetch, a join) gets a lane of
    its own, so that heartbeats and commits pass it by.
    """

    def __init__(
        self,
        bootstrap: Sequence[Address],
        *,
        client_id: str = "godel",
        timeout_ms: float = DEFAULT_TIMEOUT_MS,
        clock: Clock | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.timeout_ms = timeout_ms
        self.clock = clock or SystemClock()
        self.randomness = Randomness()
        self._client_id = client_id
        self._connections: dict[tuple[Address, str], Connection] = {}
        self._opening: dict[tuple[Address, str], anyio.Lock] = {}
        self._was_reached = False
        self._nodes: dict[int, Address] = {}
        self._answered: list[Address] = []
        self._last_nodes: list[Address] = []
        self._controller_id = -1
        self._leaders: dict[TopicPartition, int] = {}
        self._coordinators: dict[str, int] = {}

    async def __aenter__(self) -> Cluster:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self._connections.values():
            await connection.close()
        self._connections.clear()

    # -- connections --------------------------------------------------------------------------

    async def any(self) -> Connection:
        """The broker that answered last; or those of the bootstrap list, in its order; or others.

        The others are those that there were when a broker was last asked.
        """
        failure: ConnectionFailed | None = None
        for address in dict.fromkeys([*self._answered, *self.bootstrap, *self._last_nodes]):
            try:
                connection = await self._kept(address, "")
            except ConnectionFailed as error:
                failure = failure or error
            else:
                self._answered = [address]
                return connection
        assert failure is not None, "the bootstrap list is never empty"
        raise failure

    async def node(self, node_id: int, lane: str = "") -> Connection:
        """A broker by its id."""
        if node_id not in self._nodes:
            await self.metadata([])
        address = self._nodes.get(node_id)
        if address is None:
            raise ApiError(ErrorCode.BROKER_NOT_AVAILABLE, f"there is no broker {node_id}")
        return await self._kept(address, lane)

    async def _kept(self, address: Address, lane: str) -> Connection:
        key = address, lane
        async with self._opening.setdefault(key, anyio.Lock()):  # two who come at once share one
            connection = self._connections.get(key)
            if connection is not None and not connection.is_broken:
                return connection
            if connection is not None:
                await connection.close()
            connection = await connect(
                address, client_id=self._client_id, timeout_ms=self.timeout_ms
            )
            self._connections[key] = connection
            self._was_reached = True
            return connection

    # -- asking the right broker --------------------------------------------------------------

    async def ask_any(
        self, request: Message, response: type[R], *, at_most: int | None = None
    ) -> R:
        connection = await self.any()
        return await self._ask(connection, request, response, at_most)

    async def ask_controller(
        self, request: Message, response: type[R], *, at_most: int | None = None
    ) -> R:
        """Changes of topics go to the controller, or to a broker that passes them on to it."""
        if self._controller_id not in self._nodes:
            await self.metadata([])
        if self._controller_id not in self._nodes:
            raise ApiError(ErrorCode.NOT_CONTROLLER, "the cluster has no controller at present")
        connection = await self.node(self._controller_id)
        return await self._ask(connection, request, response, at_most)

    async def ask_node(
        self,
        node_id: int,
        request: Message,
        response: type[R],
        *,
        at_most: int | None = None,
    ) -> R:
        return await self._ask(await self.node(node_id), request, response, at_most)

    async def ask_coordinator(
        self,
        group: str,
        request: Message,
        response: type[R],
        *,
        lane: str = "",
        timeout_ms: float | None = None,
        at_most: int | None = None,
    ) -> R:
        """Ask the broker that coordinates a group."""
        connection = await self.coordinator(group, lane)
        return await connection.send(
            request, response, timeout_ms=timeout_ms or self.timeout_ms, at_most=at_most
        )

    async def coordinator(self, group: str, lane: str = "") -> Connection:
        """The broker that coordinates a group. Forgotten after an error, by `retried`."""
        if group not in self._coordinators:
            self._coordinators[group] = await self._find_coordinator(group)
        return await self.node(self._coordinators[group], lane)

    async def _ask(
        self, connection: Connection, request: Message, response: type[R], at_most: int | None
    ) -> R:
        return await connection.send(request, response, timeout_ms=self.timeout_ms, at_most=at_most)

    async def _find_coordinator(self, group: str) -> int:
        connection = await self.any()
        probe = FindCoordinatorRequest()
        if connection.version_of(probe, FindCoordinatorResponse) >= 4:
            request = FindCoordinatorRequest(coordinator_keys=[group])
        else:
            request = FindCoordinatorRequest(key=group)
        found = await self._ask(connection, request, FindCoordinatorResponse, None)
        for coordinator in found.coordinators:
            check(coordinator.error_code, coordinator.error_message)
            self._nodes[coordinator.node_id] = Address(coordinator.host, coordinator.port)
            return coordinator.node_id
        check(found.error_code, found.error_message)
        self._nodes[found.node_id] = Address(found.host, found.port)
        return found.node_id

    # -- metadata -----------------------------------------------------------------------------

    async def metadata(
        self, topics: Iterable[str] | None, *, create: bool = False
    ) -> MetadataResponse:
        """Brokers and these topics (None: all), as a broker tells it; leaders are remembered.

        `create`: a topic that does not exist is made, where the broker makes topics by itself.
        """
        asked = None if topics is None else [MetadataRequestTopic(name=name) for name in topics]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=create)
        answer = await self.ask_any(request, MetadataResponse)
        check(answer.error_code)
        self._nodes = {each.node_id: Address(each.host, each.port) for each in answer.brokers}
        self._last_nodes = list(self._nodes.values())
        self._controller_id = answer.controller_id
        for topic in answer.topics:
            for partition in topic.partitions:
                where = TopicPartition(topic.name or "", partition.partition_index)
                self._leaders[where] = partition.leader_id
        return answer

    async def describe(self, topic: str, *, create: bool = False) -> MetadataResponseTopic:
        """One topic. Raises its error."""
        (described,) = (await self.metadata([topic], create=create)).topics
        check(described.error_code, f"topic {topic}")
        return described

    async def leader(self, partition: TopicPartition) -> int:
        """Which broker leads a partition."""
        if self._leaders.get(partition, -1) < 0:
            await self.describe(partition.topic)
        leader = self._leaders.get(partition)
        if leader is None:
            there = sum(1 for each in self._leaders if each.topic == partition.topic)
            raise ApiError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                f"topic {partition.topic} has {there} partitions, and no {partition.partition}",
            )
        if leader < 0:
            raise ApiError(ErrorCode.LEADER_NOT_AVAILABLE, f"{partition} has no leader")
        return leader

    async def by_leader(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[int, list[TopicPartition]]:
        """Partitions by the broker that leads them."""
        led: dict[int, list[TopicPartition]] = {}
        for partition in partitions:
            led.setdefault(await self.leader(partition), []).append(partition)
        return led

    def forget(self) -> None:
        """Believe nothing any more about who leads and who coordinates."""
        self._leaders.clear()
        self._coordinators.clear()
        self._nodes.clear()
        self._controller_id = -1

    # -- trying again -------------------------------------------------------------------------

    async def retried(
        self, attempt: Callable[[], Awaitable[T]], *, patience_ms: float | None = None
    ) -> T:
        """What `attempt` comes to, tried again on errors that pass, until the timeout is over."""
        patience_ms = min(patience_ms or self.timeout_ms, self.timeout_ms)
        deadline_ms = self.clock.monotonic_ms() + patience_ms
        backoff_ms = float(FIRST_BACKOFF_MS)
        while True:
            try:
                return await attempt()
            except ApiError as error:
                passes = error.code.retriable and error.code not in FINAL
                if not passes or self.clock.monotonic_ms() + backoff_ms > deadline_ms:
                    raise
            except ConnectionFailed:
                if not self._was_reached or self.clock.monotonic_ms() + backoff_ms > deadline_ms:
                    raise  # where nobody has ever answered the address is wrong: say so at once
            self.forget()
            await self.clock.sleep(backoff_ms)
            backoff_ms = min(backoff_ms * 2, LONGEST_BACKOFF_MS)
