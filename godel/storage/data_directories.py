"""All data directories of a broker: which it has, where a partition is, which are offline.

One of them keeps the metadata, and a note of the ids and paths of all (`godel.json`). So a disk
that is not mounted, or left out of `log.dirs`, is told from a new one: its partitions are offline,
or the start is refused; they never come back empty somewhere else. Without the directory with the
metadata, or with none that works, there is no broker. Plays the part of Kafka's `LogManager`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from godel.clock import Clock, Randomness
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.data_directory import DataDirectory, DataDirectoryError, DirectoryUnavailable
from godel.storage.files import Files, join
from godel.storage.log import Log
from godel.storage.partition_metadata import id_text
from godel.storage.relocation import complete_moves
from godel.storage.reserve import RESERVE_BYTES, give_up_reserve, keep_reserve
from godel.types import TopicId, TopicPartition

Value = TypeVar("Value")


class AllDirectoriesFailed(DataDirectoryError):
    """Nothing is left that the broker could serve from."""


class DataDirectories:
    """Owned by the log store. Every partition has one home among those that work."""

    def __init__(
        self, metadata: DataDirectory, working: Sequence[DataDirectory], paths: Sequence[str]
    ) -> None:
        self.metadata = metadata
        self.paths = tuple(paths)
        """As they are configured, offline ones too."""
        self.working = list(working)
        self.failures: dict[str, str] = {}
        """Why a directory is offline, by its path."""
        self.offline: dict[TopicPartition, str] = {}
        """Partitions that cannot be served for now, and why."""
        self.was_clean = all(directory.was_clean for directory in working)
        self._homes: dict[TopicPartition, DataDirectory] = {}
        self._counts = dict.fromkeys(working, 0)
        self._twice: list[TopicPartition] = []
        for directory in working:
            for partition in directory.partitions:
                if partition in self._homes:
                    self._twice.append(partition)
                else:
                    self._settle(partition, directory)

    @classmethod
    def open(
        cls,
        paths: Sequence[str],
        *,
        files: Files,
        clock: Clock,
        randomness: Randomness,
        metadata_path: str | None = None,
        node_id: int | None = None,
    ) -> DataDirectories:
        """Open all of them; empty ones are made ours.

        `metadata_path`: which of them keeps the metadata, the first unless it is said. One that the
        disk refuses is offline. Raises `DataDirectoryError`.
        """
        metadata = DataDirectory.open(
            metadata_path or paths[0],
            files=files,
            clock=clock,
            randomness=randomness,
            node_id=node_id,
        )
        opened = {metadata.path: metadata}
        try:
            with metadata.explained("make room in"):
                if give_up_reserve(files, metadata.path):
                    metadata.problems.append(
                        f"the disk of {metadata.path} is full; {RESERVE_BYTES} bytes were kept for "
                        "this start and are used up now: delete something, or no next one may work"
                    )
            known_paths = set(metadata.known.values())
            failures: dict[str, str] = {}
            for path in paths:
                if path == metadata.path:
                    continue
                try:
                    opened[path] = DataDirectory.open(
                        path,
                        files=files,
                        clock=clock,
                        randomness=randomness,
                        node_id=metadata.node_id,
                        cluster_id=metadata.cluster_id,
                        is_known=files.absolute(path) in known_paths,
                    )
                except DirectoryUnavailable as failure:
                    failures[path] = f"{failure}; or, {giving_up(metadata)}"
            working = [opened[path] for path in paths if path in opened]
            remember(metadata, working, [files.absolute(path) for path in failures])
            with metadata.explained("finish moves between"):
                told = complete_moves(working, is_any_offline=bool(failures))
            metadata.problems += told
        except BaseException:
            for directory in opened.values():
                directory.close({}, {})
            raise
        directories = cls(metadata, working, paths)
        directories.failures = failures
        return directories

    @property
    def files(self) -> Files:
        return self.metadata.files

    @property
    def cluster_id(self) -> str:
        return self.metadata.cluster_id

    def keep_reserve(self) -> None:
        """Keep some space for a start on a full disk."""
        keep_reserve(self.files, self.metadata.path)

    def metadata_file(self) -> str:
        """Where the metadata are, or are to be. Raises `DataDirectoryError`: they are missing."""
        path = join(self.metadata.path, layout.METADATA_SQLITE)
        if self.files.exists(path):
            return path
        for directory in self.working:
            if self.files.exists(join(directory.path, layout.METADATA_SQLITE)):
                raise DataDirectoryError(
                    f"the metadata are in {directory.path}, not in {self.metadata.path}; name "
                    f"{directory.path} first in log.dirs, or as metadata.log.dir"
                )
        if self._homes:
            raise DataDirectoryError(
                f"{path} is missing, but there are partitions; restore it from a backup, or choose "
                "another directory with --data"
            )
        return path

    # Where partitions are

    def __contains__(self, partition: TopicPartition) -> bool:
        """Whether it has ever been opened: it has a folder, or should have one."""
        home = self._homes.get(partition)
        return home is not None and partition in home.partitions

    def home(self, partition: TopicPartition) -> DataDirectory:
        """The directory of a partition; for a new one that with the fewest.

        Raises `DirectoryUnavailable` for one that is offline. Source: `LogManager.nextLogDirs`.
        """
        home = self._homes.get(partition)
        if home is not None:
            return home
        if partition in self.offline:
            raise DirectoryUnavailable(self.offline[partition])
        home = min(self.working, key=self._counts.__getitem__)
        self._settle(partition, home)
        return home

    def _settle(self, partition: TopicPartition, home: DataDirectory) -> None:
        self._homes[partition] = home
        self._counts[home] += 1

    def _leave(self, partition: TopicPartition) -> DataDirectory | None:
        home = self._homes.pop(partition, None)
        if home is not None:
            self._counts[home] -= 1
        return home

    def share(
        self, directory: DataDirectory, of: Mapping[TopicPartition, Value]
    ) -> dict[TopicPartition, Value]:
        """What concerns the partitions at home in a directory."""
        homes = self._homes
        return {each: value for each, value in of.items() if homes.get(each) is directory}

    def place(self, partition: TopicPartition, home: DataDirectory) -> None:
        """Say where a partition is, or will be made."""
        self._leave(partition)
        self._settle(partition, home)

    def strand(self, partition: TopicPartition, reason: str) -> None:
        """Take one partition offline until the next start."""
        self._leave(partition)
        self.offline[partition] = reason

    def by_path(self, path: str) -> DataDirectory | None:
        """The working directory with this absolute path."""
        return next((at for at in self.working if at.files.absolute(at.path) == path), None)

    def delete(self, partition: TopicPartition, *, delay_ms: float) -> None:
        """Take a partition's folder away. Raises `DirectoryUnavailable`."""
        self.offline.pop(partition, None)
        home = self._leave(partition)
        if home is not None:
            home.delete_partition(partition, delay_ms=delay_ms)

    def set_aside_strays(self, known: Mapping[TopicPartition, TopicId]) -> None:
        """Move the folders of all other partitions out of the way; their data stays.

        A crash between the deletion of a topic and that of its folders leaves such; so does an old
        copy of the metadata, therefore nothing is removed. What has no folder while a directory is
        offline may be there, and is offline, too. Raises `DirectoryUnavailable`.
        """
        for partition, home in tuple(self._homes.items()):
            if partition not in known:
                home.set_aside(partition, "of no topic that exists")
                self._leave(partition)
        for partition in self._twice:
            if partition in known:
                self._choose_copy(partition, known[partition])
        if self.failures:
            reason = "; ".join(self.failures.values())
            for partition in known.keys() - self._homes.keys():
                self.offline.setdefault(partition, reason)

    def _choose_copy(self, partition: TopicPartition, topic_id: TopicId) -> None:
        """Two directories have a folder for it: one is an earlier topic's, or a copy."""
        right = []
        for directory in self.working:
            if partition in directory.partitions:
                try:
                    is_right = directory.topic_id(partition) == topic_id
                except (DamagedCheckpoint, OSError):
                    is_right = True
                if is_right:
                    right.append(directory)
                else:
                    directory.set_aside(partition, "of an earlier topic of this name")
        self._leave(partition)
        if len(right) == 1:
            self._settle(partition, right[0])
        elif right:
            paths = " and ".join(directory.path for directory in right)
            self.offline[partition] = (
                f"{paths} both have a folder for {partition}; move one of them away and start again"
            )

    # The end of one, and of all

    def fail(self, directory: DataDirectory, reason: str) -> list[TopicPartition]:
        """Take a directory offline, with the partitions that have a folder there: these.

        Raises `AllDirectoriesFailed` when the broker cannot go on without it.
        """
        homeless = [partition for partition, home in self._homes.items() if home is directory]
        for partition in homeless:
            self._leave(partition)
        lost = [partition for partition in homeless if partition in directory.partitions]
        self.offline |= dict.fromkeys(lost, reason)
        self.failures[directory.path] = reason
        self.working.remove(directory)
        directory.release()
        if not self.working:
            raise AllDirectoriesFailed(
                f"Shutdown broker because all log dirs in {', '.join(self.paths)} have failed; the "
                f"last: {reason}"
            )
        if directory is self.metadata:
            raise AllDirectoriesFailed(
                f"Shutdown broker because the metadata log dir {directory.path} has failed: "
                f"{reason}"
            )
        return lost

    def close(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> bool:
        """Close the logs and let the directories go; see `close_logs`."""
        is_clean = self.close_logs(logs, high_watermarks)
        self.release()
        return is_clean

    def close_logs(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> bool:
        """Close the logs; True: no next start need check anything. `release` has to follow."""
        is_clean = True
        for directory in self.working:
            own, own_marks = self.share(directory, logs), self.share(directory, high_watermarks)
            is_clean = directory.close_logs(own, own_marks) and is_clean
        return is_clean

    def release(self) -> None:
        """Unlock them."""
        for directory in self.working:
            directory.release()

    @contextmanager
    def given_back_on_failure(self) -> Iterator[None]:
        """Let them go as they were found when something else keeps the broker from starting."""
        try:
            yield
        except BaseException:
            self.close({}, {})
            raise


def remember(
    metadata: DataDirectory, working: Sequence[DataDirectory], unreachable_paths: Collection[str]
) -> None:
    """Note the directories that there are, and those that cannot be reached for now.

    Raises `DataDirectoryError`: one has been left out, or is there twice.
    """
    absolute = metadata.files.absolute
    current: dict[bytes, str] = {}
    for directory in working:
        other = current.setdefault(directory.directory_id, absolute(directory.path))
        if other != absolute(directory.path):
            raise DataDirectoryError(
                f"{directory.path} is a copy of {other}: they have the same directory.id; "
                "name only one of them in log.dirs"
            )
    gone = {id: path for id, path in metadata.known.items() if id not in current}
    for id, path in gone.items():
        if path not in unreachable_paths:
            raise DataDirectoryError(
                f"log.dirs does not name {path} any more (directory.id {id_text(id)}), which has "
                f"partitions of this broker; name it again, or, {giving_up(metadata)}"
            )
    if metadata.known or len(working) > 1:
        metadata.remember(gone | current)


def giving_up(metadata: DataDirectory) -> str:
    """What the operator does who has lost a disk for good."""
    return (
        'if its data are given up, remove it from "directories" in '
        f"{join(metadata.path, layout.GODEL_JSON)}"
    )
