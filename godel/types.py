"""Small types that every layer speaks."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

TopicId: TypeAlias = bytes
"""A topic's id: 16 raw bytes as on the wire. `ZERO_ID` means none."""

ZERO_ID: TopicId = bytes(16)


class TopicPartition(NamedTuple):
    """A partition by name. As text `topic-partition`, the name of its folder."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"
