"""Client quotas: who may use how much, and how long somebody has to wait who used more.

The rules are those of Kafka's `ClientQuotaManager` and `Rate`: use is counted in windows of a
second, the rate is that over the last ten whole windows and the current one, and whoever is above
the quota waits until the rate has come down to it. Pure: time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

USER, CLIENT_ID = "user", "client-id"

PRODUCER_BYTE_RATE = "producer_byte_rate"
CONSUMER_BYTE_RATE = "consumer_byte_rate"
REQUEST_PERCENTAGE = "request_percentage"

Entity: TypeAlias = tuple[tuple[str, str | None], ...]
"""Type and name of each part, ordered by type; no name: the default of the type."""

MAX_RATES = 10_000
"""Of which the use is known; beyond that the past of whoever was quiet for longest is forgotten."""


def entity(**parts: str | None) -> Entity:
    """An entity by its parts: `entity(user="u", client_id=None)`."""
    return tuple(sorted((kind.replace("_", "-"), name) for kind, name in parts.items()))


class Quota(NamedTuple):
    """What somebody may use per second, and who shares it."""

    limit: float
    user: str | None
    """None: the quota is that of a client id, whichever the user."""
    client_id: str | None
    """None: all client ids of the user share the quota."""


class Rate:
    """How much was used lately, as Kafka's `Rate` counts it."""

    __slots__ = ("_samples", "_window_ms", "_windows", "used_at_ms")

    def __init__(self, samples: int, window_ms: float) -> None:
        self._samples = samples
        self._window_ms = window_ms
        self._windows: deque[list[float]] = deque()
        """Start and sum of each window, the oldest first."""
        self.used_at_ms = 0.0

    def record(self, amount: float, now_ms: float) -> None:
        self._forget(now_ms)
        if not self._windows or now_ms - self._windows[-1][0] >= self._window_ms:
            self._windows.append([now_ms, 0.0])
        self._windows[-1][1] += amount
        self.used_at_ms = now_ms

    def delay_ms(self, limit: float, now_ms: float) -> float:
        """How long to use nothing, until the rate is down to the limit."""
        self._forget(now_ms)
        if not self._windows:
            return 0.0
        elapsed_ms = now_ms - self._windows[0][0]
        # The window is never shorter than all but one of the samples: a burst at the start counts
        # as if it had been spread over that time.
        missing = self._samples - 1 - int(elapsed_ms / self._window_ms)
        elapsed_ms += max(missing, 0) * self._window_ms
        elapsed_ms = max(elapsed_ms, self._window_ms)
        rate = sum(total for _, total in self._windows) / (elapsed_ms / 1000.0)
        return max(0.0, (rate - limit) / limit * elapsed_ms)

    def is_idle(self, now_ms: float) -> bool:
        """Whether all that was used is too long ago to count."""
        return now_ms - self.used_at_ms >= self._samples * self._window_ms

    def _forget(self, now_ms: float) -> None:
        while self._windows and now_ms - self._windows[0][0] >= self._samples * self._window_ms:
            self._windows.popleft()


class Quotas:
    """Owner of the quotas that are set and of the use that counts against them."""

    __slots__ = ("_rates", "_samples", "_set", "is_on", "window_ms")

    def __init__(self, *, samples: int = 11, window_ms: float = 1000.0) -> None:
        self._samples = samples
        self.window_ms = window_ms
        self._set: Mapping[Entity, Mapping[str, float]] = {}
        self._rates: dict[tuple[str, str | None, str | None], Rate] = {}
        """The one that was quiet for longest first."""
        self.is_on = False
        """Whether there is any quota: all that a request pays for while there is none."""

    def replace(self, quotas: Mapping[Entity, Mapping[str, float]]) -> None:
        """Follow what is set. Use that was counted before counts under the new limits, too."""
        self._set = quotas
        self.is_on = bool(quotas)
        if not quotas:
            self._rates.clear()

    def find(self, key: str, user: str, client_id: str) -> Quota | None:
        """The quota that holds for a client: of the most particular entity that has one."""
        if not self.is_on:
            return None
        for parts in _precedence(user, client_id):
            limit = self._set.get(entity(**parts), {}).get(key)
            if limit is not None:
                return Quota(
                    limit,
                    user if "user" in parts else None,
                    client_id if "client_id" in parts else None,
                )
        return None

    def use(self, key: str, user: str, client_id: str, *, amount: float, now_ms: float) -> float:
        """Count what a client used; returns for how many milliseconds it has to wait."""
        quota = self.find(key, user, client_id)
        if quota is None:
            return 0.0
        rate = self._rate((key, quota.user, quota.client_id), now_ms)
        rate.record(amount, now_ms)
        return rate.delay_ms(quota.limit, now_ms)

    def most_at_once(self, key: str, user: str, client_id: str) -> float | None:
        """What a quota allows in all its whole windows together; None: there is none."""
        quota = self.find(key, user, client_id)
        if quota is None:
            return None
        return quota.limit * max(self._samples - 1, 1) * self.window_ms / 1000.0

    def _rate(self, key: tuple[str, str | None, str | None], now_ms: float) -> Rate:
        rates = self._rates
        rate = rates.pop(key, None)
        if rate is None:
            while rates:
                quietest = next(iter(rates))
                if len(rates) < MAX_RATES and not rates[quietest].is_idle(now_ms):
                    break
                del rates[quietest]
            rate = Rate(self._samples, self.window_ms)
        rates[key] = rate
        return rate


def _precedence(user: str, client_id: str) -> tuple[dict[str, str | None], ...]:
    return (
        {"user": user, "client_id": client_id},
        {"user": user, "client_id": None},
        {"user": user},
        {"user": None, "client_id": client_id},
        {"user": None, "client_id": None},
        {"user": None},
        {"client_id": client_id},
        {"client_id": None},
    )
