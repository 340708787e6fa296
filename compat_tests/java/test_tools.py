"""More of Kafka's tools: offsets and their reset, settings, versions, the cluster, performance."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.client import Record
from compat_tests.groups import Member
from compat_tests.java.runner import TIMEOUT_S, ToolRunner, java_command, need_kafkas_jars
from compat_tests.requirements import need_module
from compat_tests.suite import HOUR_MS, NOON_MS, FreshName
from compat_tests.waiting import eventually

need_kafkas_jars()
need_module("kafka")  # looks from outside

from compat_tests.kafka_python.client import KafkaPython

KAFKA_TOOLS = "org.apache.kafka.tools"
GROUPS = f"{KAFKA_TOOLS}.consumer.group.ConsumerGroupCommand"
OFFSETS = f"{KAFKA_TOOLS}.GetOffsetShell"
VERSIONS = f"{KAFKA_TOOLS}.BrokerApiVersionsCommand"
CLUSTER = f"{KAFKA_TOOLS}.ClusterTool"
TOPICS = f"{KAFKA_TOOLS}.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"

COMMITTED = 5
# The topic of `topic`: three records an hour, from noon (22:13:20 UTC) on, nine altogether.
METHODS = [
    pytest.param(("--to-earliest",), 0, id="to-earliest"),
    pytest.param(("--to-latest",), 9, id="to-latest"),
    pytest.param(("--to-current",), COMMITTED, id="to-current"),
    pytest.param(("--to-offset", "3"), 3, id="to-offset"),
    pytest.param(("--to-offset", "1000"), 9, id="to-offset-beyond-the-end"),
    pytest.param(("--shift-by", "2"), COMMITTED + 2, id="shift-forward"),
    pytest.param(("--shift-by", "-4"), COMMITTED - 4, id="shift-back"),
    pytest.param(("--shift-by", "-1000"), 0, id="shift-before-the-beginning"),
    pytest.param(("--to-datetime", "2023-11-14T23:13:20.000"), 3, id="to-datetime"),
    pytest.param(("--to-datetime", "2023-11-14T23:13:20.001"), 6, id="to-datetime-between"),
    pytest.param(("--by-duration", "P20000D"), 0, id="by-duration"),
    pytest.param(("--by-duration", "PT0S"), 9, id="by-no-duration"),
]


@pytest.fixture(scope="module")
def runner() -> Iterator[ToolRunner]:
    runner = ToolRunner()
    yield runner
    runner.end()


class Tools:
    def __init__(self, runner: ToolRunner, bootstrap: str) -> None:
        self.runner = runner
        self.bootstrap = bootstrap
        self.outside = KafkaPython(bootstrap)

    def run(self, main_class: str, *arguments: str, fails: bool = False) -> str:
        place = ("--bootstrap-server", self.bootstrap)
        return self.runner.run(main_class, *arguments, *place, fails=fails)

    def offsets(self, *arguments: str) -> list[str]:
        return self.run(OFFSETS, *arguments).split()

    def reset(self, *arguments: str) -> str:
        return self.run(GROUPS, "--reset-offsets", *arguments)


@pytest.fixture
def tools(runner: ToolRunner, bootstrap: str) -> Tools:
    return Tools(runner, bootstrap)


@pytest.fixture
def topic(tools: Tools, fresh_name: FreshName) -> str:
    name = fresh_name("tools")
    tools.outside.create_topic(name, configs={"retention.ms": "-1"})  # the records are old
    for hour in range(3):
        records = [Record(b"x", timestamp_ms=NOON_MS + hour * HOUR_MS)] * 3
        tools.outside.produce(name, records)
    return name


@pytest.fixture
def group(tools: Tools, topic: str, fresh_name: FreshName) -> str:
    name = fresh_name("group")
    tools.outside.commit(name, topic, COMMITTED, "")
    return name


def planned(output: str, group: str, topic: str) -> list[list[str]]:
    lines = [line.split() for line in output.splitlines()]
    return [fields[2:4] for fields in lines if fields[:2] == [group, topic]]


# -- kafka-consumer-groups --reset-offsets ---------------------------------------------------------


@pytest.mark.parametrize(("method", "expected"), METHODS)
def test_offsets_are_reset(
    tools: Tools, topic: str, group: str, method: tuple[str, ...], expected: int
) -> None:
    place = ("--group", group, "--topic", topic)
    shown = tools.reset(*place, *method, "--dry-run")
    assert planned(shown, group, topic) == [["0", str(expected)]]
    assert tools.outside.committed(group, topic) == [(COMMITTED, "")]
    exported = tools.reset(*place, *method, "--export", "--dry-run")
    assert exported.splitlines()[-2:] == [f"{topic},0,{expected}", ""]
    done = tools.reset(*place, *method, "--execute")
    assert planned(done, group, topic) == [["0", str(expected)]]
    assert tools.outside.committed(group, topic) == [(expected, "")]


def test_offsets_are_exported_changed_and_reset_from_the_file(
    tools: Tools, topic: str, group: str, tmp_path: Path
) -> None:
    place = ("--group", group)
    export = (*place, "--all-topics", "--to-current", "--export", "--dry-run")
    exported = tools.reset(*export).strip()
    assert exported == f"{topic},0,{COMMITTED}"
    plan = tmp_path / "offsets.csv"
    plan.write_text(exported.replace(f",{COMMITTED}", ",8") + "\n")
    from_file = (*place, "--from-file", str(plan))
    assert planned(tools.reset(*from_file, "--dry-run"), group, topic) == [["0", "8"]]
    assert tools.outside.committed(group, topic) == [(COMMITTED, "")]
    tools.reset(*from_file, "--execute")
    assert tools.outside.committed(group, topic) == [(8, "")]


def test_offsets_of_several_groups_are_reset(
    tools: Tools, topic: str, group: str, fresh_name: FreshName
) -> None:
    second = fresh_name("group")
    tools.outside.commit(second, topic, 7, "")
    both = ("--group", group, "--group", second, "--topic", f"{topic}:0")
    done = tools.reset(*both, "--to-earliest", "--execute")
    for name in (group, second):
        assert planned(done, name, topic) == [["0", "0"]]
        assert tools.outside.committed(name, topic) == [(0, "")]


def test_offsets_of_a_live_group_are_not_reset(
    tools: Tools, topic: str, fresh_name: FreshName
) -> None:
    group = fresh_name("group")
    member = Member(tools.outside.member_command("range")(tools.bootstrap, group, topic))
    try:
        eventually(lambda: member.committed, "the member's commit")
        refused = tools.run(
            GROUPS,
            *("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"),
        )
        assert "if the group" in refused
        assert "inactive" in refused
        assert planned(refused, group, topic) == []
    finally:
        member.leave()
    assert tools.outside.committed(group, topic) == [(9, "")]


def test_groups_are_listed_and_described_by_state(tools: Tools, topic: str, group: str) -> None:
    listed = tools.run(GROUPS, "--list", "--state", "Empty").splitlines()
    assert [group, "Empty"] in [line.split() for line in listed]
    assert group not in tools.run(GROUPS, "--list", "--state", "Stable")
    described = tools.run(GROUPS, "--describe", "--group", group, "--offsets")
    columns = next(line.split() for line in described.splitlines() if topic in line)
    assert columns[:6] == [group, topic, "0", "5", "9", "4"]


# -- kafka-get-offsets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("-1", 9),
        ("latest", 9),
        ("-2", 0),
        ("earliest", 0),
        ("-3", 6),
        ("max-timestamp", 6),
        ("-4", 0),
        ("earliest-local", 0),
        (str(NOON_MS + 1), 3),
        (str(NOON_MS + 2 * HOUR_MS), 6),
        (str(NOON_MS + 2 * HOUR_MS + 1), None),
        ("latest-tiered", None),
        ("earliest-pending-upload", None),
    ],
)
def test_offsets_are_shown(tools: Tools, topic: str, time: str, expected: int | None) -> None:
    shown = tools.offsets("--topic", topic, "--time", time)
    assert shown == ([] if expected is None else [f"{topic}:0:{expected}"])


def test_offsets_of_chosen_partitions_are_shown(tools: Tools, fresh_name: FreshName) -> None:
    topic = fresh_name("partitions")
    tools.outside.create_topic(topic, 4)
    tools.outside.produce(topic, [Record(b"x")] * 2, partition=2)
    assert tools.offsets("--topic", topic, "--partitions", "0,2") == [
        f"{topic}:0:0",
        f"{topic}:2:2",
    ]
    chosen = tools.offsets("--topic-partitions", f"{topic}:1-3,no.such:0")
    assert chosen == [f"{topic}:1:0", f"{topic}:2:2"]
    assert f"{topic}:2:2" in tools.offsets("--exclude-internal-topics")
    refused = tools.run(OFFSETS, "--topic", f"{topic}-no", fails=True)
    assert "Could not match any topic-partitions" in refused


# -- kafka-broker-api-versions, kafka-cluster ------------------------------------------------------


def test_versions_are_shown(tools: Tools) -> None:
    shown = tools.run(VERSIONS)
    assert shown.startswith(f"{tools.bootstrap} (id: ")
    ranges = {
        name: (int(key), int(first), int(last))
        for name, key, first, last in re.findall(r"(\w+)\((\d+)\): (\d+)(?: to (\d+))? ", shown)
        if last
    }
    assert ranges["Fetch"][:2] == (1, 4)
    assert ranges["ApiVersions"][0] == 18
    for name in ("Produce", "Metadata", "JoinGroup", "OffsetCommit", "CreateTopics"):
        assert f"{name}(" in shown
        assert ranges[name][1] < ranges[name][2]
    assert "UNKNOWN(" not in shown


def test_the_cluster_is_shown(tools: Tools) -> None:
    shown = tools.run(CLUSTER, "cluster-id")
    assert re.fullmatch(r"Cluster ID: [\w-]{22}\s*", shown)
    assert tools.run(CLUSTER, "cluster-id") == shown
    host, port = tools.bootstrap.split(":")
    header, *endpoints = tools.run(CLUSTER, "list-endpoints").splitlines()
    assert header.split() == ["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"]
    (endpoint,) = [line.split() for line in endpoints if line.strip()]
    assert endpoint[1:] == [host, port, "null", "unfenced", "broker"]


# -- kafka-configs ---------------------------------------------------------------------------------


def broker_id(tools: Tools) -> str:
    (number,) = re.findall(r"\(id: (\d+) ", tools.run(VERSIONS))
    return number


def test_settings_of_the_broker(tools: Tools) -> None:
    place = ("--entity-type", "brokers", "--entity-name", broker_id(tools))
    try:
        tools.run(CONFIGS, "--alter", *place, "--add-config", "log.retention.ms=7200000")
        for part in ("log.retention.ms=7200000 sensitive=false", "DYNAMIC_BROKER_CONFIG:log.ret"):
            eventually(lambda part=part: part in tools.run(CONFIGS, "--describe", *place), part)
    finally:
        tools.run(CONFIGS, "--alter", *place, "--delete-config", "log.retention.ms")
    eventually(lambda: "7200000" not in tools.run(CONFIGS, "--describe", *place), "the default")
    everything = tools.run(CONFIGS, "--describe", *place, "--all")
    assert re.search(r"auto\.create\.topics\.enable=(true|false) sensitive=false", everything)
    refused = tools.run(CONFIGS, "--alter", *place, "--add-config", "log.dirs=/x", fails=True)
    assert "InvalidRequestException" in refused


def test_settings_of_all_brokers_reach_the_topics(tools: Tools, topic: str) -> None:
    place = ("--entity-type", "brokers", "--entity-default")
    of_topic = ("--describe", "--entity-type", "topics", "--entity-name", topic, "--all")
    try:
        tools.run(CONFIGS, "--alter", *place, "--add-config", "message.max.bytes=900000")
        for part in ("max.message.bytes=900000", "DEFAULT_BROKER_CONFIG:message.max.bytes=900000"):
            eventually(lambda part=part: part in tools.run(CONFIGS, *of_topic), part)
        assert "message.max.bytes=900000" in tools.run(CONFIGS, "--describe", *place)
    finally:
        tools.run(CONFIGS, "--alter", *place, "--delete-config", "message.max.bytes")
    default = "max.message.bytes=1048588"
    eventually(lambda: default in tools.run(CONFIGS, *of_topic), default)


def test_settings_of_a_topic_from_a_file_and_bad_ones(
    tools: Tools, topic: str, tmp_path: Path
) -> None:
    place = ("--entity-type", "topics", "--entity-name", topic)
    wanted = tmp_path / "topic.properties"
    wanted.write_text("cleanup.policy=compact,delete\nmax.message.bytes=5000\n")
    tools.run(CONFIGS, "--alter", *place, "--add-config-file", str(wanted))
    described = tools.run(CONFIGS, "--describe", *place)
    assert "cleanup.policy=compact,delete sensitive=false" in described
    assert "DYNAMIC_TOPIC_CONFIG:max.message.bytes=5000" in described
    for bad in ("retention.ms=abc", "cleanup.policy=shred", "no.such.config=1"):
        refused = tools.run(CONFIGS, "--alter", *place, "--add-config", bad, fails=True)
        assert "InvalidConfigurationException" in refused
    nowhere = ("--entity-type", "topics", "--entity-name", f"{topic}-no")
    refused = tools.run(CONFIGS, "--alter", *nowhere, "--add-config", "retention.ms=1", fails=True)
    assert "UnknownTopicOrPartitionException" in refused


def test_settings_of_a_group(tools: Tools, group: str) -> None:
    place = ("--entity-type", "groups", "--entity-name", group)
    wanted = "consumer.session.timeout.ms=50000"
    tools.run(CONFIGS, "--alter", *place, "--add-config", wanted)
    assert f"{wanted} sensitive=false" in tools.run(CONFIGS, "--describe", *place)
    tools.run(CONFIGS, "--alter", *place, "--delete-config", "consumer.session.timeout.ms")
    assert wanted not in tools.run(CONFIGS, "--describe", *place)


# -- performance and verifiable clients ------------------------------------------------------------


def test_performance_is_measured(tools: Tools, fresh_name: FreshName) -> None:
    topic = fresh_name("performance")
    tools.outside.create_topic(topic, 2)
    sizes = ("--num-records", "5000", "--record-size", "200", "--throughput", "-1")
    settings = (f"bootstrap.servers={tools.bootstrap}", "compression.type=lz4")
    wanted = ("--topic", topic, *sizes, "--command-property", *settings)
    told = tools.runner.run(f"{KAFKA_TOOLS}.ProducerPerformance", *wanted)
    assert re.search(r"(?m)^5000 records sent, [\d.]+ records/sec .* 99th, ", told)
    ends = [tools.outside.watermarks(topic, partition)[1] for partition in range(2)]
    assert sum(ends) == 5000
    wanted = ("--topic", topic, "--num-records", "5000")
    header, *_, numbers = tools.run(f"{KAFKA_TOOLS}.ConsumerPerformance", *wanted).splitlines()
    consumed = dict(zip(header.split(", "), numbers.split(", "), strict=True))
    assert consumed["data.consumed.in.nMsg"] == "5000"


def test_latency_from_end_to_end_is_measured(tools: Tools, topic: str) -> None:
    sizes = ("--num-records", "50", "--record-size", "20", "--producer-acks", "all")
    told = tools.run(f"{KAFKA_TOOLS}.EndToEndLatency", "--topic", topic, *sizes)
    assert re.search(r"Avg latency: [\d.]+ ms\s+Percentiles: 50th = \d+, 99th = \d+", told)
    assert tools.outside.watermarks(topic)[1] == 9 + 50


def own_jvm(tools: Tools, main_class: str, *arguments: str) -> list[dict[str, object]]:
    """These report on shutdown, so each needs a JVM that ends; a line is a JSON object."""
    done = subprocess.run(
        java_command(main_class, "--bootstrap-server", tools.bootstrap, *arguments),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_verifiable_clients_agree(tools: Tools, fresh_name: FreshName) -> None:
    topic = fresh_name("verifiable")
    tools.outside.create_topic(topic, 2)
    count = ("--topic", topic, "--max-messages", "300")
    produced = own_jvm(tools, f"{KAFKA_TOOLS}.VerifiableProducer", *count, "--acks", "-1")
    sent = [event for event in produced if event["name"] == "producer_send_success"]
    (summary,) = [event for event in produced if event["name"] == "tool_data"]
    assert (summary["sent"], summary["acked"]) == (300, 300)
    group = ("--group-id", fresh_name("group"), "--reset-policy", "earliest", "--verbose")
    consumed = own_jvm(tools, f"{KAFKA_TOOLS}.VerifiableConsumer", *count, *group)
    read = [event for event in consumed if event["name"] == "record_data"]

    def places(events: list[dict[str, object]]) -> set[tuple[object, ...]]:
        return {(event["partition"], event["offset"], event["value"]) for event in events}

    assert len(sent) == 300
    assert places(read) == places(sent)
    commits = [event for event in consumed if event["name"] == "offsets_committed"]
    assert commits
    assert all(event["success"] for event in commits)


def test_the_client_compatibility_test_succeeds(tools: Tools, topic: str) -> None:
    has_acls = "DescribeAcls(29): UNSUPPORTED" not in tools.run(VERSIONS)
    expected = {
        "num-cluster-nodes": "1",
        "offsets-for-times-supported": "true",
        "cluster-id-supported": "true",
        "expect-record-too-large-exception": "false",
        "create-topics-supported": "true",
        "describe-acls-supported": str(has_acls).lower(),
        "describe-configs-supported": "true",
        "idempotent-producer-supported": "true",
    }
    options = [word for name, value in expected.items() for word in (f"--{name}", value)]
    its_own = "newtopic"  # it creates it, and counts on it being new
    if its_own in tools.outside.topics():
        tools.outside.delete_topic(its_own)
        eventually(lambda: its_own not in tools.outside.topics(), "its topic is gone")
    fresh = f"{topic}-fresh"
    tools.outside.create_topic(fresh)
    told = tools.run(f"{KAFKA_TOOLS}.ClientCompatibilityTest", "--topic", fresh, *options)
    assert "SUCCESS." in told
