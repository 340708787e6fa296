"""The shell around one client connection: socket events in, requests served, answers out in order.

A protocol of asyncio, for uvloop: no task and no queue per request. A request that is answered at
once is served inside the callback that brought its bytes. One that waits is `Parked`: until it is
answered no further request is taken, unless its API is pipelined; answers of later requests queue
behind it. Requests that cannot be taken yet are copied out of the shared receive buffer and kept;
with too many of them, reading stops.

All connections read into one buffer, so the loop must hand over what it has read before it reads
for another connection; uvloop and asyncio's selector loops do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import cast

from godel.broker.context import Endpoint, RequestContext
from godel.clock import Timer
from godel.errors import CloseConnection, StorageFailed
from godel.protocol.api import Answer
from godel.protocol.connection import FIRST_BYTES, FrameReader
from godel.server.dispatch import Parked
from godel.server.outgoing import COALESCED_BYTES, Outgoing
from godel.server.reception import Reception
from godel.server.throttle import Throttled
from godel.types import Piece

NOTHING_SEEN = 2**63
"""More than can be unsent: the next look at a stalled connection starts its time."""

KEPT_FRAME_BYTES = 256
"""What a kept frame costs besides its bytes."""


class Connection(asyncio.BufferedProtocol):
    """One client. Lives on one event loop; nobody else touches it."""

    __slots__ = (
        "_active",
        "_answers",
        "_blocked",
        "_context",
        "_ending",
        "_kept",
        "_kept_bytes",
        "_lacks_memory",
        "_late_bytes",
        "_listener",
        "_muted",
        "_muted_s",
        "_muted_since_s",
        "_outgoing",
        "_reader",
        "_reading",
        "_reception",
        "_reserved_bytes",
        "_serving",
        "_since_ms",
        "_transport",
        "_unsent_bytes",
        "client_host",
    )

    def __init__(self, reception: Reception, listener: Endpoint) -> None:
        self._reception = reception
        self._listener = listener
        self._reader = FrameReader(
            reception.limits.max_request_bytes, reception.receive_buffer, reception.spare_buffers
        )
        self._answers: deque[Parked | list[Piece]] | None = None
        self._kept: deque[tuple[memoryview, float]] | None = None
        """Each with when it was read, less the time for which this had been muted by then."""
        self._kept_bytes = 0
        self._late_bytes = 0
        self._blocked = False
        self._muted: Timer | None = None
        self._muted_since_s = 0.0
        self._muted_s = 0.0
        """How long all earlier quotas together took no requests."""
        self._reading = True
        self._serving = False
        self._lacks_memory = False
        self._reserved_bytes = 0
        self._ending: str | None = None
        self._active = True
        self._since_ms = 0.0
        self._unsent_bytes = NOTHING_SEEN
        self.client_host = ""

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.client_host = peer[0] if peer else ""
        reception = self._reception
        if not reception.admit(self):
            self._ending = "refused"
            self._transport.abort()
            return
        self._context = RequestContext(
            reception.dispatcher.broker, client_host=self.client_host, listener=self._listener
        )
        high = reception.limits.write_buffer_bytes
        self._transport.set_write_buffer_limits(high=high, low=high // 4)
        self._outgoing = Outgoing(self._transport, self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's signature
        return self._reader.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._active = True
        self._reception.metrics.bytes_received.value += nbytes
        reader = self._reader
        frames = reader.buffer_updated(nbytes)
        if self._ending is not None:
            return
        if frames:
            arrived = iter(frames)
            arrived_s = self._reception.elapsed_s()
            if not self._kept and self._may_serve():
                self._context.began_s = arrived_s
                self._serve(arrived)
            self._keep(arrived, arrived_s)
            reader.release()
            if self._reserved_bytes:
                reserved_bytes, self._reserved_bytes = self._reserved_bytes, 0
                self._reception.memory.give_back(reserved_bytes)
        if reader.error is not None:
            self._reception.metrics.frames_oversized.add()
            self._end("oversized_request", str(reader.error))
        elif reader.unfinished_bytes or self._reception.memory.is_full:
            self._bound_memory()
        if self._kept:
            self._set_reading()

    def eof_received(self) -> bool:
        """The peer will send no more: as in Kafka the connection is over, waiting answers too."""
        return False

    def pause_writing(self) -> None:
        self._outgoing.is_full = True
        self._unsent_bytes = NOTHING_SEEN
        self._reception.unsent.set(self, self._outgoing.held_bytes)

    def resume_writing(self) -> None:
        outgoing = self._outgoing
        outgoing.is_full = False
        self._reception.unsent.forget(self)
        try:
            outgoing.go_on()
        except StorageFailed as failure:
            self._cannot_read(failure)
            return
        if outgoing.is_full or self._serving:
            return
        if self._ending is None:
            self._continue()
        else:
            self._soon(self._continue)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the peer is gone
        if self._ending == "refused":
            return
        reason = self._ending = self._ending or "closed_by_peer"
        memory = self._reception.memory
        if self._lacks_memory:
            memory.forget(self)
        reserved_bytes, self._reserved_bytes = self._reserved_bytes, 0
        self._abandon_answers()
        self._outgoing.forget()
        self._forget_kept()
        self._reader.close()
        if self._muted is not None:
            self._muted.cancel()
        self._reception.unsent.forget(self)
        self._reception.leave(self, reason)
        memory.give_back(reserved_bytes)

    # Requests

    def _may_serve(self) -> bool:
        limits = self._reception.limits
        return (
            self._ending is None
            and not self._outgoing.is_full
            and not self._blocked
            and self._muted is None
            and self._late_bytes < limits.write_buffer_bytes
            and (not self._answers or len(self._answers) < limits.max_answers_waiting)
        )

    def _serve(self, frames: Iterator[memoryview]) -> None:
        """Take requests until there is none left or the next one has to wait for its turn."""
        dispatch = self._reception.dispatcher.dispatch
        context = self._context
        out: list[Piece] = []
        size = 0
        # Writing may call `resume_writing` before it returns; this loop sees to what follows.
        self._serving = True
        try:
            for frame in frames:
                if self._answers:
                    if not self._serve_late(frame, self._answers):
                        break
                    continue
                answer = dispatch(frame, context, out)
                if isinstance(answer, Parked):
                    self._park(answer)
                    if self._blocked:
                        break
                elif isinstance(answer, Throttled):
                    size += self._mute(answer)
                    break
                else:
                    size += answer
                    if size >= COALESCED_BYTES:
                        self._write(out, size)
                        out, size = [], 0
                        if self._outgoing.is_full:
                            break
            self._write(out, size)
        except CloseConnection as refusal:
            self._write(out, size)
            self._end("bad_request", str(refusal))
        finally:
            self._serving = False

    def _serve_late(self, frame: memoryview, answers: deque[Parked | list[Piece]]) -> bool:
        """Take a request while answers before its own are still to come; whether to go on."""
        late: list[Piece] = []
        answer = self._reception.dispatcher.dispatch(frame, self._context, late)
        if isinstance(answer, Parked):
            self._park(answer)
            return self._may_serve()
        size = self._mute(answer) if isinstance(answer, Throttled) else answer
        if size:
            answers.append(late)
            self._late_bytes += size
        return self._may_serve()

    def _mute(self, answer: Throttled) -> int:
        """Take no request for the time that the answer tells; returns the answer's size."""
        if self._muted is not None:
            self._muted.cancel()
        else:
            self._muted_since_s = self._reception.elapsed_s()
        self._muted = self._reception.clock.call_later(answer.delay_ms, self._unmute)
        return answer.size_bytes

    def _unmute(self) -> None:
        self._muted = None
        self._muted_s += self._reception.elapsed_s() - self._muted_since_s
        self._continue()

    def _park(self, parked: Parked) -> None:
        """Line up a request whose answer is still to come."""
        if self._answers is None:
            self._answers = deque()
        self._answers.append(parked)
        self._blocked = not parked.route.pipelined
        self._reception.memory.take(parked.frame_bytes)
        self._reception.metrics.requests_waiting.add(1)
        parked.future.add_done_callback(self._answer_ready)

    def _answer_ready(self, future: asyncio.Future[Answer]) -> None:
        """Send the answers that are there at the head of the line, then go on with requests."""
        answers = self._answers
        if answers is None:
            self._reception.dispatcher.abandoned(future)
            return
        if not answers:  # it went out with an earlier one that was ready
            return
        out: list[Piece] = []
        size = released_bytes = 0
        try:
            while answers:
                answer = answers[0]
                if isinstance(answer, Parked):
                    if not answer.future.done():
                        break
                    answers.popleft()
                    self._reception.metrics.requests_waiting.add(-1)
                    released_bytes += answer.frame_bytes
                    finished = self._reception.dispatcher.finish(answer, out)
                    size += self._mute(finished) if isinstance(finished, Throttled) else finished
                else:
                    answers.popleft()
                    late_bytes = sum(map(len, answer))
                    self._late_bytes -= late_bytes
                    size += late_bytes
                    out += answer
        except CloseConnection as refusal:
            self._write(out, size)
            self._abandon_answers()
            self._end("bad_request", str(refusal))
        else:
            self._write(out, size)
            # A request that blocks is the last in the line.
            self._blocked = self._blocked and bool(answers)
        self._reception.memory.release(released_bytes)
        self._continue()

    def _continue(self) -> None:
        """Something that was in the way may be gone."""
        if self._kept and self._may_serve():
            self._context.began_s = self._reception.elapsed_s()
            self._serve(self._next_kept(self._kept))
        if self._ending is None:
            self._set_reading()
        elif not self._answers:
            self._close()

    # Requests that are not taken yet

    def _keep(self, frames: Iterator[memoryview], arrived_s: float) -> None:
        """Set aside what cannot be taken yet; the receive buffer is about to be used again."""
        if self._ending is not None:
            return
        # Kafka reads nothing while a quota is in the way, so that is no time in its queue.
        counts_from_s = arrived_s if self._muted is None else self._muted_since_s
        counts_from_s -= self._muted_s
        kept_bytes = 0
        lends = self._reader.lends
        for frame in frames:
            if self._kept is None:
                self._kept = deque()
            copied = memoryview(bytes(frame)) if lends(frame) else frame
            self._kept.append((copied, counts_from_s))
            kept_bytes += len(frame) + KEPT_FRAME_BYTES
        if kept_bytes:
            self._kept_bytes += kept_bytes
            self._reception.memory.take(kept_bytes)

    def _next_kept(self, kept: deque[tuple[memoryview, float]]) -> Iterator[memoryview]:
        context = self._context
        while kept:
            frame, counts_from_s = kept.popleft()
            context.queue_s = max(0.0, context.began_s - self._muted_s - counts_from_s)
            cost_bytes = len(frame) + KEPT_FRAME_BYTES
            self._kept_bytes -= cost_bytes
            self._reception.memory.release(cost_bytes)
            yield frame

    def _forget_kept(self) -> None:
        kept_bytes, self._kept_bytes = self._kept_bytes, 0
        if self._kept:
            self._kept.clear()
            self._reception.memory.release(kept_bytes)

    def _set_reading(self) -> None:
        too_much = self._kept_bytes > self._reception.limits.read_ahead_bytes
        reading = self._ending is None and not self._lacks_memory and not too_much
        if reading is self._reading or self._transport.is_closing():
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            if self._ending is None:
                cause = "memory" if self._lacks_memory else "read_ahead"
                self._reception.metrics.reading_paused.of(cause).add()
            self._transport.pause_reading()

    def _bound_memory(self) -> None:
        """Reserve memory for a large request that has begun; stop reading while there is none."""
        memory = self._reception.memory
        unfinished_bytes = self._reader.unfinished_bytes
        if self._reserved_bytes or self._lacks_memory:
            return
        is_large = unfinished_bytes > FIRST_BYTES
        if memory.is_full if is_large else memory.is_used_up:
            self._lacks_memory = True
            memory.wait(self)
            self._set_reading()
        elif is_large:
            self._reserved_bytes = unfinished_bytes
            memory.reserve(unfinished_bytes)

    def memory_available(self) -> None:
        self._lacks_memory = False
        self._bound_memory()
        self._set_reading()

    # Answers and the end

    def _write(self, out: list[Piece], size: int) -> None:
        outgoing = self._outgoing
        if not size or self._transport.is_closing():
            return
        if outgoing.is_full:
            limit = self._reception.limits.max_write_buffer_bytes
            if outgoing.held_bytes + size > limit:
                self.drop("slow_reader")
                return
        self._reception.metrics.bytes_sent.value += size
        try:
            outgoing.write(out, size)
        except StorageFailed as failure:
            self._cannot_read(failure)
            return
        if outgoing.is_full:
            self._reception.unsent.set(self, outgoing.held_bytes)

    def _cannot_read(self, failure: StorageFailed) -> None:
        """The rest of an answer cannot be had. As in Kafka that ends the connection."""
        self._reception.dispatcher.log.warning(
            "answer_broken_off", client=self.client_host, detail=str(failure)
        )
        self._ending = self._ending or "read_failed"
        self._soon(self._transport.abort)

    @staticmethod
    def _soon(action: Callable[[], object]) -> None:
        """Not now: asyncio's selector loop has resumed us and goes on to close by itself."""
        asyncio.get_running_loop().call_soon(action)

    def _abandon_answers(self) -> None:
        """Nobody waits for the answers any more."""
        answers, self._answers = self._answers, None
        released_bytes = 0
        for answer in answers or ():
            if isinstance(answer, Parked):
                released_bytes += answer.frame_bytes
                self._reception.metrics.requests_waiting.add(-1)
                self._reception.dispatcher.give_up(answer)
        self._reception.memory.release(released_bytes)

    def _end(self, reason: str, detail: str) -> None:
        """Take no more requests; close once those taken are answered."""
        if self._ending is not None:
            return
        self._ending = reason
        self._reception.dispatcher.log.info(
            "connection_ended", client=self.client_host, reason=reason, detail=detail
        )
        self._forget_kept()
        self._set_reading()
        if not self._answers:
            self._close()

    def _close(self) -> None:
        """Close once all is sent; `check` sees to a peer that does not take it."""
        self._unsent_bytes = NOTHING_SEEN
        if self._outgoing.is_sent:
            self._transport.close()

    def finish(self) -> None:
        if self._ending is None:
            self._ending = "shutdown"
            self._forget_kept()
            self._set_reading()
        if not self._answers:
            self._close()

    def drop(self, reason: str) -> None:
        if self._ending is None or reason == "slow_reader":
            self._ending = reason
        self._transport.abort()

    def check(self, now_ms: float) -> None:
        limits = self._reception.limits
        if self._outgoing.is_full or self._transport.is_closing():
            unsent_bytes = self._outgoing.unsent_bytes
            if unsent_bytes < self._unsent_bytes:
                self._since_ms = now_ms
                self._unsent_bytes = unsent_bytes
            elif now_ms - self._since_ms >= limits.max_stalled_ms:
                self.drop("slow_reader")
        elif self._active or self._answers or self._kept or self._lacks_memory:
            self._active = False
            self._since_ms = now_ms
        elif self._keeps_others_out() and now_ms - self._since_ms >= limits.max_stalled_ms:
            self.drop("stalled_request")
        elif 0 <= limits.max_idle_ms <= now_ms - self._since_ms:
            self._ending = "idle"
            self._close()

    def _keeps_others_out(self) -> bool:
        """Whether memory is reserved for a request of this connection that others wait for."""
        return self._reserved_bytes > 0 and self._reception.memory.is_full
