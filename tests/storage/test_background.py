"""What a file system does slowly keeps nobody waiting."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import topic_config
from godel.storage import layout
from godel.storage.background import Background
from godel.storage.data_directory import DataDirectory
from godel.storage.real_files import RealFiles
from godel.testing import Broker
from godel.types import TopicPartition
from tests.storage.harness import NOW_MS, append_values, open_log, open_store

DEADLINE_S = 10.0
PARTITION, TOPIC_ID = TopicPartition("t", 0), bytes(range(16))


class SlowToRemove(RealFiles):
    """Removals wait until the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.removed = threading.Event()

    def remove(self, path: str) -> None:
        assert self.released.wait(DEADLINE_S)
        super().remove(path)
        self.removed.set()

    def remove_folder(self, folder: str) -> None:
        assert self.released.wait(DEADLINE_S)
        super().remove_folder(folder)
        self.removed.set()


def test_nobody_waits_until_a_deleted_segment_is_off_the_disk(tmp_path: Path) -> None:
    files, clock = SlowToRemove(), ManualClock(NOW_MS)
    log = open_log(files, folder=str(tmp_path / "t-0"), clock=clock, retention_ms=1000)
    append_values(log, 3)
    clock.advance(2000)
    log.apply_retention(upper_bound=3)
    log.delete_old_segments()
    clock.advance(1000)  # the removal has begun, and cannot go on
    append_values(log, 3)
    assert [name for name in files.list_files(log.folder) if name.endswith(".log.deleted")]
    files.released.set()
    assert files.removed.wait(DEADLINE_S)


def test_nobody_waits_until_a_deleted_partition_is_off_the_disk(tmp_path: Path) -> None:
    files, clock = SlowToRemove(), ManualClock(NOW_MS)
    directory = DataDirectory(str(tmp_path), files, clock, Randomness(1))
    folder = directory.folder(TopicPartition("t", 0))
    files.make_folder(folder)
    directory.delete_partition(TopicPartition("t", 0), delay_ms=1000)
    clock.advance(1000)
    assert files.list_folders(str(tmp_path)) != []
    files.released.set()
    assert files.removed.wait(DEADLINE_S)
    assert files.list_folders(str(tmp_path)) == []
    assert directory.problems == []


@pytest.mark.anyio
async def test_a_closed_store_removes_nothing_any_more(tmp_path: Path) -> None:
    class SlowUntilWaitedFor(SlowToRemove):
        def finish_background(self) -> None:
            self.released.set()
            super().finish_background()

    files, clock, config = (
        SlowUntilWaitedFor(),
        ManualClock(NOW_MS),
        topic_config(BrokerConfig(), {}),
    )
    store = open_store(files, str(tmp_path), clock=clock)
    append_values(store.open(PARTITION, TOPIC_ID, config), 3)
    store.delete(PARTITION, config)
    clock.advance(config.file_delete_delay_ms)
    assert files.list_folders(str(tmp_path)) != []
    await store.close({})
    assert files.list_folders(str(tmp_path)) == []


@pytest.mark.anyio
async def test_a_directory_is_unlocked_whatever_keeps_a_store_from_waiting(tmp_path: Path) -> None:
    class Impatient(RealFiles):
        def finish_background(self) -> None:
            raise RuntimeError("can't start new thread")

    config = topic_config(BrokerConfig(), {})
    store = open_store(Impatient(), str(tmp_path))
    append_values(store.open(PARTITION, TOPIC_ID, config), 3)
    with pytest.raises(RuntimeError, match="thread"):
        await store.close({})
    again = open_store(RealFiles(), str(tmp_path))
    assert not again.open(PARTITION, TOPIC_ID, config).recovery_report.was_checked
    await again.close({})


def test_a_stop_that_is_killed_while_a_removal_hangs_was_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker, was_marked = tmp_path / layout.CLEAN_SHUTDOWN, []
    monkeypatch.setattr(
        RealFiles, "finish_background", lambda _files: was_marked.append(marker.exists())
    )
    with Broker(data=tmp_path):
        assert not marker.exists()
    assert was_marked == [True]


def test_work_is_done_in_its_order_and_the_thread_ends() -> None:
    background, done = Background(), threading.Event()
    order: list[int] = []
    threads: set[threading.Thread] = set()
    for number in range(100):
        background.add(partial(order.append, number))
    background.add(lambda: threads.add(threading.current_thread()))
    background.add(done.set)
    assert done.wait(DEADLINE_S)
    assert order == list(range(100))
    (thread,) = threads
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def refuse() -> None:
    raise OSError(errno.EIO, "close")


def test_what_the_file_system_refuses_keeps_nothing_else_from_being_done() -> None:
    background, done = Background(), threading.Event()
    background.add(refuse)
    background.finish()
    background.add(refuse)
    background.add(done.set)
    assert done.wait(DEADLINE_S)


class Refused(threading.Thread):
    """The system has no thread left."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("by", ["the next", "whoever waits"])
def test_work_that_no_thread_was_to_be_had_for_is_done_later(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    background, order = Background(), []
    with monkeypatch.context() as patched:
        patched.setattr("godel.storage.background.Thread", Refused)
        background.add(lambda: order.append(1))
    if by == "the next":
        background.add(lambda: order.append(2))
    background.finish()
    assert order == ([1, 2] if by == "the next" else [1])


def test_garbage_may_be_collected_while_something_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    background, done = Background(), threading.Event()

    class Collecting(threading.Thread):
        """Made while what is unreachable, and has a descriptor to close, is collected."""

        def __init__(self, *, target: Callable[[], object], name: str, daemon: bool) -> None:
            monkeypatch.undo()
            background.add(lambda: None)
            super().__init__(target=target, name=name, daemon=daemon)

    monkeypatch.setattr("godel.storage.background.Thread", Collecting)
    threading.Thread(target=background.add, args=(done.set,), daemon=True).start()
    assert done.wait(DEADLINE_S)
