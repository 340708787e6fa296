"""Copies the data of a broker, which may be running, and brings a copy back.

A backup is a data directory like any other, as after a stop in good order. Sealed segments are
copied as they are, active ones up to their last whole batch. The groups' offsets come first and the
metadata last: no group has committed what the copy does not have, and every topic that the copied
metadata know has its partitions. It is not one moment for all partitions: what was written while
the copy was made may be there in one and not in another; of a stopped broker everything is.

A restored directory begins with leader epochs and producer ids ahead of those in the backup, so
that clients notice where the log they knew has ended, and no producer gets an id twice.

The metadata file belongs to the broker's process, which keeps its write-ahead log with it. Copied
first the one, then the other, they are a consistent database unless the log was begun anew in
between, which the salts in its head tell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.config import BrokerConfig
from godel.metadata import records
from godel.metadata.identifiers import CONSUMER_OFFSETS, TRANSACTION_STATE
from godel.metadata.image import ImageBuilder, MetadataImage
from godel.metadata.publisher import read_image
from godel.metadata.store import MetadataStore, Put
from godel.operations.broker_directories import Identity, data_paths, identity_of
from godel.operations.findings import Finding, Tally, problem
from godel.operations.gathering import (
    OnProgress,
    Source,
    copy_partition,
    log_bytes,
    read_checkpoint,
    settle,
)
from godel.operations.new_directory import NewDirectory
from godel.operations.verification import topic_id_of
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.data_directory import DataDirectoryError
from godel.storage.files import Files, join
from godel.storage.partition_metadata import read_partition_metadata
from godel.types import TopicPartition

CopyStore = Callable[[], Awaitable[MetadataStore]]
"""Copies the metadata into the new directory and opens the copy."""

FIRST = (TRANSACTION_STATE, CONSUMER_OFFSETS)
ATTEMPTS = 20
PLACES = 3
"""So often a partition may move to another directory until it is copied."""

WAL = "-wal"
WAL_HEADER_BYTES = 32
EPOCHS_AHEAD = 1_000
"""More unclean starts than the broker will have had since the backup: each raises the epoch."""
PRODUCER_IDS_AHEAD = 1_000_000


async def copy_data(
    files: Files,
    path: str,
    target: str,
    copy_store: CopyStore,
    *,
    is_restored: bool,
    tally: Tally,
    clock: Clock,
    log: FilteringBoundLogger,
    expect: OnProgress,
    on_progress: OnProgress,
) -> Identity:
    """Fill `target`, which is empty, with all data of the broker that has its metadata in `path`.

    `tally`: what was met.
    Raises `DataDirectoryError`, StoreUnusable, StoreUnavailable, CorruptRecord, OSError.
    """
    identity, paths = identity_of(files, path), _paths(files, path)
    _refuse_inside(files, paths, target)
    sources = partitions_of(files, paths)
    expect(sum(log_bytes(files, source.folder) for source in sources.values()))
    directory = NewDirectory.begin(files, target)
    try:
        copied = _copy(files, paths, directory, sources, on_progress)
        store = await copy_store()
        try:
            image = await read_image(store, ImageBuilder(identity.node_id, BrokerConfig()))
            _drop_deleted(files, directory, image, copied)
            tally.add(_missing(image, sources, copied))
            logs = await settle(files, directory, copied, tally=tally, clock=clock, log=log)
            if is_restored:
                await step_ahead(store, image, identity.node_id)
        finally:
            await store.close()
        directory.finish(identity, logs)
    finally:
        directory.close()
    return identity


def _paths(files: Files, path: str) -> list[str]:
    """All directories of the broker. Raises `DataDirectoryError` unless all are there."""
    paths = data_paths(files, path)
    for one in paths:
        if not files.exists(join(one, layout.GODEL_JSON)):
            raise DataDirectoryError(
                f"{one} is not there, and its partitions would be missing in the copy; is the disk "
                "mounted?"
            )
    return paths


def _copy(
    files: Files,
    paths: Sequence[str],
    directory: NewDirectory,
    sources: Mapping[TopicPartition, Source],
    on_progress: OnProgress,
) -> dict[TopicPartition, Source]:
    """Copy each partition from where it is, which may change meanwhile; without those deleted."""
    copied: dict[TopicPartition, Source] = {}
    for partition in sorted(sources, key=_turn):
        source = sources[partition]
        for _ in range(PLACES):
            if copy_partition(files, source.folder, directory.folder(partition), on_progress):
                copied[partition] = source
                break
            source = partitions_of(files, paths).get(partition, source)
    return copied


def _refuse_inside(files: Files, paths: Sequence[str], target: str) -> None:
    for path in paths:
        if f"{files.absolute(target)}/".startswith(f"{files.absolute(path)}/"):
            raise DataDirectoryError(f"{target} lies in {path}; choose another place for the copy")


def partitions_of(files: Files, paths: Sequence[str]) -> dict[TopicPartition, Source]:
    """Every partition that has a folder. Raises `DataDirectoryError`, OSError."""
    found: dict[TopicPartition, Source] = {}
    for path in paths:
        starts = read_checkpoint(files, join(path, layout.LOG_START_CHECKPOINT))
        recovery_points = read_checkpoint(files, join(path, layout.RECOVERY_POINT_CHECKPOINT))
        for partition in {
            *starts,
            *recovery_points,
            *filter(None, map(layout.parse_partition_folder, files.list_folders(path))),
        }:
            folder = join(path, layout.partition_folder(partition))
            source = Source(folder, starts.get(partition, 0), recovery_points.get(partition, 0))
            if partition not in found or files.exists(folder):
                found[partition] = source
    return found


def _turn(partition: TopicPartition) -> tuple[int, TopicPartition]:
    is_first = partition.topic in FIRST
    return (FIRST.index(partition.topic) if is_first else len(FIRST)), partition


def _drop_deleted(
    files: Files,
    directory: NewDirectory,
    image: MetadataImage,
    copied: dict[TopicPartition, Source],
) -> None:
    """What was deleted while it was copied, or is of an earlier topic of its name."""
    for partition in tuple(copied):
        folder = directory.folder(partition)
        try:
            theirs = read_partition_metadata(files, folder)
        except DamagedCheckpoint:
            theirs = None  # written anew when the log is opened
        known = topic_id_of(image, partition)
        if known is None or (theirs is not None and theirs != known):
            files.remove_folder(folder)
            del copied[partition]


def _missing(
    image: MetadataImage,
    sources: Mapping[TopicPartition, Source],
    copied: Mapping[TopicPartition, Source],
) -> Iterator[Finding]:
    """Partitions that had records and have no folder."""
    for partition, source in sorted(sources.items()):
        is_known = topic_id_of(image, partition) is not None
        if is_known and partition not in copied and source.recovery_point > source.log_start_offset:
            what = f"the folder is missing; the log ended at offset {source.recovery_point}"
            yield problem(source.folder, what)


async def step_ahead(store: MetadataStore, image: MetadataImage, node_id: int) -> None:
    """Let nobody take what comes for what had come after the backup. Raises StoreUnavailable."""
    epochs = (one.leader_epoch for topic in image.topics.values() for one in topic.partitions)
    key = records.PRODUCER_IDS_KEY
    entry = await store.get(key)
    next_id = 0 if entry is None else records.decode_number(key, entry.value)
    floor = max(epochs, default=0) + EPOCHS_AHEAD
    await store.txn(
        (),
        (
            Put(records.epoch_floor_key(node_id), records.encode_number(floor)),
            Put(key, records.encode_number(next_id + PRODUCER_IDS_AHEAD)),
        ),
    )


def copy_database(files: Files, source: str, target: str) -> None:
    """Copy a SQLite file and its write-ahead log. `DataDirectoryError` if it is never at rest."""
    for _ in range(ATTEMPTS):
        head = _wal_head(files, source)
        files.copy(source, target, lambda _size: None)
        if files.exists(target + WAL):
            files.remove(target + WAL)
        if head:
            try:
                files.copy(source + WAL, target + WAL, lambda _size: None)
            except FileNotFoundError:
                continue
        if _wal_head(files, source) == head:
            return
    raise DataDirectoryError(f"{source} does not keep still while it is copied; try again later")


def _wal_head(files: Files, database: str) -> bytes:
    """It has two salts that are new whenever the log begins anew; b"": there is no log."""
    try:
        return files.read(database + WAL)[:WAL_HEADER_BYTES]
    except FileNotFoundError:
        return b""
