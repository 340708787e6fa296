from __future__ import annotations

import pytest

from godel.storage import layout
from godel.types import TopicPartition


def test_segment_files() -> None:
    assert layout.segment_file(42, layout.LOG) == "00000000000000000042.log"
    assert layout.parse_segment_file("00000000000000000042.timeindex") == (42, ".timeindex")


@pytest.mark.parametrize(
    "name",
    [
        "42.log",
        "00000000000000000042.log.deleted",
        "00000000000000000042",
        "99999999999999999999.log",
    ],
)
def test_other_names_are_no_segment_files(name: str) -> None:
    assert layout.parse_segment_file(name) is None


def test_partition_folders_split_at_the_last_dash() -> None:
    partition = TopicPartition("a-b.c_d-1", 12)
    assert layout.partition_folder(partition) == "a-b.c_d-1-12"
    assert layout.parse_partition_folder("a-b.c_d-1-12") == partition


@pytest.mark.parametrize("name", ["topic", "topic-", "-1", "topic-01", "to pic-1", "t-2147483648"])
def test_other_names_are_no_partition_folders(name: str) -> None:
    assert layout.parse_partition_folder(name) is None


def test_deleted_and_stray_folders() -> None:
    partition, unique = TopicPartition("t" * 249, 7), bytes(range(16))
    for name in (
        layout.deleted_folder(partition, unique),
        layout.stray_folder(partition, unique),
    ):
        assert len(name) <= 255
        assert layout.parse_partition_folder(name) is None
    name = layout.deleted_folder(TopicPartition("topic", 7), unique)
    assert name == "topic-7.000102030405060708090a0b0c0d0e0f-delete"
    assert layout.is_deleted_folder(name)
    assert not layout.is_deleted_folder("topic-delete")
    assert not layout.is_deleted_folder(layout.stray_folder(partition, unique))


def test_aside_files_are_not_segments() -> None:
    assert layout.parse_segment_file(layout.aside_file(5, 0)) is None
    assert layout.aside_file(5, 0) != layout.aside_file(5, 1)
