"""confluent-kafka (Python over librdkafka)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from compat_tests.client import BrokerError, Client, Code, GroupView, Position, Record
from compat_tests.partitioners import librdkafkas

TIMEOUT_S = 30


def broker_error(error: KafkaError) -> BrokerError:
    # librdkafka tells an offset out of range as a failed offset reset, with the cause as text.
    if error.code() == KafkaError._AUTO_OFFSET_RESET and "out of range" in error.str():
        return BrokerError(Code.OFFSET_OUT_OF_RANGE, error.str())
    return BrokerError(error.code(), error.str())


@contextmanager
def broker_errors() -> Iterator[None]:
    try:
        yield
    except KafkaException as exception:
        raise broker_error(exception.args[0]) from exception


def only_answer(futures: Mapping[object, Future[object]]) -> object:
    with broker_errors():
        (future,) = futures.values()
        return future.result(TIMEOUT_S)


class ConfluentKafka(Client):
    name = "confluent-kafka"
    assignors = ("range", "cooperative-sticky")
    lacks = {"generations": "librdkafka commits in no generation but its own"}
    partition_of = staticmethod(librdkafkas)

    @contextmanager
    def admin(self) -> Iterator[AdminClient]:
        """Its own for each task: an old one sleeps long after its broker was gone for a while."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        with broker_errors():
            yield admin

    @contextmanager
    def consumer(self, **settings: object) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "not-used",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "check.crcs": True,
                **{key.replace("_", "."): value for key, value in settings.items()},
            }
        )
        with closing(consumer), broker_errors():
            yield consumer

    def create_topic(
        self,
        topic: str,
        partitions: int = 1,
        *,
        replication_factor: int = 1,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        wanted = NewTopic(topic, partitions, replication_factor, config=dict(configs or {}))
        with self.admin() as admin:
            only_answer(admin.create_topics([wanted]))

    def delete_topic(self, topic: str) -> None:
        with self.admin() as admin:
            only_answer(admin.delete_topics([topic]))

    def add_partitions(self, topic: str, total: int) -> None:
        with self.admin() as admin:
            only_answer(admin.create_partitions([NewPartitions(topic, total)]))

    def topics(self) -> dict[str, int]:
        with self.admin() as admin:
            listed = admin.list_topics(timeout=TIMEOUT_S).topics
        return {name: len(topic.partitions) for name, topic in listed.items()}

    def configs(self, topic: str) -> dict[str, str | None]:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        with self.admin() as admin:
            entries = only_answer(admin.describe_configs([resource]))
        return {key: entry.value for key, entry in entries.items()}

    def alter_config(self, topic: str, key: str, value: str) -> None:
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        with self.admin() as admin:
            only_answer(admin.incremental_alter_configs([resource]))

    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "acks": "all",
                "enable.idempotence": idempotent,
                "compression.type": codec,
                "message.max.bytes": 8 << 20,
                "linger.ms": 5,
            }
        )
        landed: dict[int, Position] = {}
        failed: list[KafkaError] = []

        def note(number: int, error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)
            else:
                landed[number] = Position(message.partition(), message.offset())

        for number, record in enumerate(records):
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                on_delivery=lambda error, message, number=number: note(number, error, message),
                **({} if partition is None else {"partition": partition}),
                **({} if record.timestamp_ms is None else {"timestamp": record.timestamp_ms}),
            )
            producer.poll(0)
        left = producer.flush(TIMEOUT_S)
        if failed:
            raise broker_error(failed[0])
        assert left == 0, f"{left} records were never answered"
        return [landed[number] for number in range(len(landed))]

    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + TIMEOUT_S
        with self.consumer() as consumer:
            consumer.assign([TopicPartition(topic, partition, at)])
            while len(records) < count:
                assert time.monotonic() < deadline, f"{len(records)} of {count} records in 30 s"
                for message in consumer.consume(count - len(records), timeout=0.5):
                    if message.error():
                        raise broker_error(message.error())
                    assert message.offset() == at + len(records)
                    headers = tuple(message.headers() or ())
                    records.append(Record(message.value(), message.key(), headers))
        return records

    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]:
        with self.consumer() as consumer:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)

    def offset_for_time(self, topic: str, timestamp_ms: int) -> int | None:
        with self.consumer() as consumer:
            asked = [TopicPartition(topic, 0, timestamp_ms)]
            (found,) = consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
        return found.offset if found.offset >= 0 else None

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        with self.consumer(group_id=group) as consumer:
            place = TopicPartition(topic, 0, offset, metadata)
            (done,) = consumer.commit(offsets=[place], asynchronous=False)
            assert done.error is None

    def committed(
        self, group: str, topic: str, partitions: Sequence[int] = (0,)
    ) -> list[tuple[int, str] | None]:
        places = [TopicPartition(topic, number) for number in partitions]
        with self.consumer(group_id=group) as consumer:
            found = consumer.committed(places, timeout=TIMEOUT_S)
        return [(at.offset, at.metadata or "") if at.offset >= 0 else None for at in found]

    def describe_group(self, group: str) -> GroupView:
        with self.admin() as admin:
            answer = only_answer(admin.describe_consumer_groups([group]))
        assigned = [
            place.partition
            for member in answer.members
            for place in member.assignment.topic_partitions
        ]
        state = answer.state.name.title()
        return GroupView(state, len(answer.members), tuple(sorted(assigned)))

    def list_groups(self) -> list[str]:
        with self.admin() as admin:
            return [entry.group_id for entry in admin.list_consumer_groups().result(30).valid]

    def delete_group(self, group: str) -> None:
        with self.admin() as admin:
            only_answer(admin.delete_consumer_groups([group]))

    def delete_records(self, topic: str, before: int) -> None:
        with self.admin() as admin:
            only_answer(admin.delete_records([TopicPartition(topic, 0, before)]))

    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        raise NotImplementedError

    @contextmanager
    def traveller(self, topic: str, partitions: int) -> Iterator[ConfluentTraveller]:
        with self.consumer() as consumer:
            yield ConfluentTraveller(consumer, topic, partitions)


class ConfluentTraveller:
    def __init__(self, consumer: Consumer, topic: str, partitions: int) -> None:
        self._consumer, self._topic = consumer, topic
        places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)]
        consumer.assign(places)

    def read(self, count: int) -> list[Position]:
        come: list[Position] = []
        deadline = time.monotonic() + TIMEOUT_S
        while len(come) < count:
            assert time.monotonic() < deadline, f"{len(come)} of {count} records"
            for message in self._consumer.consume(count - len(come), timeout=0.2):
                if message.error():
                    raise broker_error(message.error())
                come.append(Position(message.partition(), message.offset()))
        return come

    def seek(self, partition: int, to: int | str) -> None:
        if to == "end":  # as a number: its own end is where the log ends when it gets there
            _, to = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition))
        offset = OFFSET_BEGINNING if to == "beginning" else to
        self._consumer.seek(TopicPartition(self._topic, partition, offset))

    def pause(self, partition: int) -> None:
        self._consumer.pause([TopicPartition(self._topic, partition)])

    def resume(self, partition: int) -> None:
        self._consumer.resume([TopicPartition(self._topic, partition)])
