"""From a frame to an answer: header, row, decode, handle, encode.

All that depends on API and version is looked up once and kept as a `Route`: a request costs one
look-up by the first four bytes of its frame. Bytes exist below this module, messages above.

What goes wrong, and what follows:
- a frame that is not a request, an API or version that is not offered: `CloseConnection`
- `ApiError` out of a handler: answered with its code in every slot that the response has
- any other exception: a bug; logged, counted, answered UNKNOWN_SERVER_ERROR; the connection lives
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Iterable

from structlog.typing import FilteringBoundLogger

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.clock import Clock
from godel.errors import ApiError, CloseConnection, DecodeError, EncodeError, ErrorCode
from godel.handlers.respond import error_response
from godel.metrics import Metrics
from godel.protocol import codec
from godel.protocol import frame as framing
from godel.protocol.api import Answer, Api
from godel.protocol.error_codes import error_codes
from godel.protocol.message import Message, fields_of
from godel.security.quotas import Quotas
from godel.server.slow_requests import SlowRequests
from godel.server.throttle import Throttle, Throttled, Usage
from godel.types import Buffer

_HEAD = framing.REQUEST_HEAD
_HEAD_BYTES = _HEAD.size
UNSUPPORTED = "unsupported"
"""Stands for every version that is not offered: a client may ask for any number."""


class Route:
    """One API at one version, with everything that a request of it needs."""

    __slots__ = (
        "api",
        "blank_head",
        "decode",
        "encode",
        "error_codes",
        "handle",
        "pipelined",
        "request_flexible",
        "requests",
        "response",
        "stages",
        "tells_throttle_time",
        "version",
    )

    def __init__(self, api: Api, version: int, metrics: Metrics) -> None:
        self.api = api
        self.version = version
        self.requests = metrics.requests.of(api.name, str(version))
        self.stages = metrics.stages(api.name)
        self.handle = api.handle
        self.pipelined = api.pipelined
        self.response = api.response
        # Bytes behind the last field are ignored, as Apache Kafka does: librdkafka sends three with
        # its request for the metadata of all topics.
        self.decode = codec.prefix_decoder(api.request, version)
        self.encode = codec.encoder(api.response, version)
        self.request_flexible = api.has_flexible_request_header(version)
        flexible = api.has_flexible_response_header(version)
        self.blank_head = framing.blank_response_head(flexible=flexible)
        self.error_codes = error_codes(api.response)
        self.tells_throttle_time = any(
            field.name == "throttle_time_ms" and field.is_in(version)
            for field in fields_of(api.response)
        )


class Parked:
    """A request whose answer is still to come. Holds what is needed to write it then."""

    __slots__ = (
        "arrived_ms",
        "began_ms",
        "client_id",
        "correlation_id",
        "frame_bytes",
        "future",
        "handled_ms",
        "request",
        "route",
        "usage",
    )

    def __init__(
        self,
        route: Route,
        correlation_id: int,
        request: Message,
        future: asyncio.Future[Answer],
        usage: Usage | None = None,
    ) -> None:
        self.route = route
        self.correlation_id = correlation_id
        self.request = request
        self.future = future
        self.frame_bytes = 0
        self.usage = usage
        """Only where quotas are set."""
        self.client_id: str | None = None
        self.arrived_ms = self.began_ms = self.handled_ms = 0.0
        """When it was read, taken up, and began to wait."""


class Dispatcher:
    """Answers the requests of all connections of one broker."""

    def __init__(
        self,
        apis: Iterable[Api],
        broker: Broker,
        metrics: Metrics,
        *,
        log: FilteringBoundLogger,
        clock: Clock,
        quotas: Quotas,
    ) -> None:
        self.broker = broker
        self.metrics = metrics
        self.log = log
        self.clock = clock
        self.slow = SlowRequests(clock=clock, metrics=metrics, log=log)
        self._now_ms = clock.monotonic_ms
        self._quotas = quotas
        self._throttle = Throttle(quotas, clock=clock, metrics=metrics)
        self._apis = {api.key: api for api in apis}
        self._routes: dict[int, Route] = {}

    def dispatch(
        self, frame: memoryview, context: RequestContext, out: list[Buffer]
    ) -> int | Parked | Throttled:
        """Take one request; append its answer to `out` and tell its size, or tell who waits.

        0 bytes: the request has no answer. `frame` may be overwritten once this has returned.
        Raises `CloseConnection`.
        """
        began_ms = self._now_ms()
        try:
            selector, correlation_id, length = _HEAD.unpack_from(frame)
            route = self._routes.get(selector)
            if route is None:
                route = self._open_route(selector)
                if route is None:
                    return self._refuse_version(selector, correlation_id, out)
            if length > 0 or length < -1:
                context.client_id, at = framing.client_id(frame, length)
            else:
                context.client_id = "" if length == 0 else None
                at = _HEAD_BYTES
            if route.request_flexible:
                at = at + 1 if frame[at] == 0 else framing.skip_tagged_fields(frame, at)
            request, _ = route.decode(frame, at)
        except (DecodeError, struct.error, IndexError) as error:
            raise self._undecodable(frame, error) from error
        context.version = route.version
        route.requests.value += 1
        if self._quotas.is_on:
            answer = self._metered(route, correlation_id, context, request, len(frame), out)
        else:
            answer = self._handle(route, correlation_id, context, request, out)
        if isinstance(answer, Parked):
            answer.client_id = context.client_id
            answer.arrived_ms, answer.began_ms = context.arrived_ms, began_ms
            answer.handled_ms = self._now_ms()
            answer.frame_bytes = len(frame)
        else:
            self._answered_at_once(route, context, began_ms, len(frame))
        return answer

    def _handle(
        self,
        route: Route,
        correlation_id: int,
        context: RequestContext,
        request: Message,
        out: list[Buffer],
    ) -> int | Parked:
        try:
            answer = route.handle(context, request)
            if answer.__class__ is route.response:
                return self._answer(route, correlation_id, answer, out)
            if isinstance(answer, Awaitable):
                return Parked(route, correlation_id, request, asyncio.ensure_future(answer))
            return self._answer(route, correlation_id, answer, out)
        except CloseConnection:
            raise
        except Exception as error:  # noqa: BLE001  # a bug ends the request, not the broker
            return self._fail(route, correlation_id, request, error, out)

    def _metered(
        self,
        route: Route,
        correlation_id: int,
        context: RequestContext,
        request: Message,
        frame_bytes: int,
        out: list[Buffer],
    ) -> int | Parked | Throttled:
        """Handle a request whose use is counted."""
        usage = self._throttle.begin(context, request, frame_bytes)
        try:
            answer = route.handle(context, request)
            self._throttle.handled(usage)
            if isinstance(answer, Awaitable):
                future = asyncio.ensure_future(answer)
                return Parked(route, correlation_id, request, future, usage)
            return self._settle(route, correlation_id, request, answer, usage, out)
        except CloseConnection:
            raise
        except Exception as error:  # noqa: BLE001  # a bug ends the request, not the broker
            return self._fail(route, correlation_id, request, error, out)

    def _answered_at_once(
        self, route: Route, context: RequestContext, began_ms: float, frame_bytes: int
    ) -> None:
        """Count how long a request took that did not wait. Flat, for it runs for each."""
        ended_ms = self._now_ms()
        arrived_ms = context.arrived_ms
        queue, local, _, total = route.stages
        queue.observe(began_ms - arrived_ms)
        local.observe(ended_ms - began_ms)
        total.observe(ended_ms - arrived_ms)
        if ended_ms - arrived_ms >= self.slow.threshold_ms:
            self.slow.note(
                route.api.name,
                route.version,
                client_id=context.client_id,
                request_bytes=frame_bytes,
                queue_ms=round(began_ms - arrived_ms, 3),
                local_ms=round(ended_ms - began_ms, 3),
                remote_ms=0.0,
            )

    def finish(self, parked: Parked, out: list[Buffer]) -> int | Throttled:
        """Append the answer of a request whose future is done. Raises `CloseConnection`."""
        ready_ms = self._now_ms()
        size = self._finish(parked, out)
        self._answered_late(parked, ready_ms)
        return size

    def _answered_late(self, parked: Parked, ready_ms: float) -> None:
        """Count how long a request took that waited."""
        ended_ms = self._now_ms()
        queue_ms = parked.began_ms - parked.arrived_ms
        remote_ms = ready_ms - parked.handled_ms
        local_ms = parked.handled_ms - parked.began_ms + ended_ms - ready_ms
        queue, local, remote, total = parked.route.stages
        queue.observe(queue_ms)
        local.observe(local_ms)
        remote.observe(remote_ms)
        total.observe(ended_ms - parked.arrived_ms)
        api = parked.route.api
        counted_ms = queue_ms + local_ms + (0.0 if api.waits_on_purpose else remote_ms)
        if counted_ms >= self.slow.threshold_ms:
            self.slow.note(
                api.name,
                parked.route.version,
                client_id=parked.client_id,
                request_bytes=parked.frame_bytes,
                queue_ms=round(queue_ms, 3),
                local_ms=round(local_ms, 3),
                remote_ms=round(remote_ms, 3),
            )

    def _finish(self, parked: Parked, out: list[Buffer]) -> int | Throttled:
        route, correlation_id, usage = parked.route, parked.correlation_id, parked.usage
        try:
            answer = parked.future.result()
            if usage is not None:
                return self._settle(route, correlation_id, parked.request, answer, usage, out)
            return self._answer(route, correlation_id, answer, out)
        except CloseConnection:
            raise
        except asyncio.CancelledError:
            raise CloseConnection("request cancelled") from None
        except Exception as error:  # noqa: BLE001  # a bug ends the request, not the broker
            return self._fail(route, correlation_id, parked.request, error, out)

    def abandoned(self, future: asyncio.Future[Answer]) -> None:
        """Look at the end of a request that nobody waits for any more: a bug is still a bug."""
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, ApiError | CloseConnection):
            self.metrics.bugs.add()
            self.log.error("request_failed", exc_info=error)

    def _settle(
        self,
        route: Route,
        correlation_id: int,
        request: Message,
        answer: Answer,
        usage: Usage,
        out: list[Buffer],
    ) -> int | Throttled:
        """Count what the request used, and answer it with the time that the client has to wait."""
        answer_bytes = 0
        if isinstance(answer, Message) and self._throttle.counts_answer(usage, request):
            answer_bytes = sum(map(len, route.encode(answer, bytearray())))
        delay_ms = self._throttle.settle(usage, request, answer_bytes)
        if delay_ms and isinstance(answer, Message) and route.tells_throttle_time:
            answer.throttle_time_ms = delay_ms  # type: ignore[attr-defined]  # it tells it
        size = self._answer(route, correlation_id, answer, out)
        return Throttled(size, delay_ms) if delay_ms else size

    def _answer(self, route: Route, correlation_id: int, answer: Answer, out: list[Buffer]) -> int:
        if answer is None:
            return 0
        if isinstance(answer, bytes):
            whole = bytearray(route.blank_head) + answer
            return self._send(whole, [whole], correlation_id, out)
        if route.error_codes is not None:
            for code in route.error_codes(answer):
                self._count_error(route, code)
        head = bytearray(route.blank_head)
        return self._send(head, route.encode(answer, head), correlation_id, out)

    def _send(
        self, head: bytearray, buffers: list[Buffer], correlation_id: int, out: list[Buffer]
    ) -> int:
        """Complete the head, which begins the buffers, and hand them on."""
        size = len(head) if len(buffers) == 1 else sum(map(len, buffers))
        framing.fill_response_head(head, size, correlation_id)
        out += buffers
        return size

    def _open_route(self, selector: int) -> Route | None:
        """The route of a key and version that is met for the first time.

        None where the API has its own way to refuse the version.
        """
        key, version = framing.selected(selector)
        api = self._apis.get(key)
        if api is None:
            raise CloseConnection(f"unknown API key {key}")
        if not api.accepts(version):
            if api.unsupported is not None:
                return None
            raise CloseConnection(f"unsupported version {version} of {api.name}")
        route = Route(api, version, self.metrics)
        self._routes[selector] = route
        return route

    def _refuse_version(self, selector: int, correlation_id: int, out: list[Buffer]) -> int:
        api = self._apis[framing.selected(selector)[0]]
        assert api.unsupported is not None
        self.metrics.requests.of(api.name, UNSUPPORTED).add()
        self.metrics.request_errors.of(api.name, ErrorCode.UNSUPPORTED_VERSION.name).add()
        whole = bytearray(framing.blank_response_head(flexible=False)) + api.unsupported()
        return self._send(whole, [whole], correlation_id, out)

    def _undecodable(self, frame: memoryview, error: Exception) -> CloseConnection:
        if len(frame) < 4:
            return CloseConnection(f"request of {len(frame)} bytes")
        key, version = framing.selected(int.from_bytes(frame[:4], "big"))
        name = self._apis[key].name if key in self._apis else str(key)
        return CloseConnection(f"undecodable request {name} v{version}: {error}")

    def _fail(
        self,
        route: Route,
        correlation_id: int,
        request: Message,
        error: Exception,
        out: list[Buffer],
    ) -> int:
        """Answer a request that an exception ended, or close where no answer can carry it."""
        api = route.api
        if isinstance(error, ApiError):
            code, message = error.code, error.message
        else:
            code, message = ErrorCode.UNKNOWN_SERVER_ERROR, None
            self.metrics.bugs.add()
            self.log.error("request_failed", api=api.name, version=route.version, exc_info=error)
        self._count_error(route, code)
        response = error_response(request, api.response, route.version, code=code, message=message)
        if response is None:
            raise CloseConnection(f"{api.name} failed and has no room to say so") from error
        head = bytearray(route.blank_head)
        try:
            buffers = route.encode(response, head)
        except EncodeError as unsaid:
            raise CloseConnection(f"{api.name} failed and could not say so: {unsaid}") from error
        return self._send(head, buffers, correlation_id, out)

    def _count_error(self, route: Route, code: int) -> None:
        try:
            name = ErrorCode(code).name
        except ValueError:
            name = str(code)
        self.metrics.request_errors.of(route.api.name, name).add()
