"""A client for tests: blocking, one connection, on our own codec; also raw bytes and silence.

    with Client(broker) as client:
        client.create("flights", partitions=3)
        assert client.produce("flights", batch("a", "b")).base_offset == 0

Nothing here retries or hides an error: tests are about what the broker says.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from godel.clock import ManualClock
from godel.handlers import APIS
from godel.protocol import codec, frame
from godel.protocol.message import Message
from godel.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from godel.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from godel.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from godel.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from godel.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from godel.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
)
from godel.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from godel.records.batch import Record, iterate_headers, iterate_records
from godel.records.builder import NewRecord, build_batch
from godel.server.node import Node
from godel.testing import Broker

R = TypeVar("R", bound=Message)

PATIENCE_S = 10.0
NOW_MS = ManualClock().now_ms()
"""The time at which a `ManualClock` stands still."""

TOPIC, BROKER = 2, 4

_RESPONSES: dict[int, type[Message]] = {api.key: api.response for api in APIS}
_LATEST = {api.key: api.versions[1] for api in APIS}


class Client:
    """One connection to a broker."""

    def __init__(self, broker: Broker, *, client_id: str | None = "tester") -> None:
        self.client_id = client_id
        self.socket = socket.create_connection(broker.node.listens_on, timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation_id = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # -- requests and responses -----------------------------------------------------------------

    def post(self, request: Message, version: int | None = None) -> int:
        """Send a request and do not wait; returns its correlation id."""
        if version is None:
            version = _LATEST[request.API_KEY]
        self._correlation_id += 1
        self.socket.sendall(
            frame.request_frame(
                request.API_KEY,
                version,
                codec.encode(request, version),
                correlation_id=self._correlation_id,
                client=self.client_id,
                flexible=version >= request.FLEXIBLE_SINCE,
            )
        )
        return self._correlation_id

    def take(self, kind: type[R], version: int | None = None) -> R:
        """The next response, which must be of this kind."""
        if version is None:
            version = _LATEST[kind.API_KEY]
        whole = self.take_frame()
        at = 4
        if version >= kind.FLEXIBLE_SINCE:
            assert whole[4] == 0, "no tagged fields in the header"
            at = 5
        self.taken_correlation_id = int.from_bytes(whole[:4], "big", signed=True)
        return codec.decode(kind, memoryview(whole)[at:], version)

    def take_frame(self) -> bytes:
        size = int.from_bytes(self._exactly(4), "big")
        return self._exactly(size)

    def send(self, request: Message, version: int | None = None) -> Any:
        """Send a request and return its response."""
        correlation_id = self.post(request, version)
        response = self.take(_RESPONSES[request.API_KEY], version)
        assert self.taken_correlation_id == correlation_id
        return response

    def _exactly(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            more = self.socket.recv(size - len(received))
            if not more:
                raise ConnectionError("the broker closed the connection")
            received += more
        return bytes(received)

    def is_silent(self) -> bool:
        """Whether nothing has been answered: after what went before on another connection."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) is None
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_S)

    def is_closed(self) -> bool:
        """Whether the broker closes the connection without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    # -- what most tests need -------------------------------------------------------------------

    def create(
        self, topic: str, *, partitions: int = 1, configs: Mapping[str, object] | None = None
    ) -> bytes:
        """Create a topic; returns its id."""
        settings = [
            CreatableTopicConfig(name=name, value=str(value))
            for name, value in (configs or {}).items()
        ]
        wish = CreatableTopic(
            name=topic, num_partitions=partitions, replication_factor=1, configs=settings
        )
        (made,) = self.send(CreateTopicsRequest(topics=[wish])).topics
        assert made.error_code == 0, made
        return bytes(made.topic_id)

    def delete(self, topic: str) -> None:
        state = DeleteTopicState(name=topic)
        (gone,) = self.send(DeleteTopicsRequest(topics=[state], timeout_ms=10_000)).responses
        assert gone.error_code == 0, gone

    def alter(
        self, name: str, configs: Mapping[str, object | None], *, resource_type: int = TOPIC
    ) -> None:
        """Set configs of a topic or broker; None takes one back."""
        changes = [
            AlterableConfig(name=key, config_operation=int(value is None), value=as_text(value))
            for key, value in configs.items()
        ]
        resource = AlterConfigsResource(resource_type, name, changes)
        (done,) = self.send(IncrementalAlterConfigsRequest(resources=[resource])).responses
        assert done.error_code == 0, done

    def describe(self, *names: str, version: int | None = None) -> MetadataResponse:
        topics = [MetadataRequestTopic(name=name) for name in names]
        request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
        response: MetadataResponse = self.send(request, version)
        return response

    def leader_epoch(self, topic: str, partition: int = 0) -> int:
        (described,) = self.describe(topic).topics
        return int(described.partitions[partition].leader_epoch)

    def produce(
        self,
        topic: str,
        records: bytes | None,
        *,
        partition: int = 0,
        acks: int = -1,
        version: int | None = None,
        timeout_ms: int = 10_000,
    ) -> PartitionProduceResponse:
        """Produce one batch; returns what is said about its partition."""
        request = produce_request({(topic, partition): records}, acks=acks, timeout_ms=timeout_ms)
        return produced(self.send(request, version))

    def fetch(
        self,
        topic: str | bytes,
        offset: int = 0,
        *,
        partition: int = 0,
        version: int | None = None,
        **options: Any,
    ) -> PartitionData:
        """Fetch one partition, by the topic's name (v12) or id (v18), without waiting."""
        if version is None:
            version = 12 if isinstance(topic, str) else 18
        response = self.send(fetch_request({(topic, partition): offset}, **options), version)
        return fetched(response)

    def list_offset(
        self, topic: str, timestamp: int, *, partition: int = 0, version: int = 11, **options: Any
    ) -> ListOffsetsPartitionResponse:
        isolation_level = options.pop("isolation_level", 0)
        wanted = ListOffsetsPartition(partition_index=partition, timestamp=timestamp, **options)
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=isolation_level,
            topics=[ListOffsetsTopic(name=topic, partitions=[wanted])],
        )
        (answered,) = self.send(request, version).topics
        (found,) = answered.partitions
        assert isinstance(found, ListOffsetsPartitionResponse)
        return found


def as_text(value: object | None) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def batch(*values: str | NewRecord, timestamp_ms: int = NOW_MS, **options: Any) -> bytes:
    """A batch as a producer sends it; a text is a record without a key."""
    records = [
        value if isinstance(value, NewRecord) else NewRecord(None, value.encode())
        for value in values
    ]
    return build_batch(records, timestamp_ms=timestamp_ms, **options)


def numbered(
    *values: str, producer_id: int, sequence: int, epoch: int = 0, **options: Any
) -> bytes:
    """A batch of an idempotent producer."""
    return batch(
        *values,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        **options,
    )


def produce_request(
    batches: Mapping[tuple[str, int], bytes | None],
    *,
    acks: int = -1,
    timeout_ms: int = 10_000,
    transactional_id: str | None = None,
) -> ProduceRequest:
    topics: dict[str, list[PartitionProduceData]] = {}
    for (topic, partition), records in batches.items():
        data = PartitionProduceData(index=partition, records=records)
        topics.setdefault(topic, []).append(data)
    return ProduceRequest(
        transactional_id=transactional_id,
        acks=acks,
        timeout_ms=timeout_ms,
        topic_data=[TopicProduceData(name=name, partition_data=d) for name, d in topics.items()],
    )


def produced(response: Any) -> PartitionProduceResponse:
    """The only partition of a produce response."""
    (topic,) = response.responses
    (partition,) = topic.partition_responses
    assert isinstance(partition, PartitionProduceResponse)
    return partition


def fetch_request(
    offsets: Mapping[Any, int | FetchPartition],
    *,
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    partition_max_bytes: int = 1 << 20,
    current_leader_epoch: int = -1,
    last_fetched_epoch: int = -1,
    **options: Any,
) -> FetchRequest:
    """`offsets`: topic's name or id and partition -> offset, or all that is asked for."""
    topics: dict[str | bytes, list[FetchPartition]] = {}
    for (topic, partition), offset in offsets.items():
        wanted = (
            offset
            if isinstance(offset, FetchPartition)
            else FetchPartition(
                partition=partition,
                fetch_offset=offset,
                partition_max_bytes=partition_max_bytes,
                current_leader_epoch=current_leader_epoch,
                last_fetched_epoch=last_fetched_epoch,
            )
        )
        topics.setdefault(topic, []).append(wanted)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        topics=[
            FetchTopic(topic=topic, partitions=wanted)
            if isinstance(topic, str)
            else FetchTopic(topic_id=topic, partitions=wanted)
            for topic, wanted in topics.items()
        ],
        **options,
    )


def fetched(response: FetchResponse) -> PartitionData:
    """The only partition of a fetch response."""
    assert response.error_code == 0, response
    (topic,) = response.responses
    (partition,) = topic.partitions
    return partition


def bytes_of(data: PartitionData) -> bytes:
    """The batches of a partition of a fetch response, which are one buffer when decoded."""
    records = data.records
    return bytes(records) if isinstance(records, bytes | bytearray | memoryview) else b""


def records_of(data: PartitionData) -> list[Record]:
    """The records of a partition of a fetch response."""
    records: list[Record] = []
    whole = memoryview(bytes_of(data))
    at = 0
    for header in iterate_headers(whole):
        records += iterate_records(whole[at : at + header.size_bytes])
        at += header.size_bytes
    return records


def values_of(data: PartitionData) -> list[str]:
    return [(record.value or b"").decode() for record in records_of(data)]


def sizes(batches: Sequence[bytes]) -> int:
    return sum(map(len, batches))


def raise_leader_epoch(broker: Broker, topic: str, epoch: int) -> None:
    """As an unclean start would; there is no other leader to take over."""

    def change(node: Node) -> None:
        node.broker.partition(topic, 0).leader_epoch = epoch

    broker.run(change)
