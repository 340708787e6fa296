"""aiokafka (asyncio; its requests stay below the flexible versions)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import (
    CommitFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    for_code,
)
from aiokafka.structs import OffsetAndMetadata

from compat_tests.client import BrokerError, Client, GroupView, Position, Record
from compat_tests.partitioners import javas
from compat_tests.waiting import eventually

TIMEOUT_S = 30
Answer = TypeVar("Answer")


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    async def within_time() -> Answer:
        return await asyncio.wait_for(work, TIMEOUT_S + 10)

    try:
        return asyncio.run(within_time())
    except KafkaError as error:
        raise BrokerError(getattr(error, "errno", -1), repr(error)) from error


def check(error_code: int, text: str = "") -> None:
    if error_code:
        raise for_code(error_code)(text)


class AioKafka(Client):
    name = "aiokafka"
    lacks = {
        "altering configs": "it knows only AlterConfigs, which Kafka has retired",
        "deletion of groups": "no call for it",
        "cooperative groups": "only eager assignors",
        "error for a bad topic": "it asks for the topic until its time is over, whatever the "
        "broker says",
    }
    partition_of = staticmethod(javas)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    @asynccontextmanager
    async def consumer(self, **settings: object) -> AsyncIterator[AIOKafkaConsumer]:
        settings = {"enable_auto_commit": False, "auto_offset_reset": "none", **settings}
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, **settings)
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    def create_topic(
        self,
        topic: str,
        partitions: int = 1,
        *,
        replication_factor: int = 1,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        wanted = NewTopic(topic, partitions, replication_factor, topic_configs=dict(configs or {}))

        async def work() -> None:
            async with self.admin() as admin:
                answer = await admin.create_topics([wanted])
            for _, error_code, *text in answer.topic_errors:
                check(error_code, *text[:1])

        run(work())

    def delete_topic(self, topic: str) -> None:
        async def work() -> None:
            async with self.admin() as admin:
                answer = await admin.delete_topics([topic])
            for _, error_code in answer.topic_error_codes:
                check(error_code)

        run(work())

    def add_partitions(self, topic: str, total: int) -> None:
        async def work() -> None:
            async with self.admin() as admin:
                await admin.create_partitions({topic: NewPartitions(total)})

        run(work())

    def topics(self) -> dict[str, int]:
        async def work() -> dict[str, int]:
            async with self.admin() as admin:
                listed = await admin.describe_topics()
            return {topic["topic"]: len(topic["partitions"]) for topic in listed}

        return run(work())

    def configs(self, topic: str) -> dict[str, str | None]:
        async def work() -> dict[str, str | None]:
            async with self.admin() as admin:
                resource = ConfigResource(ConfigResourceType.TOPIC, topic)
                (answer,) = await admin.describe_configs([resource])
            ((error_code, text, _, _, entries),) = answer.resources
            check(error_code, text)
            return {entry[0]: entry[1] for entry in entries}

        return run(work())

    def alter_config(self, topic: str, key: str, value: str) -> None:
        raise NotImplementedError

    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        async def work() -> list[Position]:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap,
                acks="all",
                enable_idempotence=idempotent,
                compression_type=None if codec == "none" else codec,
                max_request_size=8 << 20,
                max_batch_size=64 << 10,
                linger_ms=5,
            )
            async with producer:
                sent = [
                    await producer.send(
                        topic,
                        record.value,
                        key=record.key,
                        headers=list(record.headers),
                        timestamp_ms=record.timestamp_ms,
                        partition=partition,
                    )
                    for record in records
                ]
                landed = await asyncio.gather(*sent)
            return [Position(at.partition, at.offset) for at in landed]

        return run(work())

    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        place = TopicPartition(topic, partition)

        async def work() -> list[Record]:
            records: list[Record] = []
            async with self.consumer() as consumer:
                consumer.assign([place])
                consumer.seek(place, at)
                while len(records) < count:
                    message = await consumer.getone()
                    assert message.offset == at + len(records)
                    records.append(Record(message.value, message.key, tuple(message.headers)))
            return records

        return run(work())

    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]:
        place = TopicPartition(topic, partition)

        async def work() -> tuple[int, int]:
            async with self.consumer() as consumer:
                low = await consumer.beginning_offsets([place])
                high = await consumer.end_offsets([place])
            return low[place], high[place]

        return run(work())

    def offset_for_time(self, topic: str, timestamp_ms: int) -> int | None:
        place = TopicPartition(topic, 0)

        async def work() -> int | None:
            async with self.consumer() as consumer:
                found = (await consumer.offsets_for_times({place: timestamp_ms}))[place]
            return found.offset if found else None

        return run(work())

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        place = TopicPartition(topic, 0)

        async def work() -> None:
            async with self.consumer(group_id=group) as consumer:
                consumer.assign([place])
                await consumer.commit({place: OffsetAndMetadata(offset, metadata)})

        run(work())

    def committed(
        self, group: str, topic: str, partitions: Sequence[int] = (0,)
    ) -> list[tuple[int, str] | None]:
        places = [TopicPartition(topic, number) for number in partitions]

        async def work() -> list[tuple[int, str] | None] | None:
            async with self.admin() as admin:
                try:
                    found = await admin.list_consumer_group_offsets(group, partitions=places)
                except GroupCoordinatorNotAvailableError:
                    return None
            if not found:  # the library drops the error that stands above the topics
                return None
            entries = [found[place] for place in places]
            return [(at.offset, at.metadata) if at.offset >= 0 else None for at in entries]

        # This library's admin does not wait for a coordinator that is still loading: we do.
        return eventually(lambda: run(work()), "an answer from the group's coordinator")

    def describe_group(self, group: str) -> GroupView:
        async def work() -> GroupView:
            async with self.admin() as admin:
                (answer,) = await admin.describe_consumer_groups([group])
            ((error_code, _, state, _, _, members, *_),) = answer.groups
            check(error_code)
            assignments = [
                ConsumerProtocol.ASSIGNMENT.decode(member[-1]) for member in members if member[-1]
            ]
            assigned = [
                number
                for given in assignments
                for _, numbers in given.assignment
                for number in numbers
            ]
            return GroupView(state, len(members), tuple(sorted(assigned)))

        return run(work())

    def list_groups(self) -> list[str]:
        async def work() -> list[str]:
            async with self.admin() as admin:
                return [group for group, *_ in await admin.list_consumer_groups()]

        return run(work())

    def delete_group(self, group: str) -> None:
        raise NotImplementedError

    def delete_records(self, topic: str, before: int) -> None:
        wanted = {TopicPartition(topic, 0): RecordsToDelete(before_offset=before)}

        async def work() -> None:
            async with self.admin() as admin:
                await admin.delete_records(wanted)

        run(work())

    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        """No call takes a generation: the consumer is made to believe that it is the member."""
        place = TopicPartition(topic, 0)

        async def work() -> None:
            async with self.admin() as admin:
                (answer,) = await admin.describe_consumer_groups([group])
            ((_, _, _, _, _, members, *_),) = answer.groups
            ((member_id, *_),) = members
            async with self.consumer(group_id=group) as consumer:
                consumer.assign([place])
                coordinator = consumer._coordinator
                coordinator.generation, coordinator.member_id = generation, member_id
                try:
                    await consumer.commit({place: OffsetAndMetadata(1, "")})
                except CommitFailedError as error:
                    raise error.__cause__ or error from error
                finally:
                    coordinator.generation = -1  # or it leaves in the member's name

        run(work())

    @contextmanager
    def traveller(self, topic: str, partitions: int) -> Iterator[AioTraveller]:
        with asyncio.Runner() as runner:

            async def consumer() -> AIOKafkaConsumer:
                made = AIOKafkaConsumer(
                    bootstrap_servers=self.bootstrap,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                )
                await made.start()
                made.assign([TopicPartition(topic, number) for number in range(partitions)])
                return made

            traveller = AioTraveller(runner, runner.run(consumer()), topic)
            try:
                yield traveller
            finally:
                runner.run(traveller.consumer.stop())


class AioTraveller:
    """Its loop runs only while a step is taken; whatever is asked of the consumer must be in it."""

    def __init__(self, runner: asyncio.Runner, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._runner, self.consumer, self._topic = runner, consumer, topic

    def read(self, count: int) -> list[Position]:
        async def work() -> list[Position]:
            come = [await self.consumer.getone() for _ in range(count)]
            return [Position(message.partition, message.offset) for message in come]

        return self._runner.run(asyncio.wait_for(work(), TIMEOUT_S))

    def seek(self, partition: int, to: int | str) -> None:
        place = TopicPartition(self._topic, partition)

        async def work() -> None:
            match to:
                case "beginning":
                    await self.consumer.seek_to_beginning(place)
                case "end":
                    await self.consumer.seek_to_end(place)
                case _:
                    self.consumer.seek(place, to)

        self._runner.run(work())

    def pause(self, partition: int) -> None:
        async def work() -> None:
            self.consumer.pause(TopicPartition(self._topic, partition))

        self._runner.run(work())

    def resume(self, partition: int) -> None:
        async def work() -> None:
            self.consumer.resume(TopicPartition(self._topic, partition))

        self._runner.run(work())
