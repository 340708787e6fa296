"""A data directory: whose it is, who has it open, and how it was left.

    godel.json                      marks the directory as ours: format, cluster id, node id;
                                    in the one with the metadata also the ids and paths of all
    meta.properties                 Kafka's: version=1, cluster.id, node.id, directory.id
    .lock                           flock of the broker that runs on it
    .kafka_cleanshutdown            there while no broker runs, if the last one stopped in order
    *-offset-checkpoint             recovery points, log starts, high watermarks
    <topic>-<partition>/            one folder per partition; `*-delete` is on its way out

Everything that keeps a broker from running on a directory is a `DataDirectoryError`, whose message
says what is wrong, where, and what to do. A broker may have several: `data_directories.py`.
"""

from __future__ import annotations

import errno
import functools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

from godel.clock import Clock, Randomness
from godel.errors import StorageFailed
from godel.storage import layout
from godel.storage.checkpoint import (
    DamagedCheckpoint,
    LogEnd,
    read_ends,
    read_offsets,
    write_atomically,
)
from godel.storage.checkpoint_writer import CheckpointWriter, Offsets
from godel.storage.files import FileLock, Files, join, parent
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from godel.storage.partition_metadata import id_text, parse_id, read_partition_metadata
from godel.storage.recovery_run import RecoveredLog, UncleanLog
from godel.types import TopicId, TopicPartition

FORMAT_VERSION = 1
UNREMARKABLE = frozenset({layout.LOCK, "lost+found", layout.GODEL_JSON + layout.TEMPORARY})
"""What may be in a directory that is otherwise empty."""
CLEAN_SHUTDOWN_TEXT = b'{"version":0,"brokerEpoch":-1}'


class DataDirectoryError(Exception):
    """No broker can run on this directory. The message is for the operator."""


class DirectoryUnavailable(DataDirectoryError):
    """The disk refuses, or the directory is not there: its partitions are offline, no others."""


class DataDirectory:
    """An open data directory, locked until `close`."""

    def __init__(self, path: str, files: Files, clock: Clock, randomness: Randomness) -> None:
        self.path = path
        self.files = files
        self._clock = clock
        self._randomness = randomness
        self._lock: FileLock | None = None
        self._writer = CheckpointWriter(files, path)
        self._are_checkpoints_stale = False
        """They still name a partition whose data is gone: never to be taken for its successor's."""
        self.cluster_id = ""
        self.node_id = 0
        self.directory_id = b""
        self.known: dict[bytes, str] = {}
        """All directories of the broker by their ids, as of the last start, where it is noted."""
        self.is_new = False
        self.was_clean = False
        """The last broker stopped in good order: nothing needs to be checked."""
        self.problems: list[str] = []
        """What was found and worked around, a sentence each: for the operator's log."""
        self.recovery_points: dict[TopicPartition, int] = {}
        self.log_start_offsets: dict[TopicPartition, int] = {}
        self.high_watermarks: dict[TopicPartition, int] = {}
        self.clean_offsets: dict[TopicPartition, int] = {}
        """How far each log is compacted. Lost, the next compaction begins at the log's start."""
        self.ends: dict[TopicPartition, LogEnd] = {}
        """Where logs that were durable to their end had it. Lost, they are checked."""
        self.checked_ends: dict[TopicPartition, int] = {}
        """The end offsets of the logs that were recovered since the start."""
        self._deleted: list[str] = []
        """Folders that the last run had no time to remove."""
        self._partitions: set[TopicPartition] = set()
        """Those that have a folder, or were told where to make it."""

    @classmethod
    def open(
        cls,
        path: str,
        *,
        files: Files,
        clock: Clock,
        randomness: Randomness,
        node_id: int | None = None,
        cluster_id: str | None = None,
        is_known: bool = False,
    ) -> DataDirectory:
        """Open a directory of ours, or make an empty one ours.

        `node_id` and `cluster_id`: what the directory must belong to; None takes what it says.
        `is_known`: it was ours, so that an empty one is a disk that is not mounted.
        """
        directory = cls(path, files, clock, randomness)
        with directory._explained("open"):
            if is_known:
                directory._check_presence(files)
            else:
                directory._make()
            directory._refuse_foreign()
            directory._take_lock()
            try:
                directory._identify(node_id, cluster_id)
                directory._take_stock()
            except BaseException:
                directory.release()
                raise
        return directory

    def _make(self) -> None:
        missing = []
        folder = self.path
        while not self.files.exists(folder):
            missing.append(folder)
            folder = parent(folder)
        if missing:
            self.files.make_folder(self.path)
        for folder in reversed(missing):
            self.files.sync_folder(parent(folder))

    def _check_presence(self, files: Files) -> None:
        if not files.exists(join(self.path, layout.GODEL_JSON)):
            raise FileNotFoundError(
                errno.ENOENT,
                f"{layout.GODEL_JSON} is gone; is the disk mounted?",
                self.path,
            )

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            raise DirectoryUnavailable(
                f"cannot {action} the data directory {self.path}: {failure.strerror or failure} "
                f"({failure.filename or self.path}); check its permissions, that the disk is "
                "writable and has space left, or choose another directory with --data"
            ) from failure

    def _refuse_foreign(self) -> None:
        names = {*self.files.list_files(self.path), *self.files.list_folders(self.path)}
        if layout.GODEL_JSON in names:
            return
        if layout.UNFINISHED in names:
            raise DataDirectoryError(
                f"{self.path} was being filled by an import, a backup or a restore that did not "
                "come to its end; run that again, or empty the directory"
            )
        if layout.META_PROPERTIES in names:
            raise DataDirectoryError(
                f"{self.path} is Apache Kafka's; copy it with `godel-broker import {self.path}`"
            )
        foreign = sorted(names - UNREMARKABLE)
        if foreign:
            raise DataDirectoryError(
                f"{self.path} is not empty and not a data directory of Gödel (it holds "
                f"{foreign[0]!r}); choose an empty directory with --data"
            )

    def _take_lock(self) -> None:
        try:
            self._lock = self.files.lock(join(self.path, layout.LOCK))
        except BlockingIOError:
            raise DataDirectoryError(
                f"{self.path} is in use by another broker, or named twice; stop that one, or "
                "choose another directory with --data"
            ) from None

    # Identity

    def _identify(self, node_id: int | None, cluster_id: str | None) -> None:
        path = join(self.path, layout.GODEL_JSON)
        self.is_new = not self.files.exists(path)
        if self.is_new:
            self.cluster_id = cluster_id or id_text(self._randomness.uuid_bytes())
            self.node_id = 1 if node_id is None else node_id
            self._write_marker()
        else:
            self._read_marker(path)
        for name, wanted, found in (
            ("node.id", node_id, self.node_id),
            ("cluster.id", cluster_id, self.cluster_id),
        ):
            if wanted is not None and wanted != found:
                raise DataDirectoryError(
                    f"{self.path} belongs to {name} {found}, not to {wanted} as the configuration "
                    "or the directory with the metadata says; correct the configuration, or choose "
                    "another directory with --data"
                )
        self._check_properties()

    def remember(self, known: Mapping[bytes, str]) -> None:
        """Note which directories the broker has. Raises `DirectoryUnavailable`."""
        if known != self.known:
            self.known = dict(known)
            with self._explained("write to"):
                self._write_marker()

    def _write_marker(self) -> None:
        marker: dict[str, object] = {
            "format_version": FORMAT_VERSION,
            "cluster_id": self.cluster_id,
            "node_id": self.node_id,
        }
        if self.known:
            marker["directories"] = {id_text(id): path for id, path in self.known.items()}
        path = join(self.path, layout.GODEL_JSON)
        write_atomically(self.files, path, (json.dumps(marker, indent=2) + "\n").encode())

    def _read_marker(self, path: str) -> None:
        try:
            marker = json.loads(self.files.read(path))
            version, cluster_id, node_id = (
                marker["format_version"],
                marker["cluster_id"],
                marker["node_id"],
            )
            known = {parse_id(id): str(at) for id, at in marker.get("directories", {}).items()}
            is_sound = type(version) is int and type(node_id) is int and isinstance(cluster_id, str)
        except (ValueError, LookupError, TypeError, AttributeError):
            is_sound = False
        if not is_sound:
            raise self._damaged(path)
        if version > FORMAT_VERSION:
            raise DataDirectoryError(
                f"{self.path} was written in format {version}, this release reads up to "
                f"{FORMAT_VERSION}; start the newer release of Gödel on it"
            )
        self.cluster_id, self.node_id, self.known = cluster_id, node_id, known

    def _check_properties(self) -> None:
        """Read Kafka's `meta.properties`, or write it: a crash may have come in between."""
        path = join(self.path, layout.META_PROPERTIES)
        if not self.files.exists(path):
            self.directory_id = self._randomness.uuid_bytes()
            text = (
                f"version=1\ncluster.id={self.cluster_id}\nnode.id={self.node_id}\n"
                f"directory.id={id_text(self.directory_id)}\n"
            )
            write_atomically(self.files, path, text.encode())
            return
        lines = self.files.read(path).decode(errors="replace").splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        if values.get("cluster.id") != self.cluster_id or values.get("node.id") != str(
            self.node_id
        ):
            raise self._damaged(path)
        try:
            self.directory_id = parse_id(values.get("directory.id", ""))
        except ValueError:
            raise self._damaged(path) from None

    def _damaged(self, path: str) -> DataDirectoryError:
        return DataDirectoryError(
            f"{path} is damaged; restore it from a backup, its partitions are untouched"
        )

    # How it was left

    def _take_stock(self) -> None:
        marker = join(self.path, layout.CLEAN_SHUTDOWN)
        self.was_clean = self.is_new or self.files.exists(marker)
        self.recovery_points = self._read_offsets(layout.RECOVERY_POINT_CHECKPOINT)
        self.log_start_offsets = self._read_offsets(layout.LOG_START_CHECKPOINT)
        self.high_watermarks = self._read_offsets(layout.HIGH_WATERMARK_CHECKPOINT)
        try:
            path = join(self.path, layout.CLEANER_CHECKPOINT)
            self.clean_offsets = read_offsets(self.files, path)
        except DamagedCheckpoint as damage:
            self.problems.append(f"{damage}; every log counts as not compacted")
            self._are_checkpoints_stale = True
        try:
            self.ends = read_ends(self.files, join(self.path, layout.LOG_END_CHECKPOINT))
        except DamagedCheckpoint as damage:
            self.problems.append(f"{damage}; no log counts as unchanged")
            self._are_checkpoints_stale = True
        if self.files.exists(marker):
            self.files.remove(marker)
        self.files.sync_folder(self.path)
        self._look_at_folders()
        self._forget_missing()

    def _look_at_folders(self) -> None:
        strays = []
        for name in self.files.list_folders(self.path):
            partition = layout.parse_partition_folder(name)
            if partition is not None:
                self._partitions.add(partition)
            elif layout.is_deleted_folder(name):
                self._deleted.append(join(self.path, name))
            elif layout.is_stray_folder(name):
                strays.append(name)
            elif name not in UNREMARKABLE:
                self.problems.append(f"the folder {join(self.path, name)} is left alone")
        if strays:
            self.problems.append(
                f"{len(strays)} folders in {self.path} hold data of topics that are gone, set "
                f"aside by an earlier start (the first: {min(strays)}); nothing here reads or "
                f"removes them: if nobody needs the data, rm -r {self.path}/*-stray"
            )

    def _read_offsets(self, name: str) -> dict[TopicPartition, int]:
        try:
            return read_offsets(self.files, join(self.path, name))
        except DamagedCheckpoint as damage:
            self.problems.append(f"{damage}; every log is checked as after a crash")
            self.was_clean = False
            return {}

    def _forget_missing(self) -> None:
        """A folder that is not there has no offsets; one made later under its name begins anew."""
        known = {*self.log_start_offsets, *self.recovery_points, *self.clean_offsets, *self.ends}
        for partition in known - self._partitions:
            self._forget(partition)

    # Partitions

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """The partitions that have a folder, or were told where to make it."""
        return self._partitions

    def topic_id(self, partition: TopicPartition) -> TopicId | None:
        """Whose data a partition's folder holds. Raises `DamagedCheckpoint`, OSError."""
        return read_partition_metadata(self.files, self.folder(partition))

    def folder(self, partition: TopicPartition) -> str:
        return join(self.path, layout.partition_folder(partition))

    def partition_folder(self, partition: TopicPartition, topic_id: TopicId) -> str:
        """The folder for a partition, which need not exist yet.

        A folder of that name with another topic's id is set aside. Raises `DataDirectoryError`.
        """
        folder = self.folder(partition)
        with self._explained("use"):
            try:
                found = read_partition_metadata(self.files, folder)
            except DamagedCheckpoint as damage:
                raise DataDirectoryError(f"{damage}; restore it from a backup") from None
            if found is not None and found != topic_id:
                self._set_aside(partition, f"of topic {id_text(found)}")
            if self._are_checkpoints_stale:
                self._write_positions().result()
        self._partitions.add(partition)
        return folder

    def size_bytes(self, partition: TopicPartition) -> int:
        """What the segments in a partition's folder hold; 0 without one. Raises OSError."""
        folder = self.folder(partition)
        try:
            names = self.files.list_files(folder)
        except FileNotFoundError:
            return 0
        found = ((name, layout.parse_segment_file(name)) for name in names)
        return sum(
            self.files.size(join(folder, name))
            for name, parsed in found
            if parsed is not None and parsed[1] == layout.LOG
        )

    def set_aside(self, partition: TopicPartition, why: str) -> None:
        """Move a partition's folder out of the way; its data stays. `DirectoryUnavailable`."""
        with self._explained("use"):
            self._set_aside(partition, why)

    def _set_aside(self, partition: TopicPartition, why: str) -> None:
        folder = self.folder(partition)
        unique = self._randomness.uuid_bytes()
        aside = join(self.path, layout.stray_folder(partition, unique))
        self.files.replace(folder, aside)
        self.files.sync_folder(self.path)
        self._partitions.discard(partition)
        self._forget(partition)
        self.problems.append(f"{folder} is {why}: now {aside}")

    def delete_partition(self, partition: TopicPartition, *, delay_ms: float) -> None:
        """Take a partition's folder out of sight now and off the disk after the delay.

        Its log is closed or abandoned before. A folder that is not there is fine.
        """
        folder = self.folder(partition)
        deleted = join(self.path, layout.deleted_folder(partition, self._randomness.uuid_bytes()))
        self._forget(partition)
        self._partitions.discard(partition)
        with self._explained("delete from"):
            try:
                self.files.replace(folder, deleted)
            except FileNotFoundError:
                return
            self.files.sync_folder(self.path)
        self._clock.call_later(delay_ms, lambda: self._remove_folder(deleted))

    def remove_deleted(self, delay_ms: float) -> None:
        """Remove what the last run had deleted and had no time to remove, after the delay."""
        for folder in self._deleted:
            self._clock.call_later(delay_ms, functools.partial(self._remove_folder, folder))
        self._deleted.clear()

    def _remove_folder(self, folder: str) -> None:
        try:
            self.files.remove_folder(folder)
        except OSError as failure:
            self.problems.append(f"{folder} could not be removed: {failure}")

    def _forget(self, partition: TopicPartition) -> None:
        self.high_watermarks.pop(partition, None)
        self.checked_ends.pop(partition, None)
        written: tuple[dict[TopicPartition, int] | dict[TopicPartition, LogEnd], ...] = (
            self.log_start_offsets,
            self.recovery_points,
            self.clean_offsets,
            self.ends,
        )
        for kept in written:
            if kept.pop(partition, None) is not None:
                self._are_checkpoints_stale = True

    # Recovery

    def unclean_logs(self, configs: Mapping[TopicPartition, LogConfig]) -> list[UncleanLog]:
        """Those of the partitions whose logs are to be recovered: all that have a folder."""
        return [
            UncleanLog(
                partition,
                join(self.path, layout.partition_folder(partition)),
                configs[partition],
                self.recovery_points.get(partition, 0),
                self.log_start_offsets.get(partition, 0),
                self.ends.get(partition),
            )
            for partition in self._partitions
            if partition in configs
        ]

    def note_recovered(self, recovered: Iterable[RecoveredLog]) -> None:
        """Their ends are known now. Raises OSError.

        What was written of the others' ends no longer holds: on a full disk it goes for good.
        """
        for one in recovered:
            self.checked_ends[one.partition] = one.end_offset
            self.recovery_points[one.partition] = one.flushed_offset
            if one.report is not None:
                self.ends.pop(one.partition, None)
        try:
            self._write_positions().result()
        except OSError:
            path = join(self.path, layout.LOG_END_CHECKPOINT)
            if self.files.exists(path):
                self.files.remove(path)
                self.files.sync_folder(self.path)
            raise

    # Checkpoints and the end

    def note_positions(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> None:
        """Take over how far the open logs are; `write_checkpoints` writes it."""
        for partition, log in logs.items():
            self.recovery_points[partition] = log.checkpoint()
            if log.is_settled:
                active = log.segments[-1]
                self.ends[partition] = LogEnd(log.end_offset, active.base_offset, active.size_bytes)
            else:
                self.ends.pop(partition, None)
        self._note_log_starts(logs)
        self.high_watermarks.update(high_watermarks)

    def write_checkpoints(self) -> Future[None]:
        """Write how far the logs are, those that are not open included."""
        return self._write_positions({layout.HIGH_WATERMARK_CHECKPOINT: self.high_watermarks})

    def note_clean(self, partition: TopicPartition, clean_offset: int) -> None:
        """Write down how far a log is compacted; not synced, it may get lost. Raises OSError."""
        self.clean_offsets[partition] = clean_offset
        offsets = {layout.CLEANER_CHECKPOINT: self.clean_offsets}
        self._writer.write(offsets, is_durable=False).result()

    def write_log_starts(self, logs: Mapping[TopicPartition, Log]) -> Future[None]:
        """Write where the open logs begin."""
        self._note_log_starts(logs)
        return self._writer.write({layout.LOG_START_CHECKPOINT: self.log_start_offsets})

    def _write_positions(self, more: Mapping[str, Offsets] | None = None) -> Future[None]:
        """The log starts go first: a recovery point may rest on one (`Log.truncate_prefix`)."""
        offsets = {
            layout.LOG_START_CHECKPOINT: self.log_start_offsets,
            layout.RECOVERY_POINT_CHECKPOINT: self.recovery_points,
            layout.CLEANER_CHECKPOINT: self.clean_offsets,
        }
        were_stale, self._are_checkpoints_stale = self._are_checkpoints_stale, False
        written = self._writer.write(offsets | (dict(more or {})), self.ends)

        def note_failure(done: Future[None]) -> None:
            if were_stale and done.exception() is not None:
                self._are_checkpoints_stale = True

        written.add_done_callback(note_failure)
        return written

    def _note_log_starts(self, logs: Mapping[TopicPartition, Log]) -> None:
        for partition, log in logs.items():
            if log.log_start_offset > 0:  # segments that lay below it may come back
                self.log_start_offsets[partition] = log.log_start_offset
            else:
                self.log_start_offsets.pop(partition, None)

    def close(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> bool:
        """Close the logs and let the directory go; True: the next start need not check anything.

        After an unclean start that is so only if every log was recovered or opened, and so checked.
        """
        is_clean = self.was_clean or self._partitions <= {*logs, *self.checked_ends}
        for log in logs.values():
            try:
                log.close()
            except StorageFailed:
                is_clean = False
        try:
            self.note_positions(logs, high_watermarks)
            self.write_checkpoints().result()
            if is_clean:
                marker = join(self.path, layout.CLEAN_SHUTDOWN)
                write_atomically(self.files, marker, CLEAN_SHUTDOWN_TEXT)
        except OSError:
            is_clean = False
        self.release()
        return is_clean

    def probe(self, files: Files) -> None:
        """Find out whether the disk still works, through any door to it. Raises OSError."""
        self._check_presence(files)
        path = join(self.path, layout.PROBE)
        write_atomically(files, path, b"")
        files.remove(path)

    def release(self) -> None:
        """Unlock it and leave it as it is: the next start finds it not cleanly stopped."""
        self._writer.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
