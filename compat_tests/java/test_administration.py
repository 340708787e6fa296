"""Kafka's tools for records, directories, settings, leaders, reassignments, quorum and features."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compat_tests.client import Record
from compat_tests.java.test_java import Tools
from compat_tests.suite import FreshName

KAFKA_TOOLS = "org.apache.kafka.tools"
OFFSETS = f"{KAFKA_TOOLS}.GetOffsetShell"
DELETE_RECORDS = f"{KAFKA_TOOLS}.DeleteRecordsCommand"
LOG_DIRS = f"{KAFKA_TOOLS}.LogDirsCommand"
ELECTION = f"{KAFKA_TOOLS}.LeaderElectionCommand"
REASSIGN = f"{KAFKA_TOOLS}.reassign.ReassignPartitionsCommand"
QUORUM = f"{KAFKA_TOOLS}.MetadataQuorumCommand"
FEATURES = f"{KAFKA_TOOLS}.FeatureCommand"
TRANSACTIONS = f"{KAFKA_TOOLS}.TransactionsCommand"
CONFIGS = "kafka.admin.ConfigCommand"


@pytest.fixture
def tools(bootstrap: str) -> Tools:
    return Tools(bootstrap)


@pytest.fixture
def topic(tools: Tools, fresh_name: FreshName) -> str:
    """With ten records."""
    name = fresh_name("administered")
    tools.outside.create_topic(name)
    tools.outside.produce(name, [Record(b"%d" % number) for number in range(10)])
    return name


def test_records_are_deleted(tools: Tools, topic: str, tmp_path: Path) -> None:
    wanted = tmp_path / "offsets.json"

    def delete(offset: int) -> str:
        partition = {"topic": topic, "partition": 0, "offset": offset}
        wanted.write_text(json.dumps({"version": 1, "partitions": [partition]}))
        return tools.run(DELETE_RECORDS, "--offset-json-file", str(wanted))

    assert f"partition: {topic}-0\tlow_watermark: 4" in delete(4)
    earliest = tools.run(OFFSETS, "--topic", topic, "--time", "earliest")
    assert earliest.split() == [f"{topic}:0:4"]
    assert tools.consume(topic, 6) == [str(number) for number in range(4, 10)]
    assert "OffsetOutOfRangeException" in delete(11)
    assert f"partition: {topic}-0\tlow_watermark: 10" in delete(-1)


def test_log_directories_have_sizes(tools: Tools, topic: str) -> None:
    told = tools.run(LOG_DIRS, "--describe", "--topic-list", topic)
    (broker,) = json.loads(told.splitlines()[-1])["brokers"]
    (directory,) = broker["logDirs"]
    assert directory["error"] is None
    (partition,) = directory["partitions"]
    assert partition["partition"] == f"{topic}-0"
    assert partition["size"] > 0
    assert (partition["offsetLag"], partition["isFuture"]) == (0, False)


def test_settings_are_shown_and_changed(tools: Tools, topic: str) -> None:
    place = ("--entity-type", "topics", "--entity-name", topic)
    tools.run(CONFIGS, "--alter", *place, "--add-config", "retention.ms=100000,segment.ms=7000")
    described = tools.run(CONFIGS, "--describe", *place)
    assert "retention.ms=100000 sensitive=false" in described
    assert topic in tools.run(CONFIGS, "--describe", "--entity-type", "topics")
    tools.run(CONFIGS, "--alter", *place, "--delete-config", "retention.ms")
    described = tools.run(CONFIGS, "--describe", *place)
    assert "retention.ms" not in described
    assert "segment.ms=7000" in described
    for kind in ("brokers", "groups", "client-metrics"):
        tools.run(CONFIGS, "--describe", "--entity-type", kind)


def test_no_election_is_needed(tools: Tools, topic: str) -> None:
    place = ("--topic", topic, "--partition", "0")
    for kind in ("preferred", "unclean"):
        told = tools.run(ELECTION, "--election-type", kind, *place)
        assert f"Valid replica already elected for partitions {topic}-0" in told
    tools.run(ELECTION, "--election-type", "preferred", "--all-topic-partitions")


def test_a_partition_stays_where_it_is(tools: Tools, topic: str, tmp_path: Path) -> None:
    (broker_id,) = re.findall(r"Leader: (\d+)", tools.topics("--describe", "--topic", topic))
    plan = tmp_path / "plan.json"
    partition = {"topic": topic, "partition": 0, "replicas": [int(broker_id)]}
    plan.write_text(json.dumps({"version": 1, "partitions": [partition]}))
    planned = ("--reassignment-json-file", str(plan))
    assert "Successfully started" in tools.run(REASSIGN, *planned, "--execute")
    assert f"{topic}-0 is completed" in tools.run(REASSIGN, *planned, "--verify")
    assert "No partition reassignments found" in tools.run(REASSIGN, "--list")
    assert "None of the specified" in tools.run(REASSIGN, *planned, "--cancel")


def test_the_quorum_is_one_voter(tools: Tools) -> None:
    status = tools.run(QUORUM, "describe", "--status")
    (leader,) = re.findall(r"LeaderId:\s+(\d+)", status)
    assert re.search(rf'CurrentVoters:\s+\[\{{"id": {leader},', status)
    replication = tools.run(QUORUM, "describe", "--replication")
    assert re.search(rf"(?m)^{leader}\s.*\sLeader\s*$", replication)


def test_features_that_are_not_there(tools: Tools) -> None:
    tools.run(FEATURES, "describe")
    wanted = ("upgrade", "--feature", "no.such.version=1")
    assert "Could not upgrade no.such.version" in tools.run(FEATURES, *wanted, fails=True)


def test_producers_are_shown(tools: Tools, topic: str) -> None:
    tools.produce(topic, "one\ntwo\n")
    place = ("--topic", topic, "--partition", "0")
    shown = tools.run(TRANSACTIONS, "describe-producers", *place).splitlines()
    assert shown[0].split()[:2] == ["ProducerId", "ProducerEpoch"]
    assert [line.split()[1:4] for line in shown[1:]] == [["0", "-1", "1"]]


def test_a_group_forgets_a_topic(tools: Tools, topic: str, fresh_name: FreshName) -> None:
    group = fresh_name("group")
    tools.consume(topic, 10, "--group", group)
    place = ("--delete-offsets", "--group", group, "--topic", topic)
    assert re.search(rf"{topic}\s+0\s+Successful", tools.groups(*place))
    described = tools.groups("--describe", "--group", group)
    assert topic not in described
