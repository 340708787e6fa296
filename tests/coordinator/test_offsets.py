"""Committed offsets and their age."""

from __future__ import annotations

from godel.coordinator.offsets import INT64_MAX, CommittedOffsets, commit_record, tombstone
from godel.protocol.messages.offset_commit import OffsetCommitRequestPartition
from godel.types import TopicPartition


def committed(
    offsets: CommittedOffsets, group: str, topic: str, offset: int, *, retention_ms: int = -1
) -> None:
    partition = OffsetCommitRequestPartition(
        partition_index=0, committed_offset=offset, committed_metadata=None
    )
    offsets.apply(
        commit_record(group, topic, partition, now_ms=100, retention_time_ms=retention_ms)
    )


def test_the_last_commit_counts() -> None:
    offsets = CommittedOffsets()
    committed(offsets, "g", "t", 1)
    committed(offsets, "g", "t", 2)
    found = offsets.get("g", "t", 0)
    assert found is not None
    assert (found.offset, found.metadata, found.commit_ms, found.expire_ms) == (2, "", 100, None)
    assert offsets.count("g") == 1
    assert offsets.get("g", "t", 1) is None
    assert offsets.get("other", "t", 0) is None


def test_nothing_is_left_of_what_is_removed() -> None:
    offsets = CommittedOffsets()
    committed(offsets, "g", "t", 1)
    committed(offsets, "g", "u", 1)
    offsets.apply(tombstone("g", TopicPartition("t", 0)))
    assert list(offsets.of_group("g")) == [TopicPartition("u", 0)]
    offsets.apply(tombstone("g", TopicPartition("u", 0)))
    offsets.apply(tombstone("g", TopicPartition("never", 0)))
    assert offsets.groups() == []
    assert offsets.topics("g") == {}


def test_age_counts_from_the_base_unless_the_commit_said_when() -> None:
    offsets = CommittedOffsets()
    committed(offsets, "g", "t", 1)
    committed(offsets, "g", "u", 1, retention_ms=50)

    def expired(now_ms: int, base: int | None = 100) -> list[str]:
        found = offsets.expired("g", lambda _t, _c: base, now_ms=now_ms, retention_ms=1_000)
        return [partition.topic for partition in found]

    assert expired(149) == []
    assert expired(150) == ["u"]
    assert expired(1_099) == ["u"]
    assert expired(1_100) == ["t", "u"]
    assert expired(10**9, base=None) == []


def test_hostile_retention_times_stay_within_the_record() -> None:
    offsets = CommittedOffsets()
    committed(offsets, "g", "t", 1, retention_ms=INT64_MAX)
    found = offsets.get("g", "t", 0)
    assert found is not None
    assert found.expire_ms == INT64_MAX
    committed(offsets, "g", "t", 1, retention_ms=-(10**15))
    found = offsets.get("g", "t", 0)
    assert found is not None
    assert found.expire_ms == 0
