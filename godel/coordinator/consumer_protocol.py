"""Which topics a member of protocol type `consumer` subscribes to.

The subscription is the client's own format (Kafka's `ConsumerProtocolSubscription`); the broker
passes it through and looks at nothing but its first field, present in every version:

    version int16 | topics: int32 count, then int16 length and UTF-8 each | ...
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

PROTOCOL_TYPE = "consumer"
_HEADER = struct.Struct(">hi")
_LENGTH = struct.Struct(">h")


def subscribed_topics(subscriptions: Iterable[bytes]) -> frozenset[str] | None:
    """The topics of all members together; None: somebody's subscription cannot be read."""
    topics: set[str] = set()
    try:
        for subscription in subscriptions:
            topics.update(_topics(subscription))
    except (struct.error, ValueError):
        return None
    return frozenset(topics)


def _topics(subscription: bytes) -> Iterable[str]:
    version, count = _HEADER.unpack_from(subscription)
    if version < 0 or count < 0:
        raise ValueError("not a subscription")
    at = _HEADER.size
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(subscription, at)
        at += _LENGTH.size
        if length < 0 or at + length > len(subscription):
            raise ValueError("not a subscription")
        yield subscription[at : at + length].decode()
        at += length
