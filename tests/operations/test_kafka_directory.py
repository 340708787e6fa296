"""What there is to import, and what stands in the way."""

from __future__ import annotations

import pytest

from godel.clock import Randomness
from godel.operations.kafka_directory import KafkaData, NotImportable, read_kafka_directories
from godel.storage.data_directory import DataDirectoryError
from godel.storage.memory_files import MemoryFiles
from godel.types import TopicPartition
from tests.operations.kafka import (
    CLUSTER_ID,
    NODE_ID,
    PATH,
    QUORUM,
    quorum_batch,
    topic_records,
    write_kafka,
    write_partition,
)
from tests.storage.harness import put

OTHER = "other"


@pytest.fixture
def files() -> MemoryFiles:
    files = MemoryFiles()
    write_kafka(files)
    return files


def read(files: MemoryFiles, *paths: str) -> KafkaData:
    return read_kafka_directories(files, paths or (PATH,), Randomness(1))


def notes(data: KafkaData) -> list[str]:
    return [f"{finding.path}: {finding.what}" for finding in data.findings]


def test_everything_is_found(files: MemoryFiles) -> None:
    data = read(files)
    assert (data.cluster_id, data.node_id, data.has_quorum) == (CLUSTER_ID, NODE_ID, True)
    assert sorted(map(str, data.sources)) == ["c-0", "t-0", "t-1"]
    assert data.sources[TopicPartition("t", 1)].log_start_offset == 7
    assert notes(data) == []


def test_without_the_quorum_topics_are_what_the_folders_say(files: MemoryFiles) -> None:
    files.remove_folder(QUORUM)
    files.remove(f"{PATH}/c-0/partition.metadata")
    put(files, f"{PATH}/meta.properties", b"version=0\nbroker.id=0\ncluster.id=a\\=b\n")
    data = read(files)
    assert (data.cluster_id, data.node_id, data.has_quorum) == ("a=b", 0, False)
    topics = {topic.name: len(topic.partitions) for topic in data.metadata.topics.values()}
    assert topics == {"c": 1, "t": 2}
    (what,) = notes(data)
    assert "all topics have the broker's settings" in what


def test_folders_of_no_topic_are_left_out(files: MemoryFiles) -> None:
    files.make_folder(f"{PATH}/t-0.{'0' * 32}-delete")
    files.make_folder(f"{PATH}/nobodys-0")
    write_partition(files, "u", path=PATH)
    files.replace(f"{PATH}/t-1", f"{PATH}/kept-aside")
    files.replace(f"{PATH}/u-0", f"{PATH}/t-1")
    data = read(files)
    assert sorted(map(str, data.sources)) == ["c-0", "t-0"]
    told = "\n".join(notes(data))
    assert "-delete: a folder of no partition" in told
    assert "nobodys-0: of no topic that exists" in told
    assert "t-1: of an earlier topic of this name" in told
    assert "t-1: has no folder: the partition begins empty" in told


def test_partitions_may_lie_in_several_directories(files: MemoryFiles) -> None:
    files.make_folder(OTHER)
    write_partition(files, "t", 1, path=OTHER)
    with pytest.raises(NotImportable, match="are the same partition"):
        read(files, PATH, OTHER)
    files.remove_folder(f"{PATH}/t-1")
    assert read(files, PATH, OTHER).sources[TopicPartition("t", 1)].folder == f"{OTHER}/t-1"


def test_partitions_on_other_nodes_are_asked_for(files: MemoryFiles) -> None:
    values = topic_records("elsewhere", 1, replicas=(8, 9))
    put(files, f"{QUORUM}/{100:020d}.log", quorum_batch(values, 100))
    with pytest.raises(NotImportable, match="elsewhere-0 is on the nodes 8, 9 and not here"):
        read(files)


def test_without_the_quorum_a_missing_partition_is_asked_for(files: MemoryFiles) -> None:
    files.remove_folder(QUORUM)
    files.remove_folder(f"{PATH}/t-0")
    with pytest.raises(NotImportable, match="t-0 is not here"):
        read(files)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("godel.json", b"{}", "godel-broker backup"),
        ("meta.properties", b"node.id=one\n", "'one' is not the id of a node"),
        ("log-start-offset-checkpoint", b"0\n5\n", "not a whole checkpoint"),
        ("t-0/partition.metadata", b"version: 0\ntopic_id: ?\n", "remove the file"),
        ("__cluster_metadata-0/00000000000000000000.log", b"?" * 61 + quorum_batch([b"?"]), "move"),
    ],
)
def test_what_is_damaged_or_foreign_is_said(
    files: MemoryFiles, name: str, content: bytes, told: str
) -> None:
    put(files, f"{PATH}/{name}", content)
    with pytest.raises(DataDirectoryError, match=told):
        read(files)


def test_a_folder_without_partitions(files: MemoryFiles) -> None:
    files.make_folder("empty")
    with pytest.raises(NotImportable, match="empty holds no partitions of Apache Kafka"):
        read(files, "empty")


def test_directories_of_two_clusters(files: MemoryFiles) -> None:
    files.make_folder(OTHER)
    put(files, f"{OTHER}/meta.properties", b"version=1\ncluster.id=theirs\nnode.id=1\n")
    with pytest.raises(NotImportable, match="different clusters"):
        read(files, PATH, OTHER)
