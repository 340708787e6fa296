"""Reading the topics out of what consumers send."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from godel.coordinator.consumer_protocol import subscribed_topics
from tests.coordinator.transcript import subscription


def test_the_topics_of_all_members() -> None:
    found = subscribed_topics([subscription(["t", "ü"]), subscription([]), subscription(["u"])])
    assert found == {"t", "u", "ü"}


def test_nobody_reads_nothing() -> None:
    assert subscribed_topics([]) == frozenset()


def test_one_that_cannot_be_read_makes_all_unknown() -> None:
    assert subscribed_topics([subscription(["t"]), b""]) is None
    assert subscribed_topics([struct.pack(">hi", 0, 1_000_000_000)]) is None
    assert subscribed_topics([struct.pack(">hih", 0, 1, -1)]) is None
    assert subscribed_topics([struct.pack(">hih", 0, 1, 5) + b"abc"]) is None


@given(st.binary(max_size=40))
def test_garbage_does_no_harm(garbage: bytes) -> None:
    subscribed_topics([garbage])
