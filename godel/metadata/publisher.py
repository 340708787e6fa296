"""`Metadata` holds the current image: loads the store at the start, then follows its watch.

A change is a transaction on the store (`topics.py`); it comes back through the watch, becomes the
next image, and the subscribers are told. `reached` waits for that, with a bound.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.config import BrokerConfig
from godel.errors import ApiError, ErrorCode
from godel.metadata import records
from godel.metadata.identifiers import id_text, new_id
from godel.metadata.image import ImageBuilder, MetadataImage
from godel.metadata.store import (
    MAX_PAGE,
    Change,
    Compare,
    HistoryGone,
    MetadataStore,
    Put,
    Session,
    StoreUnavailable,
)

Subscriber: TypeAlias = Callable[[MetadataImage, MetadataImage], object]

RETRY_DELAY_MS = 100.0
SESSION_TTL_S = 10.0
ATTEMPTS = 10


class Metadata:
    """Owner of the image. One event loop."""

    def __init__(
        self,
        store: MetadataStore,
        *,
        node_id: int,
        config: BrokerConfig,
        clock: Clock,
        randomness: Randomness,
        log: FilteringBoundLogger,
    ) -> None:
        self.store = store
        self.node_id = node_id
        self.static_config = config
        self.clock = clock
        self.randomness = randomness
        self.log = log
        self.session: Session | None = None
        self._builder = ImageBuilder(node_id, config)
        self.image = self._builder.empty()
        self._subscribers: list[Subscriber] = []
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._sequence = 0
        self._following: asyncio.Task[None] | None = None

    async def start(self, *, unclean: bool = False, cluster_id: str | None = None) -> None:
        """Load everything and begin to follow.

        `unclean`: the last run did not end well, so that what clients were shown may be lost:
        this broker's leader epochs rise. `cluster_id`: to be used if the store has none yet.
        Raises `StoreUnavailable`, and `records.CorruptRecord` also for another cluster's store.
        """
        await self._ensure_cluster(cluster_id)
        if unclean:
            await self._raise_epoch_floor()
        await self._load()
        if cluster_id is not None and self.image.cluster_id != cluster_id:
            raise records.CorruptRecord(
                f"the metadata is of cluster {self.image.cluster_id},"
                f" the data directory of cluster {cluster_id}"
            )
        self._following = asyncio.create_task(self._follow(), name="metadata")

    async def register(self, host: str, port: int, rack: str | None = None) -> None:
        """Tell everybody where clients find this broker; wait until the image has it."""
        info = records.encode_broker(records.BrokerRecord(host, port, rack))
        self.session = await self.store.open_session(self.node_id, info, SESSION_TTL_S)
        await self.reached(self.session.guard.mod_revision)

    async def close(self) -> None:
        """Stop following and sign off. The store belongs to whoever made it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
        for _, _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(StoreUnavailable("the broker is stopping"))
        self._waiting.clear()
        if self.session is not None:
            session, self.session = self.session, None
            with suppress(StoreUnavailable):  # whoever starts with this id next takes it over
                await session.close()

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Be called with the old and the new image after each change. Returns the way back."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    async def reached(self, revision: int, timeout_ms: float = 30_000.0) -> MetadataImage:
        """Wait for an image that knows the revision. Raises `ApiError` REQUEST_TIMED_OUT."""
        if self.image.revision >= revision:
            return self.image
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sequence += 1
        heapq.heappush(self._waiting, (revision, self._sequence, waiter))

        def give_up() -> None:
            if not waiter.done():
                waiter.set_exception(
                    ApiError(ErrorCode.REQUEST_TIMED_OUT, "the change is made, but not visible yet")
                )

        timer = self.clock.call_later(timeout_ms, give_up)
        try:
            await waiter
        finally:
            timer.cancel()
        return self.image

    async def _ensure_cluster(self, cluster_id: str | None) -> None:
        fresh = records.encode_cluster(cluster_id or id_text(new_id(self.randomness)))
        key = records.CLUSTER_KEY
        await self.store.txn((Compare(key, 0),), (Put(key, fresh),))

    async def _raise_epoch_floor(self) -> None:
        key = records.epoch_floor_key(self.node_id)
        for _ in range(ATTEMPTS):
            entry = await self.store.get(key)
            floor = records.decode_number(key, entry.value) if entry is not None else 0
            guard = Compare(key, entry.mod_revision if entry is not None else 0)
            put = Put(key, records.encode_number(floor + 1))
            if (await self.store.txn((guard,), (put,))).succeeded:
                return
        raise StoreUnavailable("could not raise the leader epochs: too many writers")

    async def _load(self) -> None:
        self._publish(await read_image(self.store, self._builder))

    async def _follow(self) -> None:
        while True:
            try:
                async for events in self.store.watch(b"", self.image.revision + 1):
                    image = self._builder.apply(self.image, events.changes, events.revision)
                    self._publish(image)
            except HistoryGone:
                self.log.warning("metadata_reloaded", revision=self.image.revision)
                await self._reload()
            except StoreUnavailable as error:
                self.log.warning("metadata_store_unavailable", error=str(error))
                await self.clock.sleep(RETRY_DELAY_MS)
            except records.CorruptRecord:
                self.log.exception("metadata_not_followed_any_more", revision=self.image.revision)
                raise

    async def _reload(self) -> None:
        try:
            await self._load()
        except StoreUnavailable as error:
            self.log.warning("metadata_store_unavailable", error=str(error))
            await self.clock.sleep(RETRY_DELAY_MS)

    def _publish(self, image: MetadataImage) -> None:
        old, self.image = self.image, image
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(old, image)
            except Exception:  # a bug there must not stop the metadata for all
                self.log.exception("metadata_subscriber_failed", revision=image.revision)
        while self._waiting and self._waiting[0][0] <= image.revision:
            _, _, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_result(None)


async def read_image(store: MetadataStore, builder: ImageBuilder) -> MetadataImage:
    """The image of every key. A page may be newer than the first: following repeats that
    harmlessly. Raises `StoreUnavailable`, `records.CorruptRecord`.
    """
    changes: list[Change] = []
    after: bytes | None = None
    revision: int | None = None
    while True:
        page = await store.range(b"", after, MAX_PAGE)
        revision = page.revision if revision is None else revision
        changes += [Change(entry.key, entry) for entry in page.entries]
        if not page.more:
            return builder.apply(builder.empty(), changes, revision)
        after = page.entries[-1].key
