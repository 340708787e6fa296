"""Transactions in a partition: what is stable, what was aborted; then random histories."""

from __future__ import annotations

import errno
from collections.abc import Coroutine
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from godel.broker.waiting import Waiter
from godel.errors import ApiError, ErrorCode
from godel.records.batch import EndMarker, iterate_headers, parse_header
from godel.records.builder import NewRecord, build_batch
from godel.records.transactions import AbortedTransaction
from godel.storage.faulty_files import FaultyFiles, Kind
from tests.broker.test_partition import Fixture
from tests.transactions import NOW_MS, History, committed, transactional, uncommitted
from tests.wire import batch

pytestmark = pytest.mark.anyio

T = TypeVar("T")

COMMIT, ABORT = EndMarker(True, 0), EndMarker(False, 0)


def write(fixture: Fixture, *values: str, producer_id: int, epoch: int = 0) -> int:
    """Store a transactional batch as the broker's own coordinators do; where it ends."""
    data = transactional(*values, producer_id=producer_id, epoch=epoch)
    return fixture.partition.append_internal(data, parse_header(data))


def end(fixture: Fixture, producer_id: int, marker: EndMarker, *, epoch: int = 0) -> int:
    appended = fixture.partition.end_transaction(producer_id, epoch, marker, now_ms=NOW_MS)
    assert appended.next_offset == appended.base_offset + 1
    return appended.base_offset


def values(fixture: Fixture, *, committed_only: bool) -> list[str]:
    """What a consumer gets from the start on."""
    partition = fixture.partition
    found = partition.read(
        partition.log_start_offset, 1 << 20, committed_only=committed_only, at_least_one=True
    )
    aborted = [one[:2] for one in partition.aborted_transactions(partition.log_start_offset, found)]
    records = committed(found.pieces, aborted) if committed_only else uncommitted(found.pieces)
    return [(record.value or b"").decode() for record in records]


async def test_nothing_behind_an_open_transaction_is_stable() -> None:
    fixture = Fixture(write_caching="true")
    fixture.append("plain")
    write(fixture, "a", "b", producer_id=1)
    fixture.append("later")
    write(fixture, "c", producer_id=2)
    partition = fixture.partition
    assert (partition.last_stable_offset, partition.high_watermark) == (1, 5)
    assert values(fixture, committed_only=True) == ["plain"]
    assert values(fixture, committed_only=False) == ["plain", "a", "b", "later", "c"]
    end(fixture, 1, ABORT)
    assert (partition.last_stable_offset, partition.high_watermark) == (4, 6)
    assert values(fixture, committed_only=True) == ["plain", "later"]
    end(fixture, 2, COMMIT)
    assert partition.last_stable_offset == 7
    assert values(fixture, committed_only=True) == ["plain", "later", "c"]


async def test_a_transaction_is_decided_when_its_marker_is_visible() -> None:
    """A crash may take the marker away, and then it may end the other way."""
    fixture = Fixture()
    partition = fixture.partition
    write(fixture, "a", producer_id=1)
    fixture.sync()
    end(fixture, 1, COMMIT)
    fixture.append("later")
    assert (partition.last_stable_offset, partition.high_watermark) == (0, 1)
    fixture.sync()
    assert (partition.last_stable_offset, partition.high_watermark) == (3, 3)


async def test_the_earliest_of_several_undecided_transactions_counts() -> None:
    fixture = Fixture()
    partition = fixture.partition
    for producer_id in (1, 2, 3):
        write(fixture, "x", producer_id=producer_id)
    end(fixture, 2, COMMIT)
    fixture.sync()
    end(fixture, 1, ABORT)
    assert partition.last_stable_offset == 0
    fixture.sync()
    assert partition.last_stable_offset == 2
    end(fixture, 3, ABORT)
    fixture.sync()
    assert partition.last_stable_offset == partition.high_watermark == 6
    assert partition.log.aborted_transactions(0, 6) == [
        AbortedTransaction(1, 0, 4, 2),
        AbortedTransaction(3, 2, 5, 6),
    ]


async def test_a_marker_without_data_is_kept_and_aborts_nothing() -> None:
    fixture = Fixture(write_caching="true")
    end(fixture, 1, ABORT)
    assert fixture.partition.log.aborted_transactions(0, 9) == []
    assert fixture.partition.last_stable_offset == 1
    (entry,) = fixture.partition.producers.snapshot()
    assert (entry.producer_id, entry.coordinator_epoch) == (1, 0)


async def test_markers_of_the_past_are_refused() -> None:
    fixture = Fixture()
    write(fixture, "a", producer_id=1, epoch=3)
    with pytest.raises(ApiError) as refused:
        end(fixture, 1, COMMIT, epoch=2)
    assert refused.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    end(fixture, 1, EndMarker(True, 7), epoch=4)
    with pytest.raises(ApiError) as refused:
        end(fixture, 1, EndMarker(True, 6), epoch=4)
    assert refused.value.code is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    end(fixture, 1, EndMarker(True, 7), epoch=4)
    assert fixture.partition.end_offset == 3


async def test_clients_may_not_write_transactions_yet() -> None:
    fixture = Fixture()
    data = transactional("a", producer_id=1, sequence=0)
    with pytest.raises(ApiError) as refused:
        fixture.partition.append(data, now_ms=NOW_MS)
    assert refused.value.code is ErrorCode.INVALID_TXN_STATE


async def test_deleted_records_of_an_open_transaction_hold_nothing_back_before_the_start() -> None:
    fixture = Fixture(write_caching="true")
    write(fixture, "a", "b", producer_id=1)
    fixture.append("later")
    partition = fixture.partition
    partition.truncate_prefix(2)
    assert (partition.last_stable_offset, partition.high_watermark) == (2, 3)
    end(fixture, 1, COMMIT)
    assert partition.last_stable_offset == 4


async def test_a_marker_whose_index_entry_cannot_be_written_decides_nothing() -> None:
    fixture = Fixture(write_caching="true")
    write(fixture, "a", producer_id=1)
    fixture.files.fail(lambda one: one.kind is Kind.APPEND and one.path.endswith(".txnindex"))
    with pytest.raises(ApiError) as failed:
        end(fixture, 1, ABORT)
    assert failed.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    fixture.partition.configure(fixture.config(write_caching="true"))
    assert fixture.partition.log.failure is not None
    assert fixture.partition.end_offset == 1
    assert fixture.partition.last_stable_offset == 0
    assert values(fixture, committed_only=True) == []


@pytest.mark.parametrize("kind", [Kind.LINK, Kind.APPEND])
@pytest.mark.parametrize("file", [".txnindex", ".log"])
async def test_a_full_disk_refuses_a_marker_until_there_is_space(file: str, kind: Kind) -> None:
    """Wherever it is full: there is neither the marker nor its entry in the index."""
    fixture = Fixture(write_caching="true")
    write(fixture, "a", producer_id=1)
    write(fixture, "b", producer_id=2)
    fixture.files.fail(
        lambda one: one.kind in (kind, Kind.APPEND) and one.path.endswith(file), error=errno.ENOSPC
    )
    for _ in range(2):
        with pytest.raises(ApiError) as failed:
            end(fixture, 1, ABORT)
        assert failed.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    log = fixture.partition.log
    assert (log.failure, log.end_offset, log.aborted_transactions(0, 9)) == (None, 2, [])
    assert fixture.partition.last_stable_offset == 0
    fixture.files.faults = None
    fixture.append("between")
    end(fixture, 1, ABORT)
    end(fixture, 2, COMMIT)
    assert log.aborted_transactions(0, 9) == [AbortedTransaction(1, 0, 3, 1)]
    assert values(fixture, committed_only=True) == ["b", "between"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
async def test_an_entry_that_cannot_be_taken_back_fences(error: int) -> None:
    """With it and without its marker, what its producer then commits would be hidden."""
    fixture = Fixture(write_caching="true")
    write(fixture, "a", producer_id=1)
    end(fixture, 1, ABORT)
    write(fixture, "b", producer_id=1)
    fixture.files.fail(
        lambda one: (
            (one.kind is Kind.APPEND and one.path.endswith(".log"))
            or (one.kind is Kind.TRUNCATE and one.path.endswith(".txnindex"))
        ),
        error=error,
    )
    with pytest.raises(ApiError):
        end(fixture, 1, ABORT)
    fixture.files.faults = None
    with pytest.raises(ApiError):
        end(fixture, 1, COMMIT)
    assert fixture.partition.log.failure is not None


async def test_an_index_that_cannot_be_read_is_a_storage_error() -> None:
    fixture = Fixture(write_caching="true")
    write(fixture, "a", producer_id=1)
    end(fixture, 1, ABORT)
    fixture.files.fail(
        lambda one: one.kind is Kind.READ and one.path.endswith(".txnindex"), error=errno.EIO
    )
    with pytest.raises(ApiError) as failed:
        values(fixture, committed_only=True)
    assert failed.value.code is ErrorCode.KAFKA_STORAGE_ERROR


async def test_readers_of_committed_records_are_woken_when_transactions_end() -> None:
    fixture = Fixture(write_caching="true")
    all_readers, committed_reader = Waiter(10_000), Waiter(10_000, committed_only=True)
    fixture.partition.waiters |= {all_readers, committed_reader}
    size = len(batch("plain"))
    fixture.append("plain")
    assert committed_reader.missing_bytes == all_readers.missing_bytes == 10_000 - size
    write(fixture, "a" * 20_000, producer_id=1)
    assert all_readers.woken.done()
    assert not committed_reader.has_news or committed_reader.missing_bytes == 10_000 - size
    assert not committed_reader.woken.done(), "nothing of it is stable"
    end(fixture, 1, COMMIT)
    assert committed_reader.woken.done()


# -- against a model -------------------------------------------------------------------------------

PRODUCERS = st.integers(1, 4)
PAIRS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.text("xyz", max_size=30)), min_size=1, max_size=3
)


class TransactionsAgainstModel(RuleBasedStateMachine):
    """Producers, markers, syncs, rolls, deletions, restarts and power cuts."""

    def __init__(self) -> None:
        super().__init__()
        self.fixture = Fixture()
        self.history = History()
        self.fixture.partition.open()
        self.fixture.sync()
        self.fixture.files.sync_folder("data")

    def store(self, data: bytes) -> None:
        self.fixture.partition.append_internal(data, parse_header(data))

    @rule(producer_id=PRODUCERS, pairs=PAIRS)
    def write(self, producer_id: int, pairs: list[tuple[str, str]]) -> None:
        self.store(keyed(pairs, producer_id=producer_id))
        self.history.write(producer_id, *pairs)

    @rule(pairs=PAIRS)
    def write_plainly(self, pairs: list[tuple[str, str]]) -> None:
        self.store(keyed(pairs))
        self.history.write(-1, *pairs)

    @rule(producer_id=PRODUCERS, is_commit=st.booleans())
    def end(self, producer_id: int, is_commit: bool) -> None:
        end(self.fixture, producer_id, EndMarker(is_commit, 0))
        self.history.end(producer_id, is_commit=is_commit)

    @rule()
    def sync(self) -> None:
        self.fixture.sync()

    @precondition(lambda self: self.fixture.log.segments[-1].size_bytes > 0)
    @rule()
    def roll(self) -> None:
        self.fixture.log.roll()

    @rule(share=st.floats(0, 1))
    def delete_records(self, share: float) -> None:
        partition = self.fixture.partition
        room = partition.high_watermark - partition.log_start_offset
        partition.truncate_prefix(partition.log_start_offset + int(room * share / 2))
        finish(self.fixture.logs.save_log_starts())
        partition.maintain(NOW_MS, producer_expiration_ms=1 << 40)
        finish(self.fixture.logs.save_log_starts())
        partition.delete_old()

    @rule()
    def restart(self) -> None:
        partition = self.fixture.partition
        partition.close()
        assert finish(self.fixture.logs.close({}, {partition.id: partition.producers.snapshot()}))
        self.open(self.fixture.files)

    @rule(has_checkpoint=st.booleans())
    def cut_the_power(self, has_checkpoint: bool) -> None:
        if has_checkpoint:
            finish(self.fixture.logs.checkpoint({}))
        self.history.forget_from(self.fixture.log.flushed_offset)
        self.open(self.fixture.files.after_crash())
        end_offset = self.fixture.partition.end_offset
        assert all(one.offset < end_offset for one in self.history.events)
        self.history.end_offset = (
            end_offset  # a segment that began behind what is lost leaves a gap
        )

    def open(self, files: FaultyFiles) -> None:
        self.fixture = Fixture(files)
        self.fixture.partition.open()

    @rule(bound=st.integers(0, 5))
    def damage_an_index(self, bound: int) -> None:
        """What an earlier run has left is believed only if it can be true."""
        partition = self.fixture.partition
        partition.close()
        assert finish(self.fixture.logs.close({}, {partition.id: partition.producers.snapshot()}))
        files = self.fixture.files
        for name in files.list_files("data/t-0"):
            if name.endswith(".txnindex"):
                file = files.open(f"data/t-0/{name}")
                file.append((b"\1\2\3" * bound,), 3 * bound)
                file.sync()
        self.open(files)

    @invariant()
    def the_offsets_are_right(self) -> None:
        partition, history = self.fixture.partition, self.history
        assert partition.end_offset == history.end_offset
        high_watermark, start = partition.high_watermark, partition.log_start_offset
        least = max(history.last_stable_offset(high_watermark), start)
        most = history.last_stable_offset(high_watermark, start=start)
        assert least <= partition.last_stable_offset <= most, "a crash forgets deleted records"
        assert most <= high_watermark <= partition.end_offset

    @invariant()
    def the_index_has_what_was_aborted(self) -> None:
        """After a crash a transaction may begin with the first record that is not deleted."""
        partition, history = self.fixture.partition, self.history
        start, end_offset = partition.log_start_offset, partition.end_offset
        found = {
            one.last_offset: one for one in self.fixture.log.aborted_transactions(start, end_offset)
        }
        for aborted in history.aborted():
            assert aborted.last_offset is not None
            entry = found.pop(aborted.last_offset, None)
            offsets = history.offsets(aborted)
            visible = [offset for offset in offsets if offset >= start]
            if entry is None:
                assert not visible
            else:
                assert entry.producer_id == aborted.producer_id
                assert entry.first_offset in offsets
                assert entry.first_offset <= min(visible, default=aborted.last_offset)
        assert not found

    @invariant()
    def open_transactions_are_described(self) -> None:
        entries = self.fixture.partition.producers.last_entries()
        begun = {
            one.producer_id: one.current_transaction_first_offset
            for one in entries
            if one.current_transaction_first_offset >= 0
        }
        history, start = self.history, self.fixture.partition.log_start_offset
        with_records = {one.producer_id for one in history.events if one.offset >= start}
        opened = history.open_producers()
        assert opened & with_records <= set(begun) <= opened, "of deleted ones, not all are known"

    @rule(max_bytes=st.sampled_from([1, 200, 1 << 20]), committed_only=st.booleans())
    def read(self, max_bytes: int, committed_only: bool) -> None:
        partition = self.fixture.partition
        offset = partition.log_start_offset
        bound = partition.last_stable_offset if committed_only else partition.high_watermark
        expected = [
            (one.offset, one.key, one.value)
            for one in self.history.records(offset, bound, committed_only=committed_only)
        ]
        seen: list[tuple[int, str, str]] = []
        while offset < bound:
            found = partition.read(
                offset, max_bytes, committed_only=committed_only, at_least_one=True
            )
            aborted = partition.aborted_transactions(offset, found) if committed_only else ()
            records = (
                committed(found.pieces, [one[:2] for one in aborted], start=offset)
                if committed_only
                else uncommitted(found.pieces, start=offset)
            )
            seen += [
                (one.offset, (one.key or b"").decode(), (one.value or b"").decode())
                for one in records
            ]
            (buffer,) = found.pieces
            offset = [header.next_offset for header in iterate_headers(buffer)][-1]
        assert seen == expected


TransactionsAgainstModel.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestTransactionsAgainstModel = TransactionsAgainstModel.TestCase


def finish(running: Coroutine[object, None, T]) -> T:
    """What a coroutine that has nothing to wait for returns."""
    with pytest.raises(StopIteration) as end:
        running.send(None)
    value: T = end.value.value
    return value


def keyed(pairs: list[tuple[str, str]], *, producer_id: int = -1) -> bytes:
    """A batch inside the producer's transaction, or outside of any (-1)."""
    return build_batch(
        [NewRecord(key.encode(), value.encode()) for key, value in pairs],
        timestamp_ms=NOW_MS,
        producer_id=producer_id,
        producer_epoch=min(producer_id, 0),
        is_transactional=producer_id >= 0,
    )
