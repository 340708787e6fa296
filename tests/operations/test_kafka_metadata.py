"""The quorum's log, replayed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from godel.operations.kafka_metadata import (
    KafkaMetadata,
    KafkaPartition,
    UnreadableMetadata,
    read_kafka_metadata,
)
from godel.protocol.messages.cluster_metadata import (
    ABORT_TRANSACTION,
    BEGIN_TRANSACTION,
    END_TRANSACTION,
    ConfigRecord,
    PartitionChangeRecord,
    RemoveTopicRecord,
)
from godel.storage.memory_files import MemoryFiles
from tests.operations.kafka import (
    QUORUM,
    config_records,
    frame,
    framed,
    quorum_batch,
    quota_record,
    topic_id,
    topic_records,
)
from tests.storage.harness import put

LOG = f"{QUORUM}/{0:020d}.log"


@pytest.fixture
def files() -> MemoryFiles:
    files = MemoryFiles()
    files.make_folder(QUORUM)
    return files


def replayed(files: MemoryFiles, *batches: Sequence[bytes]) -> KafkaMetadata:
    data, offset = b"", 0
    for values in batches:
        data += quorum_batch(values, offset)
        offset += len(values)
    put(files, LOG, data)
    return read_kafka_metadata(files, QUORUM)


def names(metadata: KafkaMetadata) -> list[str]:
    return sorted(topic.name for topic in metadata.topics.values())


def test_topics_are_made_and_deleted(files: MemoryFiles) -> None:
    gone = frame(RemoveTopicRecord(topic_id=topic_id("gone")))
    found = replayed(
        files,
        [*topic_records("kept", 2), *topic_records("gone", 1)],
        [*config_records("gone", {"retention.ms": "1"}), gone],
    )
    assert names(found) == ["kept"]
    assert found.topics[topic_id("kept")].partitions == {
        0: KafkaPartition(3, (5,)),
        1: KafkaPartition(3, (5,)),
    }
    assert found.configs == {}


def test_a_new_leader_is_a_new_epoch_and_replicas_move(files: MemoryFiles) -> None:
    changes = [
        PartitionChangeRecord(partition_id=0, topic_id=topic_id("t"), leader=6),
        PartitionChangeRecord(partition_id=0, topic_id=topic_id("t"), replicas=[6, 7]),
    ]
    found = replayed(files, topic_records("t", 1), [frame(change) for change in changes])
    assert found.topics[topic_id("t")].partitions[0] == KafkaPartition(4, (6, 7))


def test_settings_are_set_and_taken_back(files: MemoryFiles) -> None:
    back = ConfigRecord(resource_type=2, resource_name="t", name="a", value=None)
    found = replayed(files, [*config_records("t", {"a": "1", "b": "2"}), frame(back)])
    assert found.configs == {"t": {"b": "2"}}


def test_quotas_are_set_and_taken_back(files: MemoryFiles) -> None:
    found = replayed(
        files,
        [
            quota_record("a", 1.0, user=None),
            quota_record("b", 2.5, user=None),
            quota_record("a", 0.0, user=None, remove=True),
        ],
    )
    assert found.client_quotas == {(("user", None),): {"b": 2.5}}


def test_what_is_left_out_is_counted_and_the_rest_passed_over(files: MemoryFiles) -> None:
    found = replayed(files, [framed(18, b"?"), framed(18, b"?"), framed(11), framed(27, b"new")])
    assert found.left_out == {"ACLs": 2, "users": 1}


def test_the_newest_snapshot_and_what_follows_it(files: MemoryFiles) -> None:
    for offset, name in ((4, "old"), (9, "new")):
        snapshot = f"{QUORUM}/{offset:020d}-0000000001.checkpoint"
        put(files, snapshot, quorum_batch(topic_records(name, 1)))
    before = topic_records("before", 8)
    assert len(before) == 9
    assert names(replayed(files, before, topic_records("after", 1))) == ["after", "new"]


def test_an_aborted_transaction_does_not_count(files: MemoryFiles) -> None:
    def bracket(name: str, *end: bytes) -> list[bytes]:
        return [framed(BEGIN_TRANSACTION, bytes(1)), *topic_records(name, 1), *end]

    found = replayed(
        files,
        bracket("done", framed(END_TRANSACTION)),
        bracket("aborted", framed(ABORT_TRANSACTION)),
        topic_records("plain", 1),
        bracket("unfinished"),
    )
    assert names(found) == ["done", "plain"]


def test_a_transaction_may_go_on_in_the_next_segment(files: MemoryFiles) -> None:
    put(files, LOG, quorum_batch([framed(BEGIN_TRANSACTION, bytes(1)), *topic_records("t", 1)]))
    put(files, f"{QUORUM}/{3:020d}.log", quorum_batch([framed(END_TRANSACTION)], 3))
    assert names(read_kafka_metadata(files, QUORUM)) == ["t"]


def test_a_torn_end_is_no_part_of_it(files: MemoryFiles) -> None:
    put(files, LOG, quorum_batch(topic_records("t", 1)) + quorum_batch(topic_records("u", 1))[:-3])
    assert names(read_kafka_metadata(files, QUORUM)) == ["t"]


@pytest.mark.parametrize(
    "data",
    [
        b"?" * 30 + quorum_batch(topic_records("t", 1)),
        quorum_batch([b"\x02\x02\x00"]),
        quorum_batch([framed(2, b"\x09")]),
        quorum_batch([framed(2, b"", version=99)]),
        quorum_batch([b"\x01"]),
    ],
    ids=["damage before a batch", "frame version", "body", "record version", "cut off"],
)
def test_what_is_not_understood_is_refused(files: MemoryFiles, data: bytes) -> None:
    put(files, LOG, data)
    with pytest.raises(UnreadableMetadata, match="__cluster_metadata-0"):
        read_kafka_metadata(files, QUORUM)
