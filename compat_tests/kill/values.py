"""What is sent: every record says who sent it, where to and as which, and differs from all else.

    value = producer/partition/number/ + padding that follows from these three; key = the producer

Any other bytes, be they cut, mixed or of somebody else, are nobody's record.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import NamedTuple

SMALLEST_PADDING_BYTES, PADDING_SPREAD_BYTES = 40, 900
_NAMES = re.compile(rb"([a-z0-9-]{1,40})/(\d{1,9})/(\d{1,9})/")


class Sent(NamedTuple):
    """A record's identity. `number` counts per producer and partition, from 0."""

    producer: str
    partition: int
    number: int

    def __str__(self) -> str:
        return f"{self.producer}/{self.partition}/{self.number}"


def key(sent: Sent) -> bytes:
    return sent.producer.encode()


def value(sent: Sent) -> bytes:
    names = f"{sent}/".encode()
    size_bytes = SMALLEST_PADDING_BYTES + zlib.crc32(names) % PADDING_SPREAD_BYTES
    block = hashlib.sha256(names).hexdigest().encode()
    return names + (block * (size_bytes // len(block) + 1))[:size_bytes]


def identify(record_key: bytes | None, record_value: bytes | None) -> Sent | None:
    """Whose record this is; None: nobody's."""
    names = _NAMES.match(record_value or b"")
    if names is None:
        return None
    sent = Sent(names[1].decode(), int(names[2]), int(names[3]))
    return sent if record_key == key(sent) and record_value == value(sent) else None


def from_text(text: str | None) -> Sent | None:
    """What `str` made of an identity; None stays None."""
    if text is None:
        return None
    producer, partition, number = text.split("/")
    return Sent(producer, int(partition), int(number))
