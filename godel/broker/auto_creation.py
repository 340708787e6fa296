"""Topics that come into being because a client asked for them (auto.create.topics.enable).

As in Kafka the client is not kept waiting: it is told that the topic is unknown, the creation goes
on without it, and it asks again. As in Kafka, too, that takes a moment, for clients need to see the
topic appear (docs/decisions/0008-a-topic-appears-later.md): whoever asks a second time within that
moment is told the same, and ends it. However many ask for a name, it is created once; and no more
is under way at a time than one CreateTopics may create.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.errors import ApiError, ErrorCode
from godel.metadata.topics import MAX_PARTITIONS_PER_REQUEST


class AutoCreation:
    """Owner of the names that linger, and of the creations under way: a task for some of them."""

    def __init__(
        self,
        create: Callable[[str], Awaitable[None]],
        *,
        linger_ms: int,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._create = create
        self._linger_ms = linger_ms
        self._clock = clock
        self._log = log
        self._lingering: dict[str, Sequence[str]] = {}
        """Each name to all that were asked for with it: an old timer begins no newer wish."""
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def ask_for(self, names: Sequence[str], *, partitions: int) -> set[asyncio.Task[None]]:
        """Let what is new linger and begin what lingers; returns what was under way before.

        `partitions`: how many each of the topics will have.
        """
        lingering, under_way = self._lingering, self._under_way
        earlier = {under_way[name] for name in names if name in under_way}
        waiting = [name for name in names if name not in under_way]
        new = [name for name in waiting if name not in lingering]
        self._begin(waiting)
        if not new or self._closed:
            return earlier
        if (len(lingering) + len(under_way) + len(new)) * partitions > MAX_PARTITIONS_PER_REQUEST:
            self._log.warning(
                "auto_creation_refused",
                topics=len(new),
                first=new[0],
                reason=f"more than {MAX_PARTITIONS_PER_REQUEST} partitions at a time",
            )
            return earlier
        lingering.update(dict.fromkeys(new, new))
        if self._linger_ms:
            self._clock.call_later(self._linger_ms, lambda: self._is_due(new))
        else:
            self._begin(new)
        return earlier

    def close(self) -> None:
        """Begin nothing more; what the store was asked for last it may still do."""
        self._closed = True
        self._lingering.clear()
        for task in set(self._under_way.values()):
            task.cancel()

    def _is_due(self, wish: Sequence[str]) -> None:
        self._begin([name for name in wish if self._lingering.get(name) is wish])

    def _begin(self, names: Sequence[str]) -> None:
        """Create those of the names that linger."""
        ripe = [name for name in names if name in self._lingering]
        if ripe:
            for name in ripe:
                del self._lingering[name]
            task = asyncio.create_task(self._create_all(ripe), name="auto-creation")
            self._under_way.update(dict.fromkeys(ripe, task))

    async def _create_all(self, names: list[str]) -> None:
        try:
            for name in names:
                await self._create_one(name)
        finally:
            for name in names:
                self._under_way.pop(name, None)

    async def _create_one(self, name: str) -> None:
        try:
            await self._create(name)
        except ApiError as refusal:
            if refusal.code is not ErrorCode.TOPIC_ALREADY_EXISTS:
                self._log.warning(
                    "auto_creation_failed",
                    topic=name,
                    error=refusal.code.name,
                    reason=refusal.message,
                )
        except Exception:  # noqa: BLE001  # a bug with one topic must not keep others from being made
            self._log.exception("auto_creation_failed", topic=name)
