"""What a Python client must be able to do for the shared suite (suite.py), in plain values.

Each client's folder adapts its library to this; the adapters are short on purpose, so that what
a test exercises is the library's own code and the requests it chooses to send.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import IntEnum
from typing import ClassVar, NamedTuple, Protocol

Headers = tuple[tuple[str, bytes | None], ...]


class Code(IntEnum):
    """Kafka's error codes that these tests expect."""

    OFFSET_OUT_OF_RANGE = 1
    UNKNOWN_TOPIC_OR_PARTITION = 3
    MESSAGE_TOO_LARGE = 10
    INVALID_TOPIC = 17
    ILLEGAL_GENERATION = 22
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_CONFIG = 40
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69


class BrokerError(Exception):
    """The broker answered with an error code, and the client told us."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"error {code}: {text}")
        self.code = code


class Record(NamedTuple):
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None


class Position(NamedTuple):
    partition: int
    offset: int


class GroupView(NamedTuple):
    state: str
    members: int
    assigned: tuple[int, ...]  # partitions, of all members together, sorted


Step = Mapping[str, object]


class Traveller(Protocol):
    """A consumer that begins at the start of every partition."""

    def read(self, count: int) -> list[Position]:
        """The next `count` records, in the order of their coming."""

    def seek(self, partition: int, to: int | str) -> None:
        """To an offset, "beginning" or "end"."""

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...


class Client(ABC):
    """One client library, talking to one broker.

    `lacks` names what the library cannot do, with the reason; `assignors` the eager strategy of its
    group members and, where it has one, the cooperative one.
    """

    name: ClassVar[str]
    lacks: ClassVar[Mapping[str, str]] = {}
    assignors: ClassVar[tuple[str, ...]] = ("range",)
    sends_null_headers: ClassVar[bool] = True
    creates_topics: ClassVar[bool] = True  # by asking for them
    partition_of: ClassVar[Callable[[bytes, int], int]]

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @abstractmethod
    def create_topic(
        self,
        topic: str,
        partitions: int = 1,
        *,
        replication_factor: int = 1,
        configs: Mapping[str, str] | None = None,
    ) -> None: ...

    @abstractmethod
    def delete_topic(self, topic: str) -> None: ...

    @abstractmethod
    def add_partitions(self, topic: str, total: int) -> None: ...

    @abstractmethod
    def topics(self) -> dict[str, int]:
        """Every topic that Metadata lists, with its number of partitions."""

    @abstractmethod
    def configs(self, topic: str) -> dict[str, str | None]: ...

    @abstractmethod
    def alter_config(self, topic: str, key: str, value: str) -> None: ...

    @abstractmethod
    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        """Send with acks=all and wait for all; where each record landed, in their order."""

    @abstractmethod
    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        """Exactly `count` records from offset `at`; fails after a while without them."""

    @abstractmethod
    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]: ...

    @abstractmethod
    def offset_for_time(self, topic: str, timestamp_ms: int) -> int | None:
        """The first offset of partition 0 whose timestamp is not before `timestamp_ms`."""

    @abstractmethod
    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None: ...

    @abstractmethod
    def committed(
        self, group: str, topic: str, partitions: Sequence[int] = (0,)
    ) -> list[tuple[int, str] | None]: ...

    @abstractmethod
    def describe_group(self, group: str) -> GroupView: ...

    @abstractmethod
    def list_groups(self) -> list[str]: ...

    @abstractmethod
    def delete_group(self, group: str) -> None: ...

    @abstractmethod
    def delete_records(self, topic: str, before: int) -> None:
        """Of partition 0."""

    @abstractmethod
    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        """As the group's only member, in a generation that is not the group's."""

    def member_command(self, assignor: str, *instance: str) -> Callable[..., Sequence[str]]:
        """How to start a member of a group, from bootstrap, group and topic; see groups.py.

        A Python client's is the member.py beside its adapter.
        """
        module = type(self).__module__.rpartition(".")[0] + ".member"
        return lambda *names: [sys.executable, "-m", module, *names, assignor, *instance]

    @abstractmethod
    def traveller(self, topic: str, partitions: int) -> AbstractContextManager[Traveller]: ...

    def partitions_of(self, keys: Sequence[bytes], partitions: int) -> list[int]:
        """Where the client's own partitioner puts them, without a broker."""
        return [type(self).partition_of(key, partitions) for key in keys]

    def seen(self, record: Record) -> Record:
        """What the library makes of a record, where that is less than the record."""
        return record

    def journey(self, topic: str, partitions: int, steps: Sequence[Step]) -> list[list[Position]]:
        """One consumer from the beginning of all partitions, going through `steps`.

        {"do": "read", "count": n} adds to the answer what came; seek (to), seek_beginning,
        seek_end, seek_time (to) move partition 0; pause and resume (partition) stop and go on;
        produce (partition, count) adds records through a producer of its own.
        """
        reads: list[list[Position]] = []
        with self.traveller(topic, partitions) as traveller:
            for step in steps:
                match step:
                    case {"do": "read", "count": count}:
                        reads.append(traveller.read(count))
                    case {"do": "seek", "to": to}:
                        traveller.seek(0, to)
                    case {"do": "seek_time", "to": time_ms}:
                        traveller.seek(0, self.offset_for_time(topic, time_ms))
                    case {"do": "seek_beginning" | "seek_end" as seek}:
                        traveller.seek(0, seek.removeprefix("seek_"))
                    case {"do": "pause" | "resume" as turn, "partition": partition}:
                        getattr(traveller, turn)(partition)
                    case {"do": "produce", "count": count, "partition": partition}:
                        self.produce(topic, [Record(b"x")] * count, partition=partition)
        return reads
