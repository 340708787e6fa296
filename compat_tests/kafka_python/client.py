"""kafka-python (pure Python; producers are idempotent unless told otherwise)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource
from kafka.coordinator.base import Generation, MemberState
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata

from compat_tests.client import BrokerError, Client, GroupView, Position, Record
from compat_tests.kafka_python.traveller import KafkaPythonTraveller
from compat_tests.partitioners import javas


@contextmanager
def broker_errors() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise BrokerError(getattr(error, "errno", -1), repr(error)) from error


class KafkaPython(Client):
    name = "kafka-python"
    assignors = ("range", "cooperative-sticky")
    lacks = {
        "error for a bad topic": "it asks for the topic for a minute, whatever the broker says",
    }
    sends_null_headers = False
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

    def list_groups(self) -> list[str]:
        with self.admin() as admin:
            return [entry["group_id"] for entry in admin.list_groups()]

    def delete_group(self, group: str) -> None:
        with self.admin() as admin:
            outcome = admin.delete_groups([group])[group]
        if outcome != "OK":  # the name of an error
            raise BrokerError(getattr(errors, outcome).errno, outcome)

    def delete_records(self, topic: str, before: int) -> None:
        with self.admin() as admin:
            admin.delete_records({TopicPartition(topic, 0): before})

    def commit_stale(self, group: str, topic: str, generation: int) -> None:
        """No call takes a generation: the consumer is made to believe that it is the member."""
        with self.admin() as admin:
            (member,) = admin.describe_groups([group])[group]["members"]
        with self.consumer(group_id=group) as consumer:
            consumer.subscribe([topic])
            coordinator = consumer._coordinator
            coordinator.state = MemberState.STABLE
            coordinator._generation = Generation(generation, member["member_id"], "range")
            try:
                consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(1, "", -1)})
            except CommitFailedError as error:
                (reason,) = error.args
                raise reason from error
            finally:
                coordinator._generation = Generation.NO_GENERATION  # or it leaves in its name

    @contextmanager
    def traveller(self, topic: str, partitions: int) -> Iterator[KafkaPythonTraveller]:
        with self.consumer() as consumer:
            yield KafkaPythonTraveller(consumer, topic, partitions)
