"""FastStream over aiokafka: handlers of messages and batches in groups, publishing on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from compat_tests.brokers import Broker
from compat_tests.groups import when_coordinator_is_up
from compat_tests.kafka_python.client import KafkaPython
from compat_tests.requirements import need_module
from compat_tests.suite import FreshName
from compat_tests.waiting import eventually

need_module("faststream")
need_module("aiokafka")

from faststream.kafka import KafkaBroker, KafkaMessage

TIMEOUT_S = 120
HEARTBEATS = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 500}


@pytest.fixture
def client(bootstrap: str) -> KafkaPython:
    return KafkaPython(bootstrap)


def topic_of(client: KafkaPython, fresh_name: FreshName, what: str, partitions: int = 1) -> str:
    topic = fresh_name(what)
    client.create_topic(topic, partitions)
    return topic


class Seen:
    """What handlers have seen; `all_of` waits until it is enough."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._changed = asyncio.Condition()

    async def add(self, *values: object) -> None:
        async with self._changed:
            self.values.extend(values)
            self._changed.notify_all()

    async def all_of(self, is_enough: Callable[[list[object]], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S), self._changed:
            await self._changed.wait_for(lambda: is_enough(self.values))


def test_a_handler_answers_into_the_next_topic(client: KafkaPython, fresh_name: FreshName) -> None:
    """A chain of two groups; keys, headers and correlation ids come through."""
    questions = topic_of(client, fresh_name, "questions")
    answers = topic_of(client, fresh_name, "answers")
    groups = [fresh_name("group"), fresh_name("group")]

    async def run() -> list[object]:
        broker, seen = KafkaBroker(client.bootstrap), Seen()
        options = {"auto_offset_reset": "earliest", **HEARTBEATS}

        @broker.subscriber(questions, group_id=groups[0], **options)
        @broker.publisher(answers)
        async def double(number: int) -> int:
            return 2 * number

        @broker.subscriber(answers, group_id=groups[1], **options)
        async def note(number: int, message: KafkaMessage) -> None:
            await seen.add((number, message.correlation_id))

        async with broker:
            await broker.start()
            for number in range(20):
                await broker.publish(
                    number, questions, key=b"k%d" % number, correlation_id=f"id {number}"
                )
            await seen.all_of(lambda values: len(values) == 20)
        return seen.values

    assert asyncio.run(run()) == [(2 * number, f"id {number}") for number in range(20)]
    asked = client.consume(questions, 20)
    assert [record.key for record in asked] == [b"k%d" % number for number in range(20)]
    assert ("correlation_id", b"id 7") in asked[7].headers


def test_batches_are_published_and_handled_as_such(
    client: KafkaPython, fresh_name: FreshName
) -> None:
    topic, group = topic_of(client, fresh_name, "batches"), fresh_name("group")

    async def run() -> list[int]:
        broker, seen, sizes = KafkaBroker(client.bootstrap), Seen(), []

        @broker.subscriber(
            topic, group_id=group, batch=True, auto_offset_reset="earliest", **HEARTBEATS
        )
        async def handle(numbers: list[int]) -> None:
            sizes.append(len(numbers))
            await seen.add(*numbers)

        async with broker:
            await broker.connect()
            await broker.publish_batch(*range(50), topic=topic)
            await broker.start()
            await seen.all_of(lambda values: len(values) == 50)
        assert seen.values == list(range(50))
        return sizes

    assert max(asyncio.run(run())) > 1


def test_a_group_shares_the_work_and_goes_on_where_it_ended(
    client: KafkaPython, fresh_name: FreshName
) -> None:
    topic, group = topic_of(client, fresh_name, "shared", 4), fresh_name("group")

    async def work(members: int, publish: range) -> list[list[object]]:
        brokers = [KafkaBroker(client.bootstrap) for _ in range(members)]
        each, together = [Seen() for _ in brokers], Seen()

        def attach(broker: KafkaBroker, own: Seen) -> None:
            @broker.subscriber(topic, group_id=group, auto_offset_reset="earliest", **HEARTBEATS)
            async def handle(number: int) -> None:
                await own.add(number)
                await together.add(number)

        for broker, own in zip(brokers, each, strict=True):
            attach(broker, own)
        try:
            for broker in brokers:
                await broker.start()
            async with asyncio.timeout(TIMEOUT_S):
                while client.describe_group(group).members < members:
                    await asyncio.to_thread(client.describe_group, group)
            for number in publish:
                await brokers[0].publish(number, topic, partition=number % 4)
            await together.all_of(lambda values: set(values) >= set(publish))
        finally:
            for broker in brokers:
                await broker.stop()
        return [own.values for own in each]

    first, second = asyncio.run(work(2, range(100)))
    assert first, "a member without work"
    assert second, "a member without work"
    assert sorted(first + second) == list(range(100))
    (later,) = asyncio.run(work(1, range(100, 140)))
    assert sorted(later) == list(range(100, 140)), "handled again or skipped"


def test_a_handler_goes_on_after_a_broker_restart(
    client: KafkaPython, broker: Broker, fresh_name: FreshName
) -> None:
    topic, group = topic_of(client, fresh_name, "restart"), fresh_name("group")

    def are_committed() -> bool:
        (committed,) = when_coordinator_is_up(lambda: client.committed(group, topic))
        return committed is not None and committed[0] >= 2

    async def run() -> list[object]:
        app, seen = KafkaBroker(client.bootstrap), Seen()

        options = {"auto_offset_reset": "earliest", "auto_commit_interval_ms": 200, **HEARTBEATS}

        @app.subscriber(topic, group_id=group, **options)
        async def handle(number: int) -> None:
            await seen.add(number)

        async with app:
            await app.start()
            await app.publish(1, topic)
            await seen.all_of(lambda values: values == [1])
            await asyncio.to_thread(broker.restart)
            await app.publish(2, topic)
            await seen.all_of(lambda values: 2 in values)
            # aiokafka 0.14 looks for no coordinator once it is being closed: it would try to commit
            # for ever if it had not found it again after the restart.
            await asyncio.to_thread(eventually, are_committed, "the commit after the restart")
        return seen.values

    assert set(asyncio.run(run())) == {1, 2}
