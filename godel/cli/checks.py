"""The checks of `godel doctor`, in the order in which one thing rests on another."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from godel.cli.api import spoken
from godel.cli.dialling import ADVERTISE, dial, is_loopback, judge, judge_fenced, misleading
from godel.cli.exits import explained
from godel.cli.findings import Finding, Grade
from godel.cli.output import size
from godel.cli.scratch import scratch_topic
from godel.cli.times import format_duration
from godel.client.brokers import (
    LogDirectory,
    Node,
    api_versions,
    describe_cluster,
    fenced_brokers,
    log_directories,
)
from godel.client.brokers import nodes as nodes_of
from godel.client.cluster import Cluster, error_code
from godel.client.configs import Kind, Resource, describe_configs
from godel.client.connection import Address, ConnectionFailed, UnsupportedApi
from godel.client.fetching import Reader
from godel.client.outcomes import NotFound
from godel.client.producing import open_producer
from godel.client.topics import all_topics, missing_replicas
from godel.errors import ApiError, CorruptBatch
from godel.records.builder import NewRecord
from godel.types import TopicPartition

ESSENTIAL = {0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 19: "CreateTopics"}
TIGHT, LOW = 0.05, 0.15
"""Parts of a volume that are still free: below these it is a problem, a warning."""
DRIFT_MS, WRONG_MS = 1_000, 3_600_000
"""Clocks apart: a warning; a problem, for brokers refuse records from so far in the future."""
CLIENTS_BATCH_BYTES = 1_048_576
"""max.request.size of producers, unless they set it."""
ENOUGH_FILES = 4_096
COORDINATOR_MS = 10_000
MOST_PARTITIONS = 32
"""Of the scratch topic, which is to have one on every broker."""


@dataclass(slots=True)
class Examination:
    """What the checks work with, and learn on the way."""

    cluster: Cluster
    scratch: bool
    cluster_id: str | None = None
    nodes: list[Node] = field(default_factory=list)
    reached: list[Node] = field(default_factory=list)
    """Those whose advertised address answers."""


Check = Callable[[Examination], AsyncIterator[Finding]]


async def examine(examination: Examination) -> AsyncIterator[Finding]:
    """Everything, as it is found. Where no broker answers there is no more to find."""
    reached = False
    async for finding in check_bootstrap(examination):
        reached = reached or finding.grade in (Grade.OK, Grade.WARNING)
        yield finding
    if not reached:
        return
    for name, check in CHECKS.items():
        if name in ON_BROKERS and not examination.reached:
            yield Finding(name, Grade.SKIPPED, "no advertised address leads to a broker")
            continue
        try:
            async for finding in check(examination):
                yield finding
        except UnsupportedApi as error:
            yield Finding(name, Grade.SKIPPED, str(error))
        except (ApiError, ConnectionFailed, CorruptBatch, NotFound) as error:
            what, hint, _ = explained(error)
            yield Finding(name, Grade.PROBLEM, what, hint)


async def check_bootstrap(examination: Examination) -> AsyncIterator[Finding]:
    """What the person named."""
    for address in examination.cluster.bootstrap:
        dialled = await dial(examination.cluster, address)
        yield judge("bootstrap", "", dialled, None)


async def check_cluster(examination: Examination) -> AsyncIterator[Finding]:
    metadata = await describe_cluster(examination.cluster)
    examination.cluster_id = metadata.cluster_id
    examination.nodes = nodes_of(metadata)
    what = f"cluster {metadata.cluster_id}: {_count(len(examination.nodes), 'broker')}, "
    controller = metadata.controller_id
    if controller < 0:
        advice = "topics cannot be changed until the controllers elect one: look into their logs"
        yield Finding("cluster", Grade.PROBLEM, f"{what}and no controller", advice)
    elif any(node.is_controller for node in examination.nodes):
        yield Finding("cluster", Grade.OK, f"{what}the controller is broker {controller}")
    else:
        yield Finding("cluster", Grade.OK, f"{what}the controller is node {controller}, no broker")


async def check_advertised(examination: Examination) -> AsyncIterator[Finding]:
    """Every address that clients are told to use."""
    seen: dict[Address, int] = {}
    for node in examination.nodes:
        address, who = Address(node.host, node.port), f"broker {node.id} at "
        if address in seen:
            what = f"{who}{address}: broker {seen[address]} advertises the same address"
            yield Finding("advertised", Grade.PROBLEM, what, ADVERTISE)
        seen[address] = node.id
        dialled = await dial(examination.cluster, address)
        if dialled.answers:
            examination.reached.append(node)
        wrong = misleading(node.host, list(examination.cluster.bootstrap))
        if wrong is not None:
            yield Finding("advertised", Grade.PROBLEM, f"{who}{address} {wrong}", ADVERTISE)
        else:
            yield judge("advertised", who, dialled, examination.cluster_id)
    for node in await fenced_brokers(examination.cluster):
        dialled = await dial(examination.cluster, Address(node.host, node.port))
        yield judge_fenced(node.id, dialled)


async def check_versions(examination: Examination) -> AsyncIterator[Finding]:
    """Which versions of the protocol are spoken on both sides."""
    ours = {key: kind.VERSIONS for key, kind in spoken().items()}
    offers: dict[int, dict[int, tuple[int, int]]] = {}
    for node in examination.reached:
        answer = await api_versions(examination.cluster, node.id)
        theirs = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
        shared = {
            key
            for key in theirs.keys() & ours
            if max(theirs[key][0], ours[key][0]) <= min(theirs[key][1], ours[key][1])
        }
        offers[node.id] = theirs
        missing = [name for key, name in ESSENTIAL.items() if key not in shared]
        what = f"broker {node.id} offers {len(theirs)} APIs, {len(shared)} of them are spoken here"
        if missing:
            what += f", and not {', '.join(missing)}"
            advice = "this is no broker of Kafka 0.11 or later"
            yield Finding("versions", Grade.PROBLEM, what, advice)
        else:
            yield Finding("versions", Grade.OK, what)
    if any(each != next(iter(offers.values())) for each in offers.values()):
        what = "brokers offer different versions"
        advice = "finish the upgrade; until then clients use what all brokers know"
        yield Finding("versions", Grade.WARNING, what, advice)


async def check_disk(examination: Examination) -> AsyncIterator[Finding]:
    """Log directories: offline ones, and how much is free."""
    for node in examination.reached:
        for directory in await log_directories(examination.cluster, node.id):
            yield _judge_directory(node, directory)


def _judge_directory(node: Node, directory: LogDirectory) -> Finding:
    where = f"broker {node.id}, {directory.path}"
    if directory.error_code:
        what = f"{where}: {error_code(directory.error_code).name}"
        advice = "its partitions are offline: look into the broker's log, repair or replace it"
        return Finding("disk", Grade.PROBLEM, what, advice)
    if directory.total_bytes <= 0 or directory.usable_bytes < 0:
        return Finding("disk", Grade.SKIPPED, f"{where}: the broker does not tell how much is free")
    free = directory.usable_bytes / directory.total_bytes
    what = f"{where}: {size(directory.usable_bytes)} free of {size(directory.total_bytes)}"
    advice = "free space, lower retention.ms or retention.bytes, or add a disk"
    if free < TIGHT:
        return Finding("disk", Grade.PROBLEM, f"{what}: writes will soon be refused", advice)
    if free < LOW:
        return Finding("disk", Grade.WARNING, what, advice)
    return Finding("disk", Grade.OK, what)


async def check_limits(examination: Examination) -> AsyncIterator[Finding]:
    """How large messages may be, and how many files may be open on this machine."""
    names = ["message.max.bytes", "socket.request.max.bytes"]
    for node in examination.reached:
        broker = Resource(Kind.BROKER, str(node.id))
        found = await describe_configs(examination.cluster, broker, names)
        limits = {each.name: int(each.value) for each in found if each.value}
        yield _judge_sizes(node, limits)
    if any(is_loopback(node.host) for node in examination.reached):
        yield _judge_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _judge_sizes(node: Node, limits: dict[str, int]) -> Finding:
    batch, request = limits.get("message.max.bytes"), limits.get("socket.request.max.bytes")
    if batch is None:
        return Finding("limits", Grade.SKIPPED, f"broker {node.id} does not tell message.max.bytes")
    what = f"broker {node.id} takes batches of up to {batch:,} bytes (message.max.bytes)"
    if request is not None and batch > request:
        what += f", but requests of {request:,} only (socket.request.max.bytes)"
        return Finding("limits", Grade.PROBLEM, what, "raise socket.request.max.bytes above it")
    if batch < CLIENTS_BATCH_BYTES:
        advice = f"producers send up to {CLIENTS_BATCH_BYTES:,} unless max.request.size is lower"
        return Finding("limits", Grade.WARNING, what, advice)
    return Finding("limits", Grade.OK, what)


def _judge_files(soft: int) -> Finding:
    if soft != resource.RLIM_INFINITY and soft < ENOUGH_FILES:
        what = f"a process of this shell may open {soft:,} files"
        advice = "a broker keeps one and more for each segment: `ulimit -n 65536` before it starts"
        return Finding("limits", Grade.WARNING, what, advice)
    shown = "any number of" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    return Finding("limits", Grade.OK, f"a process of this shell may open {shown} files")


async def check_topics(examination: Examination) -> AsyncIterator[Finding]:
    """Partitions that nobody leads, or that lack replicas."""
    topics = await all_topics(examination.cluster)
    dead = {
        f"{topic.name} {partition.partition_index}": partition.replica_nodes
        for topic in topics
        for partition in topic.partitions
        if partition.leader_id < 0
    }
    behind = {
        f"{topic.name} {partition.partition_index}": missing_replicas(partition)
        for topic in topics
        for partition in topic.partitions
        if partition.leader_id >= 0 and missing_replicas(partition)
    }
    present = {node.id for node in examination.nodes}
    if dead:
        what = f"{_count(len(dead), 'partition')} without a leader: {_some(list(dead))}"
        advice = f"bring back {_brokers(dead.values())}, or the log directories there"
        yield Finding("topics", Grade.PROBLEM, what, advice)
    if behind:
        what = f"{_count(len(behind), 'partition')} with too few replicas in sync"
        what = f"{what}: {_some(list(behind))}; {_brokers(behind.values())} should have them"
        is_gone = not present.issuperset(set().union(*behind.values()))
        advice = "a broker is down: start it" if is_gone else "it cannot keep up: look into its log"
        yield Finding("topics", Grade.WARNING, what, advice)
    if not dead and not behind:
        partitions = sum(len(topic.partitions) for topic in topics)
        what = f"{_count(len(topics), 'topic')}, {_count(partitions, 'partition')}, all in order"
        yield Finding("topics", Grade.OK, what)


async def check_round_trip(examination: Examination) -> AsyncIterator[Finding]:
    """Create, write, read and delete; the broker's clock is the time that it gives the records."""
    if not examination.scratch:
        yield Finding("round trip", Grade.SKIPPED, "no topic was to be made (--no-scratch)")
        return
    cluster, clock = examination.cluster, examination.cluster.clock
    partitions = min(max(len(examination.nodes), 1), MOST_PARTITIONS)
    settings = {"message.timestamp.type": "LogAppendTime"}
    began_ms = clock.monotonic_ms()
    async with scratch_topic(cluster, "doctor", partitions=partitions, configs=settings) as topic:
        places = [TopicPartition(topic, index) for index in range(partitions)]
        sent: dict[TopicPartition, tuple[bytes, int, int]] = {}
        producer = await open_producer(cluster, topic)
        for where in places:
            value = cluster.randomness.uuid_bytes()
            before_ms = clock.now_ms()
            await producer.add(NewRecord(b"doctor", value), where.partition)
            await producer.flush()
            sent[where] = value, before_ms, clock.now_ms()
        if producer.rejected:
            raise producer.rejected[0].error
        for where, (read, stamp_ms) in (await _read_back(cluster, places)).items():
            written, before_ms, after_ms = sent[where]
            if read != written:
                what = f"partition {where.partition}: what was read is not what was written"
                yield Finding("round trip", Grade.PROBLEM, what, "this is a bug: report it")
            who = f"broker {await cluster.leader(where)}"
            yield judge_clock(who, stamp_ms, before_ms, after_ms)
    took = format_duration(clock.monotonic_ms() - began_ms)
    what = f"a topic was created, written, read and deleted in {took}"
    yield Finding("round trip", Grade.OK, what)


async def _read_back(
    cluster: Cluster, places: list[TopicPartition]
) -> dict[TopicPartition, tuple[bytes | None, int]]:
    """The first record of each partition: its value and the time that the broker gave it."""
    reader = Reader(cluster, dict.fromkeys(places, 0))
    found: dict[TopicPartition, tuple[bytes | None, int]] = {}
    deadline_ms = cluster.clock.monotonic_ms() + cluster.timeout_ms
    while len(found) < len(places):
        for batch in await reader.poll():
            for record in batch.records():
                found.setdefault(batch.partition, (record.value, record.timestamp))
        if len(found) < len(places) and cluster.clock.monotonic_ms() > deadline_ms:
            raise ConnectionFailed(cluster.bootstrap[0], "what was written cannot be read")
    return found


def judge_clock(who: str, stamp_ms: int, before_ms: int, after_ms: int) -> Finding:
    """A broker's clock by the time that it gave a record which was sent between two of ours."""
    apart_ms = min(stamp_ms - before_ms, 0) or max(stamp_ms - after_ms, 0)
    if abs(apart_ms) <= DRIFT_MS:
        within = max(abs(apart_ms), after_ms - before_ms, 1)
        return Finding("clock", Grade.OK, f"the clock of {who} is ours, within {within} ms")
    way = "ahead of" if apart_ms > 0 else "behind"
    what = f"the clock of {who} is {format_duration(abs(apart_ms))} {way} ours"
    advice = "set both by NTP: retention and look-ups by time go wrong"
    if abs(apart_ms) < WRONG_MS:
        return Finding("clock", Grade.WARNING, what, advice)
    return Finding("clock", Grade.PROBLEM, what, f"{advice}, and records may be refused")


async def check_groups(examination: Examination) -> AsyncIterator[Finding]:
    """Whether groups have a coordinator; the first question makes `__consumer_offsets`."""
    if not examination.scratch:
        yield Finding("groups", Grade.SKIPPED, "asking may make a topic (--no-scratch)")
        return
    cluster = examination.cluster
    try:
        await cluster.retried(lambda: cluster.coordinator("doctor"), patience_ms=COORDINATOR_MS)
    except ApiError as error:
        advice = (
            "__consumer_offsets must have its partitions: with fewer than three brokers set "
            "offsets.topic.replication.factor to their number"
        )
        yield Finding("groups", Grade.PROBLEM, explained(error)[0], advice)
    else:
        yield Finding("groups", Grade.OK, "groups have a coordinator")


CHECKS: dict[str, Check] = {
    "cluster": check_cluster,
    "advertised": check_advertised,
    "versions": check_versions,
    "disk": check_disk,
    "limits": check_limits,
    "topics": check_topics,
    "round trip": check_round_trip,
    "groups": check_groups,
}
ON_BROKERS = frozenset({"versions", "disk", "limits", "round trip", "groups"})
"""The checks that go to the brokers under their advertised addresses."""


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def _brokers(ids: Iterable[Iterable[int]]) -> str:
    """Every broker that is named, once."""
    numbers = sorted(set().union(*ids))
    return f"broker{'s' if len(numbers) > 1 else ''} {_some(list(map(str, numbers)))}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
