"""kafka-python (pure Python; producers are idempotent unless told otherwise)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from compat_tests.client import BrokerError, Client, GroupView, Position, Record


@contextmanager
def broker_errors() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise BrokerError(getattr(error, "errno", -1), repr(error)) from error


class KafkaPython(Client):
    name = "kafka-python"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    sends_null_headers = False

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
        wanted = {
            "num_partitions": partitions,
            "replication_factor": replication_factor,
            "configs": dict(configs or {}),
        }
        with self.admin() as admin:
            admin.create_topics({topic: wanted})

    def delete_topic(self, topic: str) -> None:
        with self.admin() as admin:
            admin.delete_topics([topic])

    def add_partitions(self, topic: str, total: int) -> None:
        with self.admin() as admin:
            admin.create_partitions({topic: total})

    def topics(self) -> dict[str, int]:
        with self.admin() as admin:
            return {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}

    def configs(self, topic: str) -> dict[str, str | None]:
        resource = ConfigResource("TOPIC", topic)
        with self.admin() as admin:
            answer = admin.describe_configs([resource], config_filter="all")
        return {key: config["value"] for key, config in answer["topic"][topic].items()}

    def alter_config(self, topic: str, key: str, value: str) -> None:
        with self.admin() as admin:
            admin.alter_configs([ConfigResource("TOPIC", topic, {key: value})])

    def produce(
        self,
        topic: str,
        records: Iterable[Record],
        *,
        partition: int | None = 0,
        codec: str = "none",
        idempotent: bool = False,
    ) -> list[Position]:
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            enable_idempotence=idempotent,
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
            landed = [future.get(timeout=30) for future in sent]
        return [Position(at.partition, at.offset) for at in landed]

    def consume(self, topic: str, count: int, *, partition: int = 0, at: int = 0) -> list[Record]:
        place = TopicPartition(topic, partition)
        records: list[Record] = []
        deadline = time.monotonic() + 30
        with self.consumer() as consumer:
            consumer.assign([place])
            consumer.seek(place, at)
            while len(records) < count:
                assert time.monotonic() < deadline, f"{len(records)} of {count} records in 30 s"
                for message in consumer.poll(timeout_ms=1000).get(place, []):
                    assert message.offset == at + len(records)
                    headers = tuple(tuple(header) for header in message.headers)
                    records.append(Record(message.value, message.key, headers))
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
            consumer.commit({place: OffsetAndMetadata(offset, metadata, -1)})

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
            answer = admin.describe_groups([group])[group]
        assigned = [
            partition
            for member in answer["members"]
            for topic in (member["member_assignment"] or {"assigned_partitions": []})[
                "assigned_partitions"
            ]
            for partition in topic["partitions"]
        ]
        return GroupView(answer["group_state"], len(answer["members"]), tuple(sorted(assigned)))
