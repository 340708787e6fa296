from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import TopicConfig, topic_config
from godel.records.partition_log import ProducerEntry
from godel.storage import checkpoints, log
from godel.storage.checkpoint_file import read_offsets
from godel.storage.checkpoints import LOGS_AT_ONCE, SOON_REPLAYED_BYTES
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.flusher import Flusher
from godel.storage.layout import RECOVERY_POINT_CHECKPOINT
from godel.storage.log import Log
from godel.storage.log_store import LocalLogStore
from godel.storage.producer_snapshot import read_producers
from godel.storage.real_files import RealFiles
from godel.types import TopicPartition
from tests.storage.harness import NOW_MS, append_values, open_log

pytestmark = pytest.mark.anyio

LIMIT_BYTES = 1000
TOPIC_ID = bytes(range(16))


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "BYTES_PER_CHECKPOINT", LIMIT_BYTES)
    monkeypatch.setattr(log, "REPLAYED_BYTES", 2 * LIMIT_BYTES)


class Fixture:
    """A store whose checkpoints follow what is written."""

    def __init__(self, files: FaultyFiles, *, is_cached: bool) -> None:
        clock, randomness = ManualClock(NOW_MS), Randomness(1)
        self.files = files
        self.config: TopicConfig = topic_config(
            BrokerConfig(), {"write.caching": str(is_cached).lower()}
        )
        self.store = LocalLogStore(
            DataDirectories.open(("data",), files=files, clock=clock, randomness=randomness),
            flusher=Flusher(files),
            clock=clock,
            randomness=randomness,
            log=structlog.get_logger(),
        )
        self.task = asyncio.ensure_future(self.store.run_checkpoints())

    def log(self, number: int = 0) -> Log:
        return self.store.open(TopicPartition("t", number), TOPIC_ID, self.config)

    def recovery_points(self) -> dict[int, int]:
        found = read_offsets(self.files, f"data/{RECOVERY_POINT_CHECKPOINT}")
        return {partition.partition: offset for partition, offset in found.items()}

    async def turns(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        assert not self.task.done()


@pytest.mark.parametrize("is_cached", [False, True])
async def test_recovery_points_follow_what_is_written(is_cached: bool) -> None:
    """Of a durable log without the batch just written, which its own sync covers a moment later."""
    fixture = Fixture(FaultyFiles(), is_cached=is_cached)
    await fixture.turns()
    first, second = fixture.log(0), fixture.log(1)
    append_values(first, 1, size=LIMIT_BYTES // 2)
    append_values(second, 1)
    await fixture.turns()
    assert fixture.recovery_points() == {}
    append_values(first, 1, size=LIMIT_BYTES // 2)
    await fixture.turns()
    assert fixture.recovery_points() == ({0: 2, 1: 1} if is_cached else {0: 1, 1: 1})
    append_values(second, 1, size=LIMIT_BYTES)
    await fixture.turns()
    assert fixture.recovery_points() == ({0: 2, 1: 2} if is_cached else {0: 2, 1: 1})
    fixture.task.cancel()


async def test_what_a_cached_log_wrote_before_survives_a_power_cut() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=True)
    await fixture.turns()
    log = fixture.log()
    append_values(log, 3, size=LIMIT_BYTES)
    await fixture.turns()
    append_values(log, 1)
    await fixture.turns()
    assert (log.flushed_offset, log.end_offset) == (3, 4)
    fixture.task.cancel()
    after = Fixture(fixture.files.after_crash(), is_cached=True)
    await after.store.recover({TopicPartition("t", 0): after.config}, threads=2)
    assert after.log().end_offset == 3
    after.task.cancel()


async def test_after_a_kill_only_what_was_written_since_is_read() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=False)
    await fixture.turns()
    log = fixture.log()
    for _ in range(20):
        append_values(log, 1, size=LIMIT_BYTES)
        await fixture.turns()
    append_values(log, 1)
    fixture.task.cancel()
    fixture.files.release_locks()
    after = Fixture(fixture.files, is_cached=False)
    log = after.log()
    assert log.end_offset == 21
    assert log.recovery_report.was_checked
    assert log.recovery_report.checked_bytes < 8 * LIMIT_BYTES  # an index entry in 4 KiB
    after.task.cancel()


async def test_producers_are_saved_where_much_would_have_to_be_replayed() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=False)
    await fixture.turns()
    log = fixture.log()
    log.on_snapshot_due = lambda: log.save_producers(
        [ProducerEntry(1, 0, 0, log.end_offset - 1, 0, NOW_MS, -1, -1)]
    )
    saved = []
    for _ in range(6):
        append_values(log, 1, size=LIMIT_BYTES)
        await fixture.turns()
        saved.append(log.latest_producers()[0])
    assert saved == [0, 2, 2, 4, 4, 6]
    fixture.task.cancel()


async def test_a_full_disk_is_reported_and_the_next_checkpoint_tried() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=False)
    await fixture.turns()
    log = fixture.log()
    fixture.files.fail(
        lambda one: one.kind is Kind.APPEND and "checkpoint" in one.path, error=errno.ENOSPC
    )
    with capture_logs() as lines:
        append_values(log, 1, size=LIMIT_BYTES)
        await fixture.turns()
    assert [line["event"] for line in lines] == ["disk_full", "checkpoint_failed"]
    fixture.files.faults = None
    append_values(log, 1, size=LIMIT_BYTES)
    await fixture.turns()
    assert fixture.recovery_points() == {0: 1}
    fixture.task.cancel()


async def test_a_cached_log_that_cannot_be_synced_is_fenced_and_the_others_go_on() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=True)
    await fixture.turns()
    first, second = fixture.log(0), fixture.log(1)
    append_values(first, 1)
    fixture.files.fail(lambda one: one.kind is Kind.SYNC and "t-0" in one.path)
    append_values(second, 1, size=LIMIT_BYTES)
    await fixture.turns()
    assert first.failure is not None
    assert fixture.recovery_points() == {0: 0, 1: 1}
    fixture.task.cancel()


async def test_requests_have_their_turn_and_may_delete_what_is_to_be_noted() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=False)
    logs = [fixture.log(number) for number in range(LOGS_AT_ONCE + 2)]
    for one in logs:
        append_values(one, 1)
        one.flush()
    checkpoint = asyncio.ensure_future(fixture.store.checkpoint({}))
    await asyncio.sleep(0)
    fixture.store.delete(TopicPartition("t", LOGS_AT_ONCE), fixture.config)
    await checkpoint
    assert fixture.recovery_points() == {
        number: 1 for number in range(LOGS_AT_ONCE + 2) if number != LOGS_AT_ONCE
    }
    fixture.task.cancel()


ENTRY = ProducerEntry(1, 0, 0, 2, 0, NOW_MS, -1, -1)


async def test_a_stop_keeps_the_producers_and_removes_what_it_kept_before() -> None:
    files = FaultyFiles()
    for end in (3, 6):
        fixture = Fixture(files, is_cached=False)
        append_values(fixture.log(), 3)
        producers = {TopicPartition("t", 0): [ENTRY._replace(last_offset=end - 1)]}
        assert await fixture.store.close({}, producers)
        fixture.task.cancel()
        fixture = Fixture(files, is_cached=False)
        assert fixture.log().latest_producers() == (end, [ENTRY._replace(last_offset=end - 1)])
        assert await fixture.store.close({}, producers)
        fixture.task.cancel()
    assert [name for name in files.list_files("data/t-0") if name.endswith(".snapshot")] == [
        f"{6:020d}.snapshot"
    ]


async def test_a_stop_writes_no_snapshot_that_says_nothing_of_a_small_log() -> None:
    files = FaultyFiles()
    partition = TopicPartition("t", 0)

    async def stop_after(values: int, producers: list[ProducerEntry]) -> list[str]:
        fixture = Fixture(files, is_cached=False)
        append_values(fixture.log(), values)
        assert await fixture.store.close({}, {partition: producers})
        fixture.task.cancel()
        return [name for name in files.list_files("data/t-0") if name.endswith(".snapshot")]

    assert await stop_after(3, []) == []
    assert await stop_after(3, [ENTRY]) == [f"{6:020d}.snapshot"]
    assert await stop_after(1, []) == [f"{7:020d}.snapshot"], "the producer is forgotten"


async def test_a_stop_spares_the_replay_of_a_larger_log() -> None:
    fixture = Fixture(FaultyFiles(), is_cached=False)
    while fixture.log().size_bytes <= SOON_REPLAYED_BYTES:
        append_values(fixture.log(), 10)
    end_offset = fixture.log().end_offset
    assert await fixture.store.close({}, {TopicPartition("t", 0): []})
    fixture.task.cancel()
    assert fixture.files.exists(f"data/t-0/{end_offset:020d}.snapshot")


@pytest.mark.parametrize(("error", "is_clean"), [(errno.ENOSPC, True), (errno.EIO, False)])
async def test_a_snapshot_that_cannot_be_written_is_done_without(
    error: int, is_clean: bool
) -> None:
    fixture = Fixture(FaultyFiles(), is_cached=False)
    append_values(fixture.log(), 3)
    fixture.log().flush()
    fixture.files.fail(lambda one: one.path.endswith(".snapshot"), error=error)
    assert await fixture.store.close({}, {TopicPartition("t", 0): [ENTRY]}) is is_clean
    fixture.task.cancel()
    fixture.files.faults = None
    fixture = Fixture(fixture.files.after_crash(), is_cached=False)
    assert fixture.log().end_offset == 3
    assert fixture.log().latest_producers() == (0, [])
    fixture.task.cancel()


async def test_snapshots_of_many_logs_are_written_in_several_threads(tmp_path: Path) -> None:
    files = RealFiles()
    logs = [open_log(files, str(tmp_path / "data" / f"t-{n}")) for n in range(40)]
    for one in logs:
        append_values(one, 1)
        one.close()
    clock, randomness = ManualClock(NOW_MS), Randomness(1)
    paths = (str(tmp_path / "data"),)
    (tmp_path / "data" / "godel.json").write_text(
        '{"format_version": 1, "cluster_id": "c", "node_id": 1}'
    )
    store = LocalLogStore(
        DataDirectories.open(paths, files=files, clock=clock, randomness=randomness),
        flusher=Flusher(files),
        clock=clock,
        randomness=randomness,
        log=structlog.get_logger(),
    )
    partitions = [TopicPartition("t", n) for n in range(40)]
    config = topic_config(BrokerConfig(), {})
    for partition in partitions:
        store.open(partition, TOPIC_ID, config)
    assert await store.close({}, {one: [ENTRY._replace(last_offset=0)] for one in partitions})
    for one in partitions:
        assert read_producers(files, f"{paths[0]}/t-{one.partition}", 1)
