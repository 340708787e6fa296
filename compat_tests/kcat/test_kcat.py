"""kcat as Debian ships it: an old librdkafka (2.0.2), with the feature tests of an old client."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import Position, Record
from compat_tests.groups import group_story
from compat_tests.requirements import need_module, need_program
from compat_tests.suite import ALL_CODECS, FreshName, lately, ten_mebibytes

KCAT = need_program("kcat")
need_module("kafka")  # creates topics and looks at groups, which kcat cannot

from compat_tests.kafka_python.client import KafkaPython

TIMEOUT_S = 120


class Kcat:
    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = KafkaPython(bootstrap)

    def run(
        self, *arguments: str, stdin: bytes = b"", fails: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [KCAT, "-b", self.bootstrap, *arguments],
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr.decode()
        return done

    def produce(self, topic: str, stdin: bytes, *arguments: str) -> None:
        done = self.run("-P", "-t", topic, "-p", "0", *arguments, stdin=stdin)
        # What librdkafka says when it quietly sends uncompressed batches to a broker too old.
        assert b"does not support compression" not in done.stderr

    def consume(self, topic: str, count: int, *arguments: str) -> list[dict[str, object]]:
        asked = ("-C", "-t", topic, "-p", "0", "-c", str(count), "-J", "-o", "beginning")
        done = self.run(*asked, *arguments)
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def kcat(bootstrap: str) -> Kcat:
    return Kcat(bootstrap)


@pytest.fixture
def topic(kcat: Kcat, fresh_name: FreshName) -> str:
    name = fresh_name("topic")
    kcat.admin.create_topic(name)
    return name


@pytest.mark.parametrize("codec", ALL_CODECS)
def test_every_codec_keeps_every_record(kcat: Kcat, topic: str, codec: str) -> None:
    lines = [b"%06d " % number * 20 for number in range(500)]
    kcat.produce(topic, b"\n".join(lines), "-z", codec)
    read = kcat.consume(topic, 500)
    assert [record["payload"] for record in read] == [line.decode() for line in lines]
    assert [record["offset"] for record in read] == list(range(500))


def test_null_and_empty_keys_values_and_headers(kcat: Kcat, topic: str) -> None:
    kcat.produce(topic, b"no key at all")
    kcat.produce(topic, b"key:value\n:empty key\n", "-K:", "-H", "one=1", "-H", "empty=")
    kcat.produce(topic, b"only a key:\n", "-K:", "-Z")
    read = kcat.consume(topic, 4)
    assert [(record["key"], record["payload"]) for record in read] == [
        (None, "no key at all"),
        ("key", "value"),
        ("", "empty key"),
        ("only a key", None),
    ]
    assert read[1]["headers"] == ["one", "1", "empty", ""]
    assert "headers" not in read[0]


def test_ten_mebibytes_arrive_in_order(kcat: Kcat, topic: str) -> None:
    lines = [record.value.hex().encode()[:1024] for record in ten_mebibytes() if record.value]
    kcat.produce(topic, b"\n".join(lines))
    done = kcat.run("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q")
    assert done.stdout.splitlines() == lines


def test_idempotent_producer(kcat: Kcat, topic: str) -> None:
    lines = [b"%d" % number for number in range(5000)]
    kcat.produce(topic, b"\n".join(lines), "-X", "enable.idempotence=true")
    done = kcat.run("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q")
    assert done.stdout.splitlines() == lines


def test_reading_from_offsets_and_times(kcat: Kcat, topic: str) -> None:
    times = lately()[:2]
    for time_ms in times:
        kcat.admin.produce(topic, [Record(b"x", timestamp_ms=time_ms)] * 3)
    none = -1
    for time_ms, offset in ((0, 0), (times[1], 3), (times[1] + 1, none), (-1, 6), (-2, 0)):
        answer = kcat.run("-Q", "-t", f"{topic}:0:{time_ms}").stdout.decode()
        assert answer.split()[-1] == str(offset), time_ms
    last_two = kcat.run("-C", "-t", topic, "-p", "0", "-o", "-2", "-e", "-q", "-f", "%o ")
    assert last_two.stdout.split() == [b"4", b"5"]


def test_metadata(kcat: Kcat, topic: str) -> None:
    listed = json.loads(kcat.run("-L", "-J").stdout)
    assert [broker["name"] for broker in listed["brokers"]] == [kcat.bootstrap]
    assert listed["controllerid"] == listed["brokers"][0]["id"]
    mine = next(entry for entry in listed["topics"] if entry["topic"] == topic)
    assert [partition["partition"] for partition in mine["partitions"]] == [0]


def test_errors(kcat: Kcat, topic: str, fresh_name: FreshName) -> None:
    unknown = kcat.run("-C", "-t", fresh_name("unknown"), "-e", fails=True)
    assert b"Unknown topic or partition" in unknown.stderr
    bad_name = kcat.run("-C", "-t", "bad name", "-e", fails=True)
    assert b"Invalid topic" in bad_name.stderr
    settings = ("-X", "message.max.bytes=8000000")
    too_large = kcat.run(
        "-P", "-t", topic, "-p", "0", *settings, stdin=b"x" * 2_000_000, fails=True
    )
    assert b"Message size too large" in too_large.stderr
    settings = ("-X", "auto.offset.reset=error")
    beyond = kcat.run("-C", "-t", topic, "-p", "0", "-o", "99", "-e", *settings, fails=True)
    assert b"Offset out of range" in beyond.stderr


def test_the_first_record_creates_the_topic(kcat: Kcat, fresh_name: FreshName) -> None:
    name = fresh_name("auto")
    kcat.produce(name, b"hello")
    assert [record["payload"] for record in kcat.consume(name, 1)] == ["hello"]


def test_a_group_lives_through_join_leave_kill_and_restart(
    kcat: Kcat, broker: Broker, fresh_name: FreshName
) -> None:
    settings = (
        "auto.offset.reset=earliest",
        "auto.commit.interval.ms=100",
        "session.timeout.ms=6000",
        "heartbeat.interval.ms=500",
    )

    def command(bootstrap: str, group: str, topic: str) -> list[str]:
        options = [option for setting in settings for option in ("-X", setting)]
        return [KCAT, "-b", bootstrap, *options, "-E", "-u", "-f", "%p %o\\n", "-G", group, topic]

    def parse(line: str) -> list[Position] | None:
        found = re.fullmatch(r"(\d+) (\d+)\n?", line)
        return [Position(int(found[1]), int(found[2]))] if found else None

    group_story(kcat.admin, broker, fresh_name, command, commits_are_told=False, parse=parse)
