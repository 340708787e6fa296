"""Beginnings, ends and times of partitions."""

from __future__ import annotations

import pytest

from godel.client.cluster import Cluster
from godel.client.offsets import Span, offsets_at, spans, spans_where_led
from godel.errors import ApiError
from godel.types import TopicPartition
from tests.wire import NOW_MS, Client, batch

pytestmark = pytest.mark.anyio

FIRST, SECOND = TopicPartition("flights", 0), TopicPartition("flights", 1)


@pytest.fixture(autouse=True)
def _topic(outside: Client) -> None:
    outside.create("flights", partitions=2)
    outside.produce("flights", batch("a", "b", timestamp_ms=NOW_MS))
    outside.produce("flights", batch("c", timestamp_ms=NOW_MS + 1000))


async def test_spans(cluster: Cluster) -> None:
    assert await spans(cluster, [FIRST, SECOND]) == {FIRST: Span(0, 3), SECOND: Span(0, 0)}


async def test_a_time_finds_the_first_record_at_or_after_it(cluster: Cluster) -> None:
    assert await offsets_at(cluster, [FIRST, SECOND], NOW_MS + 1) == {FIRST: 2, SECOND: 0}
    assert await offsets_at(cluster, [FIRST], NOW_MS + 5000) == {FIRST: 3}


async def test_what_nobody_leads_has_no_span_in_a_listing(cluster: Cluster) -> None:
    stranger = TopicPartition("flights", 7)
    assert await spans_where_led(cluster, [FIRST, stranger]) == {FIRST: Span(0, 3)}
    assert await spans_where_led(cluster, [stranger]) == {}
    with pytest.raises(ApiError):
        await spans(cluster, [stranger])
