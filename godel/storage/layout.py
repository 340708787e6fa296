"""Every name of a file or folder, made and parsed in one place. Kafka's own (`LogFileUtils`).

A segment's files carry its base offset as 20 digits and a suffix that says what they are; a
partition's folder is `topic-partition`, and since a topic may contain "-", the last one counts.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from godel.types import TopicPartition

LOG = ".log"
OFFSET_INDEX = ".index"
TIME_INDEX = ".timeindex"
TRANSACTION_INDEX = ".txnindex"
PRODUCER_SNAPSHOT = ".snapshot"
SEGMENT_SUFFIXES = (LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX)

DELETED = ".deleted"
CLEANED = ".cleaned"
SWAP = ".swap"
ASIDE = ".corrupt"
"""Ours: what recovery cut off and did not throw away."""
TEMPORARY = ".tmp"

LEADER_EPOCH_CHECKPOINT = "leader-epoch-checkpoint"
PARTITION_METADATA = "partition.metadata"

META_PROPERTIES = "meta.properties"
GODEL_JSON = "godel.json"
METADATA_SQLITE = "metadata.sqlite"
LOCK = ".lock"
UNFINISHED = ".unfinished"
"""Ours: there while an import, backup or restore fills a directory, which is no broker's yet."""
PROBE = ".probe"
RESERVE = ".reserve"
"""Ours: space that a start on a full disk may use."""
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
RECOVERY_POINT_CHECKPOINT = "recovery-point-offset-checkpoint"
LOG_START_CHECKPOINT = "log-start-offset-checkpoint"
HIGH_WATERMARK_CHECKPOINT = "replication-offset-checkpoint"
CLEANER_CHECKPOINT = "cleaner-offset-checkpoint"
LOG_END_CHECKPOINT = "log-end-checkpoint"
"""Ours: where the logs that were durable to their end had it."""

_SEGMENT_FILE = re.compile(r"(\d{20})(\.(?:log|index|timeindex|txnindex|snapshot))")
_PARTITION_FOLDER = re.compile(r"([A-Za-z0-9._-]{1,249})-(0|[1-9]\d{0,9})")
_DELETED_FOLDER = re.compile(r".+\.[0-9a-f]{32}-delete")
_MOVING_FOLDER = re.compile(r"(.+)\.([0-9a-f]{32})-(future|moved)")
_STRAY_FOLDER = re.compile(r".+\.[0-9a-f]{32}-stray")

MAX_NAME = 255
"""Characters of a file name that every file system takes; those of a topic are one byte each."""
MAX_PARTITION = 2**31 - 1
MAX_OFFSET = 2**63 - 1
MAX_SEGMENT_BYTES = 2**31 - 1
"""Of a `.log` file: positions in the indexes have 31 bits (Kafka's, too)."""


class SegmentFile(NamedTuple):
    base_offset: int
    suffix: str


def segment_file(base_offset: int, suffix: str) -> str:
    return f"{base_offset:020d}{suffix}"


def beside_log(log_path: str, suffix: str) -> str:
    """The path of another file of a segment, which has the ending of the log, if any."""
    head, _, ending = log_path.rpartition(LOG)
    return head + suffix + ending


def parse_segment_file(name: str) -> SegmentFile | None:
    """None for whatever is not a segment's file, renamed ones (`.deleted`...) included."""
    match = _SEGMENT_FILE.fullmatch(name)
    if match is None or int(match[1]) > MAX_OFFSET:
        return None
    return SegmentFile(int(match[1]), match[2])


def aside_file(offset: int, count: int) -> str:
    """Where recovery puts bytes that it cut off at `offset`; `count` makes the name unique."""
    number = f".{count}" if count else ""
    return f"{offset:020d}{LOG}{number}{ASIDE}"


def partition_folder(partition: TopicPartition) -> str:
    return f"{partition.topic}-{partition.partition}"


def parse_partition_folder(name: str) -> TopicPartition | None:
    match = _PARTITION_FOLDER.fullmatch(name)
    if match is None or int(match[2]) > MAX_PARTITION:
        return None
    return TopicPartition(match[1], int(match[2]))


def deleted_folder(partition: TopicPartition, unique: bytes) -> str:
    """The name of a deleted topic's folder until it is gone; Kafka cuts long names the same way."""
    suffix = f"-{partition.partition}.{unique.hex()}-delete"
    return partition.topic[: MAX_NAME - len(suffix)] + suffix


def stray_folder(partition: TopicPartition, unique: bytes) -> str:
    """Where a folder goes that belongs to no topic we know; never deleted by us."""
    suffix = f"-{partition.partition}.{unique.hex()}-stray"
    return partition.topic[: MAX_NAME - len(suffix)] + suffix


class MovingFolder(NamedTuple):
    """A folder of a partition on its way to another directory: where it goes, or where it was."""

    partition: TopicPartition
    unique: str
    is_future: bool

    @property
    def name(self) -> str:
        state = "future" if self.is_future else "moved"
        return f"{partition_folder(self.partition)}.{self.unique}-{state}"

    @property
    def other(self) -> MovingFolder:
        """Its counterpart in the other directory."""
        return self._replace(is_future=not self.is_future)


def parse_moving_folder(name: str) -> MovingFolder | None:
    match = _MOVING_FOLDER.fullmatch(name)
    partition = None if match is None else parse_partition_folder(match[1])
    if match is None or partition is None:
        return None
    return MovingFolder(partition, match[2], match[3] == "future")


def is_deleted_folder(name: str) -> bool:
    return _DELETED_FOLDER.fullmatch(name) is not None


def is_stray_folder(name: str) -> bool:
    return _STRAY_FOLDER.fullmatch(name) is not None
