"""A data directory: whose it is, who has it open, and how it was left.

    godel.json                      marks the directory as ours: format, cluster id, node id;
                                    in the one with the metadata also the ids and paths of all
    meta.properties                 Kafka's: version=1, cluster.id, node.id, directory.id
    .lock                           flock of the broker that runs on it
    .kafka_cleanshutdown            there while no broker runs, if the last one stopped in order
    *-checkpoint                    how far the logs are: `positions.py`
    <topic>-<partition>/            one folder per partition; `*-delete` is on its way out

Everything that keeps a broker from running on a directory is a `DataDirectoryError`, whose message
says what is wrong, where, and what to do. A broker may have several: `data_directories.py`.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager

from godel.clock import Clock, Randomness
from godel.errors import StorageFailed
from godel.records.partition_log import LogDirectory
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, write_atomically
from godel.storage.directory_marks import (
    Mark,
    UnusableMark,
    directory_id,
    read_mark,
    write_mark,
)
from godel.storage.files import UNKNOWN_SPACE, FileLock, Files, join
from godel.storage.folders import Folders, make_durable_folder, sorted_folders, sync_segments
from godel.storage.layout import MovingFolder
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from godel.storage.partition_metadata import id_text, read_partition_metadata
from godel.storage.positions import Positions
from godel.storage.recovery_run import UncleanLog
from godel.types import TopicId, TopicPartition

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
        self.positions = Positions(files, path)
        self.cluster_id = ""
        self.node_id = 0
        self.directory_id = b""
        self.known: Mapping[bytes, str] = {}
        """All directories of the broker by their ids, as of the last start, where it is noted."""
        self.is_new = False
        self.was_clean = False
        """The last broker stopped in good order: nothing needs to be checked."""
        self.is_suspect = False
        """Recovery shall check the logs also below their recovery points."""
        self.problems: list[str] = []
        """What was found and worked around, a sentence each: for the operator's log."""
        self._folders = Folders()
        """Partitions among them also those that were told where to make theirs."""

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
        with directory.explained("open"):
            if is_known:
                directory._check_presence(files)
            else:
                make_durable_folder(files, path)
            directory._refuse_foreign()
            directory._take_lock()
            try:
                directory._identify(node_id, cluster_id)
                directory._take_stock()
            except BaseException:
                directory.release()
                raise
        return directory

    def _check_presence(self, files: Files) -> None:
        if not files.exists(join(self.path, layout.GODEL_JSON)):
            what = f"{layout.GODEL_JSON} is gone; is the disk mounted?"
            raise FileNotFoundError(errno.ENOENT, what, self.path)

    @contextmanager
    def explained(self, action: str) -> Iterator[None]:
        """Say what the operator may do about a disk that refuses: `DirectoryUnavailable`."""
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
        if names & {layout.METADATA_SQLITE, layout.LOG_END_CHECKPOINT}:
            raise DataDirectoryError(
                f"{join(self.path, layout.GODEL_JSON)} is missing; restore it from a backup, the "
                "partitions of the directory are untouched"
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
        self.is_new = not self.files.exists(join(self.path, layout.GODEL_JSON))
        if self.is_new:
            self.cluster_id = cluster_id or id_text(self._randomness.uuid_bytes())
            self.node_id = 1 if node_id is None else node_id
            write_mark(self.files, self.path, self._mark)
        try:
            self.cluster_id, self.node_id, self.known = read_mark(self.files, self.path)
            self._check_identity(node_id, cluster_id)
            new_id = self._randomness.uuid_bytes
            self.directory_id = directory_id(self.files, self.path, self._mark, new_id)
        except UnusableMark as mark:
            raise DataDirectoryError(str(mark)) from None

    def _check_identity(self, node_id: int | None, cluster_id: str | None) -> None:
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

    @property
    def _mark(self) -> Mark:
        return Mark(self.cluster_id, self.node_id, self.known)

    def remember(self, known: Mapping[bytes, str]) -> None:
        """Note which directories the broker has. Raises `DirectoryUnavailable`."""
        if known != self.known:
            self.known = known
            with self.explained("write to"):
                write_mark(self.files, self.path, self._mark)

    # How it was left

    def _take_stock(self) -> None:
        marker = join(self.path, layout.CLEAN_SHUTDOWN)
        self.was_clean = self.is_new or self.files.exists(marker)
        if not self.positions.read(self.problems):
            self.was_clean = False
        if self.files.exists(marker):
            self.files.remove(marker)
        self.files.sync_folder(self.path)
        self._look_at_folders()
        if self.was_clean:
            self._look_at_ends()
        self._forget_missing()

    def _look_at_folders(self) -> None:
        self._folders = sorted_folders(self.files.list_folders(self.path))
        for name in self._folders.strangers:
            if name not in UNREMARKABLE:
                self.problems.append(f"the folder {join(self.path, name)} is left alone")
        if strays := self._folders.strays:
            self.problems.append(
                f"{len(strays)} folders in {self.path} hold data of topics that are gone, set "
                f"aside by an earlier start (the first: {min(strays)}); nothing here reads or "
                f"removes them: if nobody needs the data, rm -r {self.path}/*-stray"
            )

    def _look_at_ends(self) -> None:
        """A log that has changed since a clean stop may have lost what clients were shown.

        So it is as after a crash, and leader epochs rise.
        """
        changed = [one for one in self.positions.ends if not self._is_as_left(one)]
        if changed:
            self.was_clean = False
            self.problems.append(
                f"logs in {self.path} that do not end where the last stop has left them: "
                f"{len(changed)} (the first: {min(changed)}); every log is checked as after a crash"
            )

    def _is_as_left(self, partition: TopicPartition) -> bool:
        """Whether a log's last segment has the size that was noted when it was closed.

        Another size is no broker's doing.
        """
        end = self.positions.ends[partition]
        path = join(self.folder(partition), layout.segment_file(end.base_offset, layout.LOG))
        try:
            return self.files.size(path) == end.size_bytes
        except OSError:  # whatever it is, recovering the log meets it again
            return False

    def _forget_missing(self) -> None:
        """A folder that is not there has no offsets; one made later under its name begins anew."""
        arriving = {move.partition for move in self._folders.moving if move.is_future}
        for partition in self.positions.partitions() - self._folders.partitions - arriving:
            self.positions.forget(partition)

    # Partitions

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """The partitions that have a folder, or were told where to make it."""
        return self._folders.partitions

    @property
    def moving(self) -> Sequence[MovingFolder]:
        """What was on its way to or from here when the last run ended."""
        return self._folders.moving

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
        with self.explained("use"):
            try:
                found = read_partition_metadata(self.files, folder)
            except DamagedCheckpoint as damage:
                raise DataDirectoryError(f"{damage}; restore it from a backup") from None
            if found is not None and found != topic_id:
                self._set_aside(partition, f"of topic {id_text(found)}")
            self.positions.write_if_stale()
        self._folders.partitions.add(partition)
        return folder

    def own(self, partition: TopicPartition) -> None:
        """Its folder has come here."""
        self._folders.partitions.add(partition)

    def disown(self, partition: TopicPartition) -> None:
        """Its folder is not here any more."""
        self._folders.partitions.discard(partition)
        self.positions.forget(partition)

    def set_aside(self, partition: TopicPartition, why: str) -> None:
        """Move a partition's folder out of the way; its data stays. `DirectoryUnavailable`."""
        with self.explained("use"):
            self._set_aside(partition, why)

    def _set_aside(self, partition: TopicPartition, why: str) -> None:
        folder = self.folder(partition)
        unique = self._randomness.uuid_bytes()
        aside = join(self.path, layout.stray_folder(partition, unique))
        self.files.replace(folder, aside)
        self.files.sync_folder(self.path)
        self.disown(partition)
        self.problems.append(f"{folder} is {why}: now {aside}")

    def delete_partition(self, partition: TopicPartition, *, delay_ms: float) -> None:
        """Take a partition's folder out of sight now and off the disk after the delay.

        Its log is closed or abandoned before. A folder that is not there is fine.
        """
        folder = self.folder(partition)
        deleted = join(self.path, layout.deleted_folder(partition, self._randomness.uuid_bytes()))
        self.disown(partition)
        with self.explained("delete from"):
            try:
                self.files.replace(folder, deleted)
            except FileNotFoundError:
                return
            self.files.sync_folder(self.path)
        self._remove_later(deleted, delay_ms)

    def remove_deleted(self, delay_ms: float) -> None:
        """Remove what the last run had deleted and had no time to remove, after the delay."""
        for name in self._folders.deleted:
            self._remove_later(join(self.path, name), delay_ms)
        self._folders.deleted.clear()

    def _remove_later(self, folder: str, delay_ms: float) -> None:
        remove = functools.partial(self._remove_folder, folder)
        self._clock.call_later(delay_ms, lambda: self.files.in_background(remove))

    def _remove_folder(self, folder: str) -> None:
        try:
            self.files.remove_folder(folder)
        except FileNotFoundError:  # somebody else is at it
            return
        except OSError as failure:
            self.problems.append(f"{folder} could not be removed: {failure}")

    # Recovery

    def unclean_logs(self, configs: Mapping[TopicPartition, LogConfig]) -> list[UncleanLog]:
        """Those of the partitions whose logs are to be recovered: all that have a folder."""
        positions = self.positions
        return [
            UncleanLog(
                partition,
                self.folder(partition),
                configs[partition],
                positions.recovery_points.get(partition, 0),
                positions.log_starts.get(partition, 0),
                positions.ends.get(partition),
                self.is_suspect,
                positions.clean_offsets.get(partition, 0),
            )
            for partition in self._folders.partitions
            if partition in configs
        ]

    def known_end(self, partition: TopicPartition) -> int | None:
        """The end of a log that was not opened since the start; None: one has to open it."""
        positions = self.positions
        noted = positions.recovery_points if self.was_clean else positions.checked_ends
        return noted.get(partition)

    # The end

    def close(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> bool:
        """Close the logs and let the directory go; see `close_logs`."""
        is_clean = self.close_logs(logs, high_watermarks)
        self.release()
        return is_clean

    def close_logs(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> bool:
        """Close the logs; True: that is marked, and the next start need not check anything.

        After an unclean start that is so only if every log was recovered or opened, and so checked.
        """
        is_clean = self.was_clean or self._folders.partitions <= {
            *logs,
            *self.positions.checked_ends,
        }
        for log in logs.values():
            try:
                log.close()
            except StorageFailed:
                is_clean = False
        try:
            self.positions.note(logs, high_watermarks)
            is_clean = self._sync_unopened(logs) and is_clean
            self.positions.write().result()
            if is_clean:
                marker = join(self.path, layout.CLEAN_SHUTDOWN)
                write_atomically(self.files, marker, CLEAN_SHUTDOWN_TEXT)
        except OSError:
            is_clean = False
        return is_clean

    def _sync_unopened(self, logs: Container[TopicPartition]) -> bool:
        """Sync what recovery found of cached logs that were not opened; False: not all."""
        is_whole = True
        for partition in tuple(self.positions.unsynced()):
            if partition not in logs:
                try:
                    sync_segments(self.files, self.folder(partition))
                    self.positions.note_synced(partition)
                except OSError:
                    is_whole = False
        return is_whole

    def describe(self) -> LogDirectory:
        """As clients are told of it."""
        try:
            space = self.files.space(self.path)
        except OSError:
            space = UNKNOWN_SPACE
        return LogDirectory(self.files.absolute(self.path), *space, True)

    def probe(self, files: Files) -> None:
        """Find out whether the disk still works, through any door to it. Raises OSError."""
        self._check_presence(files)
        path = join(self.path, layout.PROBE)
        write_atomically(files, path, b"")
        files.remove(path)

    def release(self) -> None:
        """Unlock it and leave it as it is: cleanly stopped if its logs were closed before."""
        self.positions.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
