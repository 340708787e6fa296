"""kafka-python 2.0, in an environment of its own: the old one that distributions still carry."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import KafkaError, for_code
from kafka.structs import OffsetAndMetadata

from compat_tests.client import BrokerError, Client, GroupView, Position, Record
from compat_tests.kafka_python.traveller import KafkaPythonTraveller
from compat_tests.partitioners import javas

TIMEOUT_S = 30


@contextmanager
def broker_errors() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise BrokerError(getattr(error, "errno", -1), repr(error)) from error


class KafkaPython2(Client):
    name = "kafka-python 2.0"
    partition_of = staticmethod(javas)

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin, broker_errors():
            yield admin

    @contextmanager
    def consumer(self, **settings: object) -> Iterator[KafkaConsumer]:
        settings = {"enable_auto_commit": False, "auto_offset_reset": "none", **settings}
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, **settings)
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
        wanted = NewTopic(topic, partitions, replication_factor, topic_configs=dict(configs or {}))
        with self.admin() as admin:
            admin.create_topics([wanted])

    def delete_topic(self, topic: str) -> None:
        with self.admin() as admin:
            admin.delete_topics([topic])

    def add_partitions(self, topic: str, total: int) -> None:
        with self.admin() as admin:
            admin.create_partitions({topic: NewPartitions(total)})

    def topics(self) -> dict[str, int]:
        with self.admin() as admin:
            return {t["topic"]: len(t["partitions"]) for t in admin.describe_topics()}

    def configs(self, topic: str) -> dict[str, str | None]:
        with self.admin() as admin:
            (answer,) = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        ((_code, _text, _kind, _name, entries),) = answer.resources
        return {entry[0]: entry[1] for entry in entries}

    def alter_config(self, topic: str, key: str, value: str) -> None:
        """By AlterConfigs, the only request it knows for that."""
        with self.admin() as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, {key: value})
            ((code, text, *_),) = admin.alter_configs([resource]).resources
        if code:
            raise BrokerError(code, text)

    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        assert not idempotent, "2.0 has no idempotent producer"
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            compression_type=None if codec == "none" else codec,
            max_request_size=8 << 20,
            batch_size=64 << 10,
            linger_ms=5,
        )
        with closing(producer), broker_errors():
            sent = [
                producer.send(
                    topic,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    timestamp_ms=record.timestamp_ms,
                    partition=partition,
                )
                for record in records
            ]
            landed = [future.get(timeout=TIMEOUT_S) for future in sent]
        return [Position(at.partition, at.offset) for at in landed]

    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        place = TopicPartition(topic, partition)
        records: list[Record] = []
        deadline = time.monotonic() + TIMEOUT_S
        with self.consumer() as consumer:
            consumer.assign([place])
            consumer.seek(place, at)
            while len(records) < count:
                assert time.monotonic() < deadline, f"{len(records)} of {count} records"
                for message in consumer.poll(timeout_ms=1000).get(place, []):
                    assert message.offset == at + len(records)
                    records.append(Record(message.value, message.key, tuple(message.headers)))
        return records[:count]

    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]:
        place = TopicPartition(topic, partition)
        with self.consumer() as consumer:
            low, high = consumer.beginning_offsets([place]), consumer.end_offsets([place])
        return low[place], high[place]

    def offset_for_time(self, topic: str, timestamp_ms: int) -> int | None:
        place = TopicPartition(topic, 0)
        with self.consumer() as consumer:
            found = consumer.offsets_for_times({place: timestamp_ms})[place]
        return found.offset if found else None

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        place = TopicPartition(topic, 0)
        with self.consumer(group_id=group) as consumer:
            consumer.assign([place])
            consumer.commit({place: OffsetAndMetadata(offset, metadata)})

    def committed(
        self, group: str, topic: str, partitions: Sequence[int] = (0,)
    ) -> list[tuple[int, str] | None]:
        with self.consumer(group_id=group) as consumer:
            found = [
                consumer.committed(TopicPartition(topic, number), metadata=True)
                for number in partitions
            ]
        return [(entry.offset, entry.metadata) if entry else None for entry in found]

    def describe_group(self, group: str) -> GroupView:
        with self.admin() as admin:
            (described,) = admin.describe_consumer_groups([group])
        assigned = [
            partition
            for member in described.members
            for _topic, partitions in (getattr(member.member_assignment, "assignment", None) or [])
            for partition in partitions
        ]
        return GroupView(described.state, len(described.members), tuple(sorted(assigned)))

    def list_groups(self) -> list[str]:
        with self.admin() as admin:
            return [group for group, _protocol in admin.list_consumer_groups()]

    def delete_group(self, group: str) -> None:
        with self.admin() as admin:
            ((_group, error),) = admin.delete_consumer_groups([group])
        if error is not for_code(0):
            raise BrokerError(error.errno, repr(error))

    def delete_records(self, topic: str, before: int) -> None:
        raise NotImplementedError

    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        raise NotImplementedError

    @contextmanager
    def traveller(self, topic: str, partitions: int) -> Iterator[KafkaPythonTraveller]:
        with self.consumer() as consumer:
            yield KafkaPythonTraveller(consumer, topic, partitions)
