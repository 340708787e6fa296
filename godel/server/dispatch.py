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
from godel.protocol.error_codes import error_visitor
from godel.protocol.message import Message, fields_of
from godel.security.quotas import Quotas
from godel.server.slow_requests import SlowRequests
from godel.server.throttle import Throttle, Throttled, Usage
from godel.types import Piece

_HEAD = framing.REQUEST_HEAD
_HEAD_BYTES = _HEAD.size
UNSUPPORTED = "unsupported"
"""Stands for every version that is not offered: a client may ask for any number."""


class Route:
    """One API at one version, with everything that a request of it needs."""

    __slots__ = (
        "_errors",
        "api",
        "blank_head",
        "count_error",
        "decode",
        "encode",
        "handle",
        "pipelined",
        "request_flexible",
        "response",
        "stages",
        "tells_throttle_time",
        "version",
        "visit_errors",
    )

    def __init__(self, api: Api, version: int, metrics: Metrics) -> None:
        self.api = api
        self.version = version
        self.stages = metrics.stages(api.name, str(version))
        self._errors = metrics.request_errors
        self.count_error = self._count_error  # bound once
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
        self.visit_errors = None if api.counts_errors else error_visitor(api.response)
        self.tells_throttle_time = any(
            field.name == "throttle_time_ms" and field.is_in(version)
            for field in fields_of(api.response)
        )

    def _count_error(self, code: int) -> None:
        try:
            name = ErrorCode(code).name
        except ValueError:
            name = str(code)
        self._errors.of(self.api.name, name).add()


class Parked:
    """A request whose answer is still to come. Holds what is needed to write it then."""

    __slots__ = (
        "began_s",
        "client_id",
        "correlation_id",
        "frame_bytes",
        "future",
        "handled_s",
        "queue_s",
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
        self.began_s = self.handled_s = 0.0
        """When it was taken up, and began to wait."""
        self.queue_s = 0.0
        """How long it waited for its turn before."""


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
        self._now_s = clock.elapsed_s
        self._quotas = quotas
        self._throttle = Throttle(quotas, clock=clock, metrics=metrics)
        self._apis = {api.key: api for api in apis}
        self._routes: dict[int, Route] = {}

    def dispatch(
        self, frame: memoryview, context: RequestContext, out: list[Piece]
    ) -> int | Parked | Throttled:
        """Take one request; append its answer to `out` and tell its size, or tell who waits.

        0 bytes: the request has no answer. `frame` may be overwritten once this has returned.
        Raises `CloseConnection`.
        """
        try:
            selector, correlation_id, length = _HEAD.unpack_from(frame)
            route = self._routes.get(selector)
            if route is None:
                route = self._open_route(selector)
                if route is None:
                    return self._refuse_version(selector, correlation_id, context, out)
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
        size: int | Throttled
        try:
            if self._quotas.is_on:
                taken = self._metered(route, correlation_id, context, request, len(frame), out)
                if isinstance(taken, Parked):
                    return self._wait(taken, context, len(frame))
                size = taken
            else:
                answer = route.handle(context, request)
                if answer.__class__ is not route.response and isinstance(answer, Awaitable):
                    parked = Parked(route, correlation_id, request, asyncio.ensure_future(answer))
                    return self._wait(parked, context, len(frame))
                size = self._answer(route, correlation_id, answer, out)
        except CloseConnection:
            self._look_closer(route, context, self._now_s() - context.began_s, len(frame))
            raise
        except Exception as error:  # noqa: BLE001  # a bug ends the request, not the broker
            size = self._fail(route, correlation_id, request, error, out)
        # What counting costs every request, so without a call. Of requests that were read together,
        # the next one begins now: as in Kafka, which takes it from the socket only now.
        ended_s = self._now_s()
        local_s = ended_s - context.began_s
        context.began_s = ended_s
        if context.queue_s or local_s >= self.slow.closer_look_s:
            self._look_closer(route, context, local_s, len(frame))
        else:
            stages = route.stages
            stages.quick += 1
            stages.quick_s += local_s
        return size

    def _metered(
        self,
        route: Route,
        correlation_id: int,
        context: RequestContext,
        request: Message,
        frame_bytes: int,
        out: list[Piece],
    ) -> int | Parked | Throttled:
        """Handle a request whose use is counted."""
        usage = self._throttle.begin(context, request, frame_bytes)
        answer = route.handle(context, request)
        self._throttle.handled(usage)
        if isinstance(answer, Awaitable):
            future = asyncio.ensure_future(answer)
            return Parked(route, correlation_id, request, future, usage)
        return self._settle(route, correlation_id, request, answer, usage, out)

    def _wait(self, parked: Parked, context: RequestContext, frame_bytes: int) -> Parked:
        """Note what is needed when the answer is there; the context is the next request's then."""
        parked.client_id = context.client_id
        parked.frame_bytes = frame_bytes
        parked.began_s, parked.queue_s = context.began_s, context.queue_s
        parked.handled_s = context.began_s = self._now_s()
        context.queue_s = 0.0
        return parked

    def _look_closer(
        self, route: Route, context: RequestContext, local_s: float, frame_bytes: int
    ) -> None:
        """Count a request that was answered at once, but took its time.

        Or it was kept, as it could not be taken when it was read, and has waited in the queue.
        """
        queue_s, context.queue_s = context.queue_s, 0.0
        if queue_s:
            route.stages.queued(queue_s=queue_s, local_s=local_s)
        else:
            route.stages.prompt(local_s)
        if queue_s + local_s >= self.slow.threshold_s:
            self.slow.note(
                route.api.name,
                route.version,
                client_id=context.client_id,
                request_bytes=frame_bytes,
                queue_s=queue_s,
                local_s=local_s,
            )

    def finish(self, parked: Parked, out: list[Piece]) -> int | Throttled:
        """Append the answer of a request whose future is done. Raises `CloseConnection`."""
        ready_s = self._now_s()
        try:
            return self._finish(parked, out)
        finally:
            self._ended_late(parked, ready_s)

    def _ended_late(self, parked: Parked, ready_s: float) -> None:
        """Count how long a request took that waited."""
        queue_s = parked.queue_s
        local_s = parked.handled_s - parked.began_s + self._now_s() - ready_s
        remote_s = ready_s - parked.handled_s
        parked.route.stages.waited(queue_s=queue_s, local_s=local_s, remote_s=remote_s)
        api = parked.route.api
        counted_s = queue_s + local_s + (0.0 if api.waits_on_purpose else remote_s)
        if counted_s >= self.slow.threshold_s:
            self.slow.note(
                api.name,
                parked.route.version,
                client_id=parked.client_id,
                request_bytes=parked.frame_bytes,
                queue_s=queue_s,
                local_s=local_s,
                remote_s=remote_s,
            )

    def _finish(self, parked: Parked, out: list[Piece]) -> int | Throttled:
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

    def give_up(self, parked: Parked) -> None:
        """End a request whose client is gone. As in Kafka it counts with the time that it took."""
        self._ended_late(parked, self._now_s())
        parked.future.cancel()

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
        out: list[Piece],
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

    def _answer(self, route: Route, correlation_id: int, answer: Answer, out: list[Piece]) -> int:
        if answer is None:
            return 0
        if isinstance(answer, bytes):
            whole = bytearray(route.blank_head) + answer
            return self._send(whole, [whole], correlation_id, out)
        if route.visit_errors is not None:
            route.visit_errors(answer, route.count_error)
        head = bytearray(route.blank_head)
        return self._send(head, route.encode(answer, head), correlation_id, out)

    def _send(
        self, head: bytearray, buffers: list[Piece], correlation_id: int, out: list[Piece]
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

    def _refuse_version(
        self, selector: int, correlation_id: int, context: RequestContext, out: list[Piece]
    ) -> int:
        api = self._apis[framing.selected(selector)[0]]
        assert api.unsupported is not None
        stages = self.metrics.stages(api.name, UNSUPPORTED)
        ended_s = self._now_s()
        stages.queued(queue_s=context.queue_s, local_s=ended_s - context.began_s)
        context.began_s, context.queue_s = ended_s, 0.0
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
        out: list[Piece],
    ) -> int:
        """Answer a request that an exception ended, or close where no answer can carry it."""
        api = route.api
        if isinstance(error, ApiError):
            code, message = error.code, error.message
        else:
            code, message = ErrorCode.UNKNOWN_SERVER_ERROR, None
            self.metrics.bugs.add()
            self.log.error("request_failed", api=api.name, version=route.version, exc_info=error)
        route.count_error(code)
        response = error_response(request, api.response, route.version, code=code, message=message)
        if response is None:
            raise CloseConnection(f"{api.name} failed and has no room to say so") from error
        head = bytearray(route.blank_head)
        try:
            buffers = route.encode(response, head)
        except EncodeError as unsaid:
            raise CloseConnection(f"{api.name} failed and could not say so: {unsaid}") from error
        return self._send(head, buffers, correlation_id, out)
