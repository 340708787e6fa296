"""What a Python client must be able to do for the shared suite (suite.py), in plain values.

Each client's folder adapts its library to this; the adapters are short on purpose, so that what
a test exercises is the library's own code and the requests it chooses to send.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import ClassVar, NamedTuple

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


class Client(ABC):
    """One client library, talking to one broker."""

    name: ClassVar[str]
    codecs: ClassVar[tuple[str, ...]]
    sends_null_headers: ClassVar[bool] = True

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
