"""Checks all data directories of a stopped broker and changes nothing in them.

The locks are held meanwhile, so that no broker starts. What a broker would be started with is read
from the directories themselves, but for the metadata store, which the caller has opened (opening it
folds SQLite's write-ahead log into the file, as every start does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from godel.metadata.image import MetadataImage
from godel.operations.findings import Finding, Tally, note, problem
from godel.operations.partition_check import Expected, PartitionCheck
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, read_ends, read_offsets
from godel.storage.files import Files, join
from godel.types import TopicId, TopicPartition

Offsets = Mapping[TopicPartition, int]
OnProgress = Callable[[int], None]

CHECKPOINTS = (
    layout.RECOVERY_POINT_CHECKPOINT,
    layout.LOG_START_CHECKPOINT,
    layout.HIGH_WATERMARK_CHECKPOINT,
    layout.CLEANER_CHECKPOINT,
)


class Checkpoints(NamedTuple):
    recovery_points: Offsets
    log_starts: Offsets
    high_watermarks: Offsets
    clean_offsets: Offsets


def data_bytes(files: Files, path: str) -> int:
    """How much there is to check in a directory, for the progress. Raises OSError."""
    if not files.exists(path):
        return 0
    return sum(
        files.size(join(path, folder, name))
        for folder in files.list_folders(path)
        if layout.parse_partition_folder(folder) is not None
        for name in files.list_files(join(path, folder))
        if (parsed := layout.parse_segment_file(name)) is not None and parsed.suffix == layout.LOG
    )


def verify(
    files: Files,
    paths: Sequence[str],
    image: MetadataImage,
    *,
    tally: Tally,
    on_progress: OnProgress,
) -> None:
    """Check the directories of a broker, which has the metadata `image`. Raises OSError."""
    there: dict[TopicPartition, str] = {}
    for path in paths:
        if not files.exists(join(path, layout.GODEL_JSON)):
            what = "there is no data directory, its partitions are offline; is the disk mounted?"
            tally.add([problem(path, what)])
            continue
        for partition in _verify_directory(files, path, image, tally, on_progress):
            other = there.setdefault(partition, path)
            if other != path:
                folder = join(path, layout.partition_folder(partition))
                tally.add([problem(folder, f"{other} has a folder for {partition}, too")])


def _verify_directory(
    files: Files, path: str, image: MetadataImage, tally: Tally, on_progress: OnProgress
) -> set[TopicPartition]:
    """Returns the partitions that have a folder there."""
    was_clean = files.exists(join(path, layout.CLEAN_SHUTDOWN))
    if not was_clean:
        tally.add([note(path, "the last broker did not stop in order: the next start recovers")])
    checkpoints = _read_checkpoints(files, path, tally)
    there: set[TopicPartition] = set()
    for name in sorted(files.list_folders(path)):
        partition = layout.parse_partition_folder(name)
        folder = join(path, name)
        if partition is None:
            tally.add([note(folder, _what_folder(name))])
            continue
        there.add(partition)
        topic_id = topic_id_of(image, partition)
        if topic_id is None:
            tally.add([problem(folder, "of no topic that exists: it is not served")])
            continue
        expected = Expected(
            topic_id=topic_id,
            compacted_end=(
                layout.MAX_OFFSET
                if image.topics[partition.topic].config.is_compacted
                else checkpoints.clean_offsets.get(partition, 0)
            ),
            was_clean=was_clean,
            recovery_point=checkpoints.recovery_points.get(partition, 0),
            log_start_offset=checkpoints.log_starts.get(partition, 0),
            high_watermark=checkpoints.high_watermarks.get(partition, 0),
        )
        PartitionCheck(files, folder, expected, tally=tally, on_progress=on_progress).run()
    tally.add(_missing(path, image, checkpoints, there))
    return there


def topic_id_of(image: MetadataImage, partition: TopicPartition) -> TopicId | None:
    """The id of the topic that has this partition; None: there is no such partition."""
    topic = image.topics.get(partition.topic)
    if topic is None or partition.partition >= len(topic.partitions):
        return None
    return topic.id


def _what_folder(name: str) -> str:
    if layout.is_deleted_folder(name):
        return "a deleted partition, to be removed at the next start"
    if layout.is_stray_folder(name):
        return "a folder of no known topic, set aside by an earlier start"
    if layout.parse_moving_folder(name) is not None:
        return "a move that had not ended: the next start completes it, or forgets it"
    return "not a folder of this broker"


def _read_checkpoints(files: Files, path: str, tally: Tally) -> Checkpoints:
    found: list[Offsets] = []
    for name in CHECKPOINTS:
        try:
            found.append(read_offsets(files, join(path, name)))
        except DamagedCheckpoint as damage:
            tally.add([problem(join(path, name), str(damage))])
            found.append({})
    try:
        read_ends(files, join(path, layout.LOG_END_CHECKPOINT))
    except DamagedCheckpoint as damage:
        tally.add([problem(join(path, layout.LOG_END_CHECKPOINT), str(damage))])
    return Checkpoints(*found)


def _missing(
    path: str, image: MetadataImage, checkpoints: Checkpoints, there: set[TopicPartition]
) -> Iterator[Finding]:
    """Partitions that had records and have no folder."""
    for partition, offset in sorted(checkpoints.recovery_points.items()):
        is_known = topic_id_of(image, partition) is not None
        if (
            is_known
            and partition not in there
            and offset > checkpoints.log_starts.get(partition, 0)
        ):
            folder = join(path, layout.partition_folder(partition))
            yield problem(folder, f"the folder is missing; the log ended at offset {offset}")
