"""aiokafka: the shared scenarios, and the iterator that its users write."""

from __future__ import annotations

import pytest

from compat_tests.client import BrokerError, Code, Record
from compat_tests.requirements import need_module
from compat_tests.suite import ClientSuite, FreshName

need_module("aiokafka")

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from compat_tests.aiokafka.client import AioKafka, run


class TestAioKafka(ClientSuite):
    client_class = AioKafka

    def test_a_config_of_a_new_topic_is_obeyed(
        self, client: AioKafka, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("config")
        client.create_topic(topic, configs={"max.message.bytes": "2000"})
        with pytest.raises(BrokerError) as failure:
            client.produce(topic, [Record(bytes(3000))])
        assert failure.value.code == Code.MESSAGE_TOO_LARGE

    def test_iterating_a_topic_that_the_first_record_creates(
        self, bootstrap: str, fresh_name: FreshName
    ) -> None:
        topic, group = fresh_name("auto"), fresh_name("group")

        async def work() -> list[bytes]:
            async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
                for number in range(10):
                    await producer.send_and_wait(topic, b"%d" % number, key=b"same")
            consumer = AIOKafkaConsumer(
                topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest"
            )
            seen: list[bytes] = []
            async with consumer:
                async for message in consumer:
                    seen.append(message.value)
                    if len(seen) == 10:
                        return seen
            return seen

        assert run(work()) == [b"%d" % number for number in range(10)]
