"""A daemon on real files that is killed at random, again and again, while a client loads it.

SIGKILL leaves the page cache, so all that was answered has to be there, whatever the acks.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from godel.clock import ManualClock
from godel.protocol.message import Message
from godel.protocol.messages.metadata import MetadataRequest
from godel.records.batch import iterate_headers
from tests.crash.client import Client, is_ours
from tests.crash.history import TOPICS, History
from tests.crash.promises import Promises, Stored, stored_in
from tests.crash.reckoning import check
from tests.processes import Process, Remote
from tests.wire import bytes_of

EARLIEST, LATEST = -2, -1
SETTINGS = {
    "offsets.topic.num.partitions": 1,
    "log.initial.task.delay.ms": 0,
    "log.retention.check.interval.ms": 30,
    "log.cleaner.backoff.ms": 20,
    "log.flush.offset.checkpoint.interval.ms": 40,
}
KILLED_WHILE_STARTING = 0.2
LONGEST_START_S = 0.6
LONGEST_LIFE_S = 0.5
MOST_STEPS = 2000


class WireClient(Client):
    """Through a socket. The daemon makes its rounds by itself, and far too often."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    async def ask(self, request: Message, version: int | None = None) -> Any:
        return self.remote.send(request, version)

    async def topic_ids(self) -> Mapping[str, bytes]:
        answer = self.remote.send(MetadataRequest(topics=None))
        return {topic.name: bytes(topic.topic_id) for topic in answer.topics if is_ours(topic.name)}

    async def visible(self, topic: str, index: int) -> tuple[int, int]:
        start, end = (
            self.remote.list_offset(topic, which, partition=index) for which in (EARLIEST, LATEST)
        )
        assert (start.error_code, end.error_code) == (0, 0), (topic, index)
        return start.offset, end.offset

    async def turns(self, count: int) -> None:
        pass

    async def checkpoint(self) -> None:
        pass

    async def maintain(self) -> None:
        pass

    async def compact(self) -> None:
        pass

    async def stored(self, topic: str, index: int) -> Stored:
        start, end = await self.visible(topic, index)
        stored = stored_in(self._pieces(topic, index, start, end), start, end)
        return stored._replace(leader_epoch=self.remote.leader_epoch(topic, index))

    def _pieces(self, topic: str, index: int, offset: int, end: int) -> Iterator[memoryview]:
        while offset < end:
            fetched = self.remote.fetch(topic, offset, partition=index)
            assert fetched.error_code == 0, fetched
            piece = memoryview(bytes_of(fetched))
            if not piece:
                return
            yield piece
            offset = [header.next_offset for header in iterate_headers(piece)][-1]


class Kills:
    """One data directory and all the daemons that die on it."""

    def __init__(self, data: Path, seed: int) -> None:
        self._data = data
        self._chance = random.Random(seed)
        self._promises = Promises()
        topics = {
            name: plan._replace(configs={**plan.configs, "retention.bytes": -1})
            for name, plan in TOPICS.items()
        }
        self._history = History(
            self._chance,
            self._promises,
            ManualClock(time.time_ns() // 1_000_000),
            topics=topics,
            is_kept_when_written=True,
        )
        self.count = 0

    def run(self, kills: int) -> None:
        """So many kills, then a stop in good order and a last look."""
        self._begin()
        while self.count < kills:
            if self._chance.random() < KILLED_WHILE_STARTING:
                self._kill_while_starting()
            else:
                self._live()
        process = self._start()
        asyncio.run(self._look(process.ready()))
        assert process.stop() == 0
        process = self._start()
        asyncio.run(self._look(process.ready()))
        process.kill()

    def _start(self) -> Process:
        changes = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
        return Process(self._data, *changes)

    def _begin(self) -> None:
        process = self._start()
        try:
            with Remote(process.ready()) as remote:
                asyncio.run(self._history.begin(WireClient(remote)))
        finally:
            process.kill()
        self.count += 1

    def _kill_while_starting(self) -> None:
        process = self._start()
        timer = threading.Timer(self._chance.uniform(0, LONGEST_START_S), process.process.kill)
        timer.start()
        process.process.wait()
        process.kill()
        timer.join()
        self.count += 1

    def _live(self) -> None:
        process = self._start()
        try:
            port = process.ready()
            timer = threading.Timer(self._chance.uniform(0, LONGEST_LIFE_S), process.process.kill)
            asyncio.run(self._load(port, timer))
            timer.join()
        finally:
            process.kill()
        self.count += 1

    async def _load(self, port: int, timer: threading.Timer) -> None:
        """Look at what there is, then work until the connection breaks."""
        with Remote(port) as remote:
            client = WireClient(remote)
            await check(client, self._promises, is_last=False)
            await self._history.resume(client)
            timer.start()
            with suppress(ConnectionError):
                for _ in range(MOST_STEPS):
                    await self._history.step(client)
                    await self._history.answered()
        await asyncio.gather(*self._history.under_way, return_exceptions=True)
        self._history.under_way.clear()

    async def _look(self, port: int) -> None:
        with Remote(port) as remote:
            await check(WireClient(remote), self._promises, is_last=False)
