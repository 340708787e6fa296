"""Requests that are well formed and make no sense, to every API and version of a whole broker.

Whatever they say: an answer or a closed connection, never a bug, never a request left without end.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from godel.clock import ManualClock
from godel.errors import EncodeError
from godel.handlers import APIS
from godel.protocol.api import Api
from godel.protocol.message import Array, Field, Message, fields_of
from godel.protocol.messages.api_versions import ApiVersionsRequest
from godel.protocol.types import BOOL, FLOAT64, STRING, UUID, Primitive
from godel.records.builder import NewRecord
from godel.testing import Broker
from tests.protocol.catalogue import at_version
from tests.wire import Client, batch, numbered

TOPIC_IDS: list[bytes] = [bytes(16), bytes(range(16))]
"""Those that mean nothing; each broker adds its own."""

WORDS = "t u g h 1 100 -1 range consumer compact retention.ms cleanup.policy num.partitions größer"
TEXTS = st.sampled_from([*WORDS.split(), "__consumer_offsets", "", "a b", "x" * 250])
BLOBS = st.sampled_from(
    [b"", b"x", b"x" * 61, batch("a"), batch(NewRecord(b"k", b"v")), batch("a") * 2]
    + [numbered("a", producer_id=1, sequence=n) for n in range(3)]
)
NUMBERS = [-7, -6, -3, -2, -1, 0, 1, 2, 3, 5, 127, 6000, 10_000]
LARGE = [2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
FEW = {"num_partitions": 3, "count": 5, "replication_factor": 2}
"""What would otherwise make this test slow rather than the broker wrong."""


def integers(kind: Primitive, name: str) -> st.SearchStrategy[int]:
    if name in FEW:
        return st.integers(-2, FEW[name])
    bits = kind.size * 8
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if kind.format.isupper():
        low, high = 0, 2**bits - 1
    return st.sampled_from([number for number in NUMBERS + LARGE if low <= number <= high])


def values(kind: Any, name: str = "") -> st.SearchStrategy[Any]:
    if isinstance(kind, Array):
        return st.lists(values(kind.element, name), max_size=2)
    if not isinstance(kind, Primitive):
        return messages(kind)
    if kind is BOOL:
        return st.booleans()
    if kind is FLOAT64:
        return st.floats(allow_nan=False)
    if kind is UUID:
        return st.sampled_from(range(4)).map(lambda n: TOPIC_IDS[n % len(TOPIC_IDS)])
    if kind.format:
        return integers(kind, name)
    return TEXTS if kind is STRING else BLOBS


def field_values(field: Field) -> st.SearchStrategy[Any]:
    strategy = values(field.type, field.name)
    if field.nullable_since is not None:
        strategy = st.one_of(strategy, st.none())
    return (
        st.one_of(strategy, st.just(field.default))
        if not isinstance(field.type, Array)
        else strategy
    )


def messages(cls: type[Message]) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{field.name: field_values(field) for field in fields_of(cls)})


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker({"connections.max.idle.ms": -1}, clock=ManualClock(), seed=1)
    with broker:
        with Client(broker) as client:
            TOPIC_IDS.append(client.create("t", partitions=2))
            TOPIC_IDS.append(client.create("u", configs={"cleanup.policy": "compact"}))
        yield broker
        del TOPIC_IDS[2:]


class Conversation:
    """One client after the other, as the broker closes on them."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.client = Client(broker)

    def say(self, request: Message, version: int) -> None:
        try:
            self.client.post(request, version)
        except EncodeError:
            return  # no client can say this
        last = self.client.post(ApiVersionsRequest(), 0)
        try:
            while self.answered() != last:
                pass
        except ConnectionError:
            self.client.close()
            self.client = Client(self.broker)

    def answered(self) -> int:
        """The correlation id of the next answer, letting time pass while there is none."""
        for _ in range(20):
            readable, _, _ = select.select([self.client.socket], [], [], 0.01)
            if readable:
                return int.from_bytes(self.client.take_frame()[:4], "big", signed=True)
            self.broker.advance(2**31)
        raise AssertionError("never answered")


@pytest.mark.slow
@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nonsense_is_answered(broker: Broker, api: Api, data: st.DataObject) -> None:
    conversation = Conversation(broker)
    first = api.versions[0] if api.accepted_from is None else api.accepted_from
    try:
        for version in range(first, api.versions[1] + 1):
            request = data.draw(messages(api.request))
            conversation.say(at_version(request, version), version)
    finally:
        conversation.client.close()
    assert broker.node.broker.metrics.bugs.value == 0
