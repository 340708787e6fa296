"""What quotas do to a request: its use is counted, and the client waits that used too much.

The answer leaves at once and says for how long (KIP-219); until then the connection takes no
further request, also from a client that does not listen. Produce counts by its request, Fetch by
its answer, every request by the time that its handler keeps the event loop.
"""

from __future__ import annotations

from typing import NamedTuple

from godel.broker.context import RequestContext
from godel.clock import Clock
from godel.metrics import Metrics
from godel.protocol.message import Message
from godel.protocol.messages.fetch import FetchRequest
from godel.protocol.messages.produce import ProduceRequest
from godel.security.quotas import (
    CONSUMER_BYTE_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    Quotas,
)

MAX_DELAY_MS = 2**31 - 1
"""What fits into `throttle_time_ms`."""


class Throttled(NamedTuple):
    """The answer is there, but the next request of the connection has to wait."""

    size_bytes: int
    delay_ms: int


class Usage:
    """What a request uses, from when it is taken until it is answered."""

    __slots__ = ("began_ms", "busy_ms", "client_id", "request_bytes", "user")

    def __init__(self, user: str, client_id: str, *, request_bytes: int, began_ms: float) -> None:
        self.user = user
        self.client_id = client_id
        self.request_bytes = request_bytes
        self.began_ms = began_ms
        self.busy_ms = 0.0


class Throttle:
    """Counts requests against the broker's quotas. Holds no state of its own."""

    def __init__(self, quotas: Quotas, *, clock: Clock, metrics: Metrics) -> None:
        self.quotas = quotas
        self._clock = clock
        self._metrics = metrics

    def begin(self, context: RequestContext, request: Message, request_bytes: int) -> Usage:
        """Before the handler: whose request it is, and how much a Fetch may give."""
        user, client_id = context.user, context.client_id or ""
        if isinstance(request, FetchRequest):
            most = self.quotas.most_at_once(CONSUMER_BYTE_RATE, user, client_id)
            if most is not None:
                request.max_bytes = min(request.max_bytes, int(most))
        return Usage(
            user, client_id, request_bytes=request_bytes, began_ms=self._clock.monotonic_ms()
        )

    def handled(self, usage: Usage) -> None:
        """After the handler: how long it took."""
        usage.busy_ms = self._clock.monotonic_ms() - usage.began_ms

    def counts_answer(self, usage: Usage, request: Message) -> bool:
        """Whether the size of the answer matters."""
        return isinstance(request, FetchRequest) and (
            self.quotas.find(CONSUMER_BYTE_RATE, usage.user, usage.client_id) is not None
        )

    def settle(self, usage: Usage, request: Message, answer_bytes: int) -> int:
        """Count what was used; returns for how many milliseconds the client has to wait."""
        delay_ms = 0.0
        if isinstance(request, ProduceRequest):
            delay_ms = self._use(PRODUCER_BYTE_RATE, usage, usage.request_bytes)
        elif isinstance(request, FetchRequest):
            delay_ms = self._use(CONSUMER_BYTE_RATE, usage, answer_bytes)
        busy_percents = usage.busy_ms / 1000.0 * 100.0  # of a second; per second: of the time
        busy_delay_ms = self._use(
            REQUEST_PERCENTAGE, usage, busy_percents, most_ms=self.quotas.window_ms
        )
        return round(max(delay_ms, busy_delay_ms))

    def _use(
        self, key: str, usage: Usage, amount: float, *, most_ms: float = MAX_DELAY_MS
    ) -> float:
        delay_ms = self.quotas.use(
            key,
            usage.user,
            usage.client_id,
            amount=amount,
            now_ms=self._clock.monotonic_ms(),
        )
        delay_ms = min(delay_ms, most_ms)
        if delay_ms:
            self._metrics.throttled.of(key).add()
            self._metrics.throttle_ms.of(key).add(round(delay_ms))
        return delay_ms
