"""Dispatch over real sockets: what answers, what closes, what is counted and logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.broker.context import Endpoint, RequestContext
from godel.errors import CloseConnection, ErrorCode
from godel.protocol import codec
from godel.protocol import frame as framing
from godel.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from godel.protocol.messages.heartbeat import HeartbeatResponse
from godel.protocol.messages.join_group import JoinGroupResponse
from godel.protocol.messages.produce import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from godel.server.limits import Limits
from godel.types import Buffer
from tests.server.harness import Server, beat, join, produce, until

pytestmark = pytest.mark.anyio

Serve = Callable[..., Awaitable[Server]]


@pytest.mark.parametrize("version", range(5))
async def test_a_request_is_answered_in_its_version(serve: Serve, version: int) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(5), version=version, correlation_id=-3)
    correlation_id, body = await client.answer()
    flexible = int(version >= 4)
    answer = codec.decode(HeartbeatResponse, body[flexible:], version)
    assert correlation_id == -3
    assert body[:flexible] == b"\0" * flexible
    assert answer.throttle_time_ms == (5 if version >= 1 else 0)
    assert server.metrics.stages("Heartbeat", str(version)).requests == 1


@pytest.mark.parametrize("client_id", [None, "", "a" * 200, "ключ"])
async def test_any_client_id_is_taken(serve: Serve, client_id: str | None) -> None:
    server = await serve()
    client = await server.connect()
    body = codec.encode(beat(1), 4)
    client.writer.write(
        framing.request_frame(12, 4, body, correlation_id=8, client=client_id, flexible=True)
    )
    assert await client.answers(1) == [8]


async def test_tagged_fields_in_a_header_are_skipped(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    body = b"\1\x05\3abc" + codec.encode(beat(1), 4)
    client.writer.write(framing.request_frame(12, 4, body, correlation_id=8, client="x"))
    assert await client.answers(1) == [8]


async def test_bytes_behind_the_last_field_are_ignored(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    body = codec.encode(beat(1), 4) + b"\0\0\0"
    client.writer.write(
        framing.request_frame(12, 4, body, correlation_id=8, client="x", flexible=True)
    )
    client.send(beat(1), version=3, correlation_id=9)
    assert await client.answers(2) == [8, 9]


async def test_an_api_error_that_no_handler_placed_is_the_answer(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(1, "refused"))
    _, body = await client.answer()
    answer = codec.decode(HeartbeatResponse, body, 3)
    assert answer.error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED
    errors = server.metrics.request_errors.of("Heartbeat", "GROUP_AUTHORIZATION_FAILED")
    assert errors.value == 1
    assert server.count("godel_bugs_total") == 0
    assert not server.logged.entries


async def test_a_bug_is_answered_logged_and_counted_and_the_connection_lives(
    serve: Serve,
) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(1, "bug"), correlation_id=1)
    client.send(beat(2), correlation_id=2)
    _, body = await client.answer()
    answer = codec.decode(HeartbeatResponse, body, 3)
    assert answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert await client.answers(1) == [2]
    assert server.count("godel_bugs_total") == 1
    (entry,) = server.logged.entries
    assert (entry["event"], entry["api"], entry["version"]) == ("request_failed", "Heartbeat", 3)


@pytest.mark.parametrize(
    ("group", "code"),
    [("bug", ErrorCode.UNKNOWN_SERVER_ERROR), ("refused", ErrorCode.NOT_COORDINATOR)],
)
async def test_errors_after_waiting_are_answered_too(
    serve: Serve, group: str, code: ErrorCode
) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join(group), version=5)
    await until(lambda: server.taken)
    server.open(group)
    _, body = await client.answer()
    assert codec.decode(JoinGroupResponse, body, 5).error_code == code
    assert server.count("godel_bugs_total") == int(code == ErrorCode.UNKNOWN_SERVER_ERROR)


async def test_a_bug_while_nobody_waits_any_more_is_still_counted(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join("gate"))
    await until(lambda: server.taken)
    server.gate("gate").set_exception(RuntimeError("a bug on the way out"))
    client.close()
    await until(lambda: server.count("godel_bugs_total") == 1)


async def test_a_handler_that_is_cancelled_closes_the_connection(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join("gate"))
    await until(lambda: server.taken)
    server.gate("gate").cancel()
    assert await client.ended()
    assert server.metrics.stages("JoinGroup", "3").requests == 1


async def test_a_handler_may_ask_to_close(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(1), correlation_id=1)
    client.send(beat(2, "close"), correlation_id=2)
    assert await client.answers(1) == [1]
    assert await client.ended()
    assert server.metrics.stages("Heartbeat", "3").requests == 2


async def test_acks_0_is_not_answered(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(produce(1, acks=0), correlation_id=1)
    client.send(beat(2), correlation_id=2)
    assert await client.answers(1) == [2]
    assert server.taken == [1, 2]


@pytest.mark.parametrize("version", range(6))
async def test_api_versions_is_answered_with_the_old_header(serve: Serve, version: int) -> None:
    server = await serve()
    client = await server.connect()
    request = ApiVersionsRequest(client_software_name="test", client_software_version="1.0")
    client.send(request, version=version, correlation_id=4)
    correlation_id, body = await client.answer()
    answer = codec.decode(ApiVersionsResponse, body, version)
    assert correlation_id == 4
    assert answer.error_code == 0
    assert [(api.api_key, api.min_version, api.max_version) for api in answer.api_keys] == [
        (0, 0, 11),
        (1, 4, 18),
        (11, 0, 9),
        (12, 0, 4),
        (14, 0, 5),
        (18, 0, 5),
    ]


@pytest.mark.parametrize("version", [6, 7, 1000, -1, 2**15 - 1])
async def test_an_unknown_version_of_api_versions_is_answered_in_version_0(
    serve: Serve, version: int
) -> None:
    server = await serve()
    client = await server.connect()
    client.writer.write(
        framing.request_frame(18, version, b"\xff\xff what is this", correlation_id=6)
    )
    client.send(beat(7), correlation_id=7)
    correlation_id, body = await client.answer()
    answer = codec.decode(ApiVersionsResponse, body, 0)
    assert correlation_id == 6
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert [(api.api_key, api.min_version, api.max_version) for api in answer.api_keys] == [
        (18, 0, 5)
    ]
    assert await client.answers(1) == [7]


@given(
    st.sampled_from([12, 14, 18, 99]),
    st.integers(-1, 6),
    st.binary(max_size=60),
    st.integers(0, 80),
)
def test_any_bytes_are_answered_or_close_the_connection(
    key: int, version: int, body: bytes, length: int
) -> None:
    """Never an exception of another kind, and never a bug."""
    server = Server(Limits())
    context = RequestContext(
        server.dispatcher.broker, client_host="::1", listener=Endpoint("::1", 9092)
    )
    frame = framing.request_frame(key, version, body, client="x")[4:][:length]
    out: list[Buffer] = []
    try:
        answer = server.dispatcher.dispatch(memoryview(frame), context, out)
    except CloseConnection:
        assert out == []
    else:
        assert isinstance(answer, int)
        assert answer == sum(map(len, out))
    assert server.count("godel_bugs_total") == 0


async def test_each_stage_of_a_request_is_timed(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join("group"))
    await until(lambda: server.count("godel_requests_waiting") == 1)
    server.clock.advance(70)
    client.send(beat(1))
    await until(lambda: server.metrics.request_memory_bytes.value > 300)
    server.clock.advance(30)
    server.open("group")
    await client.answers(2)
    waited = server.metrics.stages("JoinGroup", "3")
    stages = (waited.queue, waited.local, waited.remote, waited.total)
    assert [each.sum_s for each in stages] == pytest.approx([0, 0, 0.1, 0.1])
    queued = server.metrics.stages("Heartbeat", "3")
    stages = (queued.queue, queued.local, queued.remote, queued.total)
    assert [each.sum_s for each in stages] == pytest.approx([0.03, 0, 0, 0.03])
    assert [each.value for each in stages] == [1, 1, 0, 1]


async def test_a_request_whose_client_goes_away_while_it_waits_is_counted(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join("group"))
    await until(lambda: server.count("godel_requests_waiting") == 1)
    server.clock.advance(70)
    client.close()
    await until(lambda: server.waits_cancelled == 1)
    waited = server.metrics.stages("JoinGroup", "3")
    assert waited.requests == 1
    assert waited.remote.sum_s == pytest.approx(0.07)
    assert server.count("godel_requests_waiting") == 0


async def test_errors_are_counted_wherever_an_answer_has_them(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    partitions = [PartitionProduceResponse(error_code=code) for code in (0, 3, 3, 19)]
    answer = ProduceResponse(responses=[TopicProduceResponse(partition_responses=partitions)])
    server.produced = answer
    client.send(produce())
    await client.answer()
    errors = server.metrics.request_errors
    assert errors.of("Produce", "UNKNOWN_TOPIC_OR_PARTITION").value == 2
    assert errors.of("Produce", "NOT_ENOUGH_REPLICAS").value == 1
