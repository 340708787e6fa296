"""Topics on demand: each is made once, so many at a time, and a stop ends it."""

from __future__ import annotations

import asyncio

import structlog
from structlog.testing import capture_logs

from godel.broker.auto_creation import AutoCreation
from godel.clock import ManualClock
from godel.errors import ApiError, ErrorCode
from godel.metadata.topics import MAX_PARTITIONS_PER_REQUEST


class Creations:
    """Topics are made when the test lets them be."""

    def __init__(self, *refused: str, linger_ms: int = 0) -> None:
        self.clock = ManualClock()
        self.made: list[str] = []
        self.refused = refused
        self.allowed = asyncio.Event()
        self.auto_creation = AutoCreation(
            self.create, linger_ms=linger_ms, clock=self.clock, log=structlog.get_logger()
        )

    async def create(self, name: str) -> None:
        await self.allowed.wait()
        if name in self.refused:
            raise ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, "it collides")
        self.made.append(name)

    def ask_for(self, *names: str, partitions: int = 1) -> set[asyncio.Task[None]]:
        return self.auto_creation.ask_for(names, partitions=partitions)

    async def finish(self, *names: str) -> None:
        under_way = self.ask_for(*names)
        self.allowed.set()
        await asyncio.wait(under_way)


def test_a_name_that_a_thousand_ask_for_is_created_once() -> None:
    async def story() -> None:
        creations = Creations()
        assert creations.ask_for("t") == set()
        asked = [creations.ask_for("t") for _ in range(1000)]
        assert {task for under_way in asked for task in under_way} == asked[0]
        assert len(asked[0]) == 1
        await creations.finish("t")
        assert creations.made == ["t"]
        assert creations.ask_for("t") == set(), "it is not under way any more"

    asyncio.run(story())


def test_what_is_new_in_a_request_is_begun_beside_what_is_under_way() -> None:
    async def story() -> None:
        creations = Creations()
        creations.ask_for("a")
        assert len(creations.ask_for("a", "b")) == 1
        await creations.finish("a", "b")
        assert creations.made == ["a", "b"]

    asyncio.run(story())


def test_a_topic_is_made_a_moment_after_it_was_asked_for() -> None:
    async def story() -> None:
        creations = Creations(linger_ms=50)
        creations.allowed.set()
        creations.ask_for("a", "b")
        creations.clock.advance(49)
        await asyncio.sleep(0)
        assert creations.made == []
        creations.clock.advance(1)
        await asyncio.sleep(0)
        assert creations.made == ["a", "b"]

    asyncio.run(story())


def test_who_asks_again_within_that_moment_learns_nothing_and_ends_it() -> None:
    async def story() -> None:
        creations = Creations(linger_ms=50)
        creations.ask_for("a", "b")
        assert creations.ask_for("a") == set(), "nothing is under way yet"
        assert len(creations.ask_for("a")) == 1
        await creations.finish("a")
        assert creations.made == ["a"]
        creations.clock.advance(50)
        await asyncio.sleep(0)
        assert creations.made == ["a", "b"]

    asyncio.run(story())


def test_a_topic_that_was_made_and_deleted_meanwhile_takes_its_moment_again() -> None:
    async def story() -> None:
        creations = Creations(linger_ms=50)
        creations.allowed.set()
        creations.ask_for("a")
        creations.ask_for("a")
        await asyncio.sleep(0)
        assert creations.made == ["a"]
        creations.clock.advance(40)
        creations.ask_for("a")
        creations.clock.advance(10)
        await asyncio.sleep(0)
        assert creations.made == ["a"], "the first wish's time is not that of the second"
        creations.clock.advance(40)
        await asyncio.sleep(0)
        assert creations.made == ["a", "a"]

    asyncio.run(story())


def test_no_more_is_under_way_than_one_request_may_create() -> None:
    async def story() -> None:
        creations = Creations()
        most = MAX_PARTITIONS_PER_REQUEST // 1000
        creations.ask_for(*(f"t{index}" for index in range(most)), partitions=1000)
        with capture_logs() as logs:
            assert creations.ask_for("more", partitions=1000) == set()
        assert [entry["event"] for entry in logs] == ["auto_creation_refused"]
        await creations.finish("t0")
        assert len(creations.made) == most
        creations.ask_for("more", partitions=1000)
        await creations.finish("more")
        assert creations.made[-1] == "more"

    asyncio.run(story())


def test_a_topic_that_is_refused_is_reported_and_the_others_are_made() -> None:
    async def story() -> None:
        creations = Creations("bad")
        creations.ask_for("bad", "good")
        with capture_logs() as logs:
            await creations.finish("bad", "good")
        assert creations.made == ["good"]
        assert [(entry["event"], entry["topic"]) for entry in logs] == [
            ("auto_creation_failed", "bad")
        ]

    asyncio.run(story())


def test_closing_ends_those_who_wait_and_begins_nothing_more() -> None:
    async def story() -> None:
        creations = Creations()
        creations.ask_for("a")
        await asyncio.sleep(0)
        under_way = creations.ask_for("a")
        creations.auto_creation.close()
        await asyncio.wait(under_way)
        creations.allowed.set()
        assert creations.ask_for("b") == set()
        await asyncio.sleep(0)
        assert creations.made == []

    asyncio.run(story())
