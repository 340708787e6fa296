"""Topics that come into being because a client asked for them (auto.create.topics.enable).

As in Kafka the client is not kept waiting: it is told that the topic is unknown, the creation goes
on without it, and it asks again. However many ask for a name, it is created once; and as in Kafka
no more is begun at a time than one CreateTopics may create.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from structlog.typing import FilteringBoundLogger

from godel.errors import ApiError, ErrorCode
from godel.metadata.topics import MAX_PARTITIONS_PER_REQUEST


class AutoCreation:
    """Owner of the creations under way: one task for each request that began some."""

    def __init__(self, create: Callable[[str], Awaitable[None]], log: FilteringBoundLogger) -> None:
        self._create = create
        self._log = log
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def ask_for(self, names: Iterable[str], *, partitions: int) -> set[asyncio.Task[None]]:
        """Begin what nobody has asked for yet; returns what was under way before.

        `partitions`: how many each of the topics will have.
        """
        under_way = self._under_way
        earlier = {under_way[name] for name in names if name in under_way}
        new = [name for name in names if name not in under_way]
        if not new or self._closed:
            return earlier
        if (len(under_way) + len(new)) * partitions > MAX_PARTITIONS_PER_REQUEST:
            self._log.warning(
                "auto_creation_refused",
                topics=len(new),
                first=new[0],
                reason=f"more than {MAX_PARTITIONS_PER_REQUEST} partitions at a time",
            )
            return earlier
        task = asyncio.create_task(self._create_all(new), name="auto-creation")
        under_way.update(dict.fromkeys(new, task))
        return earlier

    def close(self) -> None:
        """Begin nothing more; what the store was asked for last it may still do."""
        self._closed = True
        for task in set(self._under_way.values()):
            task.cancel()

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
