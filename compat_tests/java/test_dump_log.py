"""kafka-dump-log reads our data directory: what Kafka's own files say of themselves, ours say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from compat_tests.brokers import Broker, BrokerProcess
from compat_tests.client import Record
from compat_tests.java.runner import ToolRunner, need_kafkas_jars
from compat_tests.requirements import need_module
from compat_tests.suite import NOON_MS
from godel.records.transactions import AbortedTransaction
from godel.storage.real_files import RealFiles
from godel.storage.transaction_index import TransactionIndex

need_kafkas_jars()
need_module("kafka")

from compat_tests.kafka_python.client import KafkaPython

GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
DUMP = "org.apache.kafka.tools.DumpLogSegments"
RESET = ("--reset-offsets", "--to-offset", "17", "--execute")
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SEGMENT = f"{0:020d}"


class Stopped(NamedTuple):
    """A partition's directory after a clean stop, and a group that committed in it."""

    data: Path
    topic: str
    group: str

    def file(self, suffix: str) -> Path:
        return self.data / f"{self.topic}-0" / f"{SEGMENT}.{suffix}"


@pytest.fixture(scope="module")
def runner() -> Iterator[ToolRunner]:
    runner = ToolRunner()
    yield runner
    runner.end()


@pytest.fixture(scope="module")
def stopped(running_broker: Broker, runner: ToolRunner) -> Iterator[Stopped]:
    if not isinstance(running_broker, BrokerProcess):
        pytest.skip("the broker's data is not ours to read (GODEL_COMPAT_BOOTSTRAP)")
    client = KafkaPython(running_broker.bootstrap)
    topic, group = "dumped", "dump-group"
    # The records are from 2023: the cleaner of a broker that has run a while would take them.
    client.create_topic(topic, configs={"index.interval.bytes": "1000", "retention.ms": "-1"})
    for number, codec in enumerate(CODECS):
        records = [
            Record(b"value %d " % i * 30, b"key %d" % i, (("h", b"1"),), NOON_MS + number)
            for i in range(100)
        ]
        client.produce(topic, records, codec=codec, idempotent=codec == "zstd")
    client.commit(group, topic, 5, "page 3")
    place = ("--bootstrap-server", running_broker.bootstrap, "--group", group, "--topic", topic)
    runner.run(GROUPS, *RESET, *place)
    running_broker.stop()
    yield Stopped(running_broker.log.parent / "data", topic, group)
    running_broker.start()


@pytest.fixture
def dump(runner: ToolRunner) -> Callable[..., list[str]]:
    def dump(file: Path, *arguments: str) -> list[str]:
        shown = runner.run(DUMP, "--files", str(file), *arguments).splitlines()
        assert shown[0] == f"Dumping {file}"
        return shown[1:]

    return dump


Dump = Callable[..., list[str]]


def test_every_record_of_the_log_is_shown(stopped: Stopped, dump: Dump) -> None:
    shown = dump(stopped.file("log"), "--deep-iteration", "--print-data-log")
    assert shown[0] == "Log starting offset: 0"
    batches = [line for line in shown if line.startswith("baseOffset: ")]
    assert all("isvalid: true" in batch and "magic: 2" in batch for batch in batches)
    codecs = [codec for batch in batches for codec in re.findall(r"compresscodec: (\w+)", batch)]
    assert sorted(set(codecs)) == sorted(CODECS)
    records = [line for line in shown if line.startswith("| offset: ")]
    assert [int(line.split()[2]) for line in records] == list(range(500))
    number = 137
    assert f"CreateTime: {NOON_MS + 1} " in records[number]
    assert "headerKeys: [h] key: key 37 payload: value 37 value 37" in records[number]
    assert "sequence: 37 " in records[437]


def test_the_offset_index_points_into_the_log(stopped: Stopped, dump: Dump) -> None:
    index = stopped.file("index")
    assert dump(index, "--index-sanity-check") == [f"{index} passed sanity check."]
    shown = dump(index)
    for line in [*shown, *dump(index, "--verify-index-only")]:
        assert "mismatch" not in line.lower()
    entries = [tuple(map(int, re.findall(r"\d+", line))) for line in shown if "position" in line]
    ends_of_batches = {
        (int(last), int(position))
        for last, position in re.findall(
            r"lastOffset: (\d+) .* position: (\d+) ", "\n".join(dump(stopped.file("log")))
        )
    }
    assert len(entries) > 2
    assert set(entries) <= ends_of_batches


def test_the_time_index_is_sane(stopped: Stopped, dump: Dump) -> None:
    index = stopped.file("timeindex")
    assert dump(index, "--index-sanity-check") == [f"{index} passed sanity check."]
    shown = dump(index)
    entries = [tuple(map(int, re.findall(r"\d+", line))) for line in shown if "offset" in line]
    assert all(line.startswith("timestamp: ") for line in shown), shown
    assert entries == sorted(entries)
    latest_ms, offset = entries[-1]
    assert latest_ms == NOON_MS + len(CODECS) - 1
    assert 400 <= offset < 500


def test_the_producers_are_in_the_snapshot(stopped: Stopped, dump: Dump) -> None:
    (snapshot,) = (stopped.data / f"{stopped.topic}-0").glob("*.snapshot")
    assert snapshot.stem == f"{500:020d}"
    # One line for each of its last batches; how many the client made of its records is its own.
    batches = dump(snapshot)
    producers = [re.match(r"producerId: \d+ producerEpoch: 0 ", batch) for batch in batches]
    assert all(producers)
    assert len({producer[0] for producer in producers if producer}) == 1
    assert "firstSequence: 0 " in batches[0]
    assert "lastSequence: 99 lastOffset: 499 offsetDelta: " in batches[-1]


def test_the_transaction_index_is_read(dump: Dump, tmp_path: Path) -> None:
    files = RealFiles()
    index = TransactionIndex(files.open(str(tmp_path / f"{SEGMENT}.txnindex")))
    index.append(AbortedTransaction(4000, 7, 19, 20))
    index.append(AbortedTransaction(4001, 3, 2**40, 2**40 + 1))
    assert dump(tmp_path / f"{SEGMENT}.txnindex") == [
        "version: 0 producerId: 4000 firstOffset: 7 lastOffset: 19 lastStableOffset: 20",
        "version: 0 producerId: 4001 firstOffset: 3 lastOffset: 1099511627776 "
        "lastStableOffset: 1099511627777",
    ]


def test_offsets_and_groups_are_decoded(stopped: Stopped, dump: Dump) -> None:
    shown = [
        line
        for log in stopped.data.glob(f"__consumer_offsets-*/{SEGMENT}.log")
        if log.stat().st_size
        for line in dump(log, "--offsets-decoder")
    ]
    mine = [line for line in shown if f'"group":"{stopped.group}"' in line]
    place = f'{{"group":"{stopped.group}","topic":"{stopped.topic}","partition":0}}'
    commits = [line for line in mine if f'key: {{"type":"1","data":{place}}}' in line]
    assert re.search(r'"offset":5,.*"metadata":"page 3"', commits[0])
    assert '"offset":17' in commits[-1]
    assert len(commits) == 2
    assert not any("Error" in line or "unknown" in line.lower() for line in mine)


def test_the_leader_epoch_is_written_down(stopped: Stopped, dump: Dump) -> None:
    checkpoint = stopped.data / f"{stopped.topic}-0" / "leader-epoch-checkpoint"
    version, count, entry = checkpoint.read_text().splitlines()
    epoch, start = entry.split()  # an epoch for each time that the broker was killed
    assert (version, count, start) == ("0", "1", "0")
    shown = [line for line in dump(stopped.file("log")) if "baseOffset" in line]
    assert shown
    assert all(f"partitionLeaderEpoch: {epoch} " in line for line in shown)
