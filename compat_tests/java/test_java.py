"""Kafka's own tools, that is the Java client 4.x: console producer and consumer, topics, groups.

Their output is what operators' scripts read, so the tests read it, too.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import Position, Record
from compat_tests.groups import group_story
from compat_tests.java.runner import TIMEOUT_S, java_command, need_kafkas_jars
from compat_tests.requirements import need_module
from compat_tests.suite import ALL_CODECS, FreshName, ten_mebibytes
from compat_tests.waiting import eventually

need_kafkas_jars()
need_module("kafka")  # looks at groups from outside, faster than a JVM for every look

from compat_tests.kafka_python.client import KafkaPython

TOPICS = "org.apache.kafka.tools.TopicCommand"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"


class Tools:
    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.outside = KafkaPython(bootstrap)

    def run(self, main_class: str, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            java_command(main_class, "--bootstrap-server", self.bootstrap, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    def topics(self, *arguments: str, fails: bool = False) -> str:
        return self.run(TOPICS, *arguments, fails=fails)

    def groups(self, *arguments: str) -> str:
        return self.run(GROUPS, *arguments)

    def produce(self, topic: str, lines: str, *arguments: str) -> None:
        self.run(PRODUCER, "--topic", topic, *arguments, stdin=lines)

    def consume(self, topic: str, count: int, *arguments: str) -> list[str]:
        asked = ("--from-beginning", "--max-messages", str(count), "--timeout-ms", "30000")
        return self.run(CONSUMER, "--topic", topic, *asked, *arguments).splitlines()


@pytest.fixture
def tools(bootstrap: str) -> Tools:
    return Tools(bootstrap)


@pytest.fixture
def topic(tools: Tools, fresh_name: FreshName) -> str:
    name = fresh_name("topic")
    tools.outside.create_topic(name)
    return name


@pytest.mark.parametrize("codec", ALL_CODECS)
def test_every_codec_keeps_every_record(tools: Tools, topic: str, codec: str) -> None:
    lines = [f"{number:06d} " * 20 for number in range(500)]
    tools.produce(topic, "\n".join(lines), "--compression-codec", codec)
    assert tools.consume(topic, 500) == lines


def test_null_and_empty_keys_values_and_headers(tools: Tools, topic: str) -> None:
    reader = {"parse.key": "true", "parse.headers": "true", "null.marker": "NULL"}
    lines = ["one:1,two:2\tkey\tvalue", "NULL\tNULL\tno key", "NULL\tonly a key\tNULL", "h:\t\t"]
    properties = [f"{key}={value}" for key, value in reader.items()]
    options = [option for property_ in properties for option in ("--reader-property", property_)]
    tools.produce(topic, "\n".join(lines) + "\n", *options)
    printed = ("print.key=true", "print.headers=true", "print.offset=true", "null.literal=NULL")
    options = [option for property_ in printed for option in ("--formatter-property", property_)]
    assert tools.consume(topic, 4, *options) == [
        "Offset:0\tone:1,two:2\tkey\tvalue",
        "Offset:1\tNO_HEADERS\tNULL\tno key",
        "Offset:2\tNO_HEADERS\tonly a key\tNULL",
        "Offset:3\th:\t\t",
    ]


def test_ten_mebibytes_arrive_in_order(tools: Tools, topic: str) -> None:
    lines = [record.value.hex()[:1024] for record in ten_mebibytes() if record.value]
    tools.produce(topic, "\n".join(lines))
    assert tools.consume(topic, len(lines)) == lines


def test_a_topic_is_created_listed_described_altered_and_deleted(
    tools: Tools, fresh_name: FreshName
) -> None:
    topic = fresh_name("admin")
    sizes = ("--partitions", "3", "--replication-factor", "1")
    created = tools.topics(
        "--create", "--topic", topic, *sizes, "--config", "retention.ms=123456789"
    )
    assert f"Created topic {topic}." in created
    assert topic in tools.topics("--list").splitlines()
    described = tools.topics("--describe", "--topic", topic)
    assert re.search(r"TopicId: [\w-]{22}\s+PartitionCount: 3\s+ReplicationFactor: 1", described)
    assert "retention.ms=123456789" in described
    assert (
        len(re.findall(r"Partition: \d\s+Leader: (\d+)\s+Replicas: \1\s+Isr: \1", described)) == 3
    )
    tools.topics("--alter", "--topic", topic, "--partitions", "5")
    assert "PartitionCount: 5" in tools.topics("--describe", "--topic", topic)
    tools.topics("--delete", "--topic", topic)
    eventually(lambda: topic not in tools.outside.topics(), "the topic is gone")
    gone = tools.topics("--describe", "--topic", topic, fails=True)
    assert "does not exist" in gone


def test_errors_of_the_topics_tool(tools: Tools, topic: str) -> None:
    exists = tools.topics("--create", "--topic", topic, fails=True)
    assert f"Topic '{topic}' already exists" in exists
    replicas = tools.topics(
        "--create", "--topic", f"{topic}-x", "--replication-factor", "7", fails=True
    )
    assert "InvalidReplicationFactorException" in replicas
    fewer = tools.topics("--alter", "--topic", topic, "--partitions", "1", fails=True)
    assert "InvalidPartitionsException" in fewer
    config = tools.topics("--create", "--topic", f"{topic}-y", "--config", "no.such=1", fails=True)
    assert "no.such" in config


def test_a_message_that_is_too_large(tools: Tools, topic: str) -> None:
    done = subprocess.run(
        java_command(
            PRODUCER,
            *("--bootstrap-server", tools.bootstrap, "--topic", topic, "--sync"),
            *("--command-property", "max.request.size=8000000"),
        ),
        input="x" * 2_000_000,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert "RecordTooLargeException" in done.stdout + done.stderr
    assert tools.outside.watermarks(topic) == (0, 0)


def test_a_group_is_listed_described_reset_and_deleted(
    tools: Tools, topic: str, fresh_name: FreshName
) -> None:
    group = fresh_name("group")
    tools.outside.produce(topic, [Record(b"%d" % number) for number in range(10)])
    assert len(tools.consume(topic, 10, "--group", group)) == 10
    tools.outside.produce(topic, [Record(b"later")] * 5)
    assert group in tools.groups("--list").split()

    described = tools.groups("--describe", "--group", group)
    columns = next(line.split() for line in described.splitlines() if topic in line)
    assert columns[:6] == [group, topic, "0", "10", "15", "5"]  # committed, end, lag
    state = tools.groups("--describe", "--group", group, "--state")
    assert "Empty" in state

    place = ("--group", group, "--topic", topic)
    reset = tools.groups("--reset-offsets", *place, "--to-offset", "3", "--execute")
    assert [group, topic, "0", "3"] in [line.split() for line in reset.splitlines()]
    assert len(tools.consume(topic, 12, "--group", group)) == 12

    assert "successful" in tools.groups("--delete", "--group", group)
    assert group not in tools.groups("--list").split()
    assert "does not exist" in tools.groups("--delete", "--group", group)


def test_a_live_group_shows_its_members_and_cannot_be_deleted(
    tools: Tools, topic: str, fresh_name: FreshName
) -> None:
    group = fresh_name("group")
    tools.outside.produce(topic, [Record(b"x")])
    consumer = subprocess.Popen(
        java_command(
            CONSUMER,
            *("--bootstrap-server", tools.bootstrap, "--topic", topic, "--group", group),
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: tools.outside.describe_group(group).state == "Stable", "a stable group")
        members = tools.groups("--describe", "--group", group, "--members", "--verbose")
        assert re.search(rf"{group}\s+console-consumer\S+\s+/127\.0\.0\.1\s", members), members
        assert f"{topic}(0)" in members or re.search(rf"{topic}\W+0", members), members
        refused = tools.groups("--delete", "--group", group)
        assert "not empty" in refused
    finally:
        consumer.terminate()
        consumer.wait(30)


def test_a_group_lives_through_join_leave_kill_and_restart(
    tools: Tools, broker: Broker, fresh_name: FreshName, tmp_path: Path
) -> None:
    settings = tmp_path / "consumer.properties"
    settings.write_text(
        "auto.offset.reset=earliest\nauto.commit.interval.ms=100\n"
        "session.timeout.ms=6000\nheartbeat.interval.ms=500\n"
    )

    def command(bootstrap: str, group: str, topic: str) -> list[str]:
        return java_command(
            CONSUMER,
            *("--bootstrap-server", bootstrap, "--group", group, "--topic", topic),
            *("--command-config", str(settings)),
            *("--formatter-property", "print.partition=true"),
            *("--formatter-property", "print.offset=true"),
        )

    def parse(line: str) -> list[Position] | None:
        found = re.match(r"Partition:(\d+)\tOffset:(\d+)\t", line)
        return [Position(int(found[1]), int(found[2]))] if found else None

    group_story(tools.outside, broker, fresh_name, command, commits_are_told=False, parse=parse)
