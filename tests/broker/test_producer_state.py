"""What a partition remembers of its producers: the rules one by one, then against a plain model."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from godel.broker.producer_state import BATCHES_REMEMBERED, Duplicate, ProducerState
from godel.errors import ApiError, ErrorCode
from godel.records.batch import BatchHeader, EndMarker, parse_header, read_end_marker
from godel.records.builder import build_batch, control_batch
from godel.records.partition_log import ProducerEntry

NOW_MS = 1_700_000_000_000
LARGEST = 2**31 - 1
OUT_OF_ORDER = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def header(
    sequence: int,
    count: int = 1,
    *,
    producer_id: int = 1,
    epoch: int = 0,
    transactional: bool = False,
    timestamp_ms: int = NOW_MS,
    base_offset: int = 0,
) -> BatchHeader:
    return BatchHeader(
        base_offset=base_offset,
        batch_length=49,
        partition_leader_epoch=-1,
        magic=2,
        crc=0,
        attributes=0x10 if transactional else 0,
        last_offset_delta=count - 1,
        base_timestamp=timestamp_ms,
        max_timestamp=timestamp_ms,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        records_count=count,
    )


def refusal(state: ProducerState, batch: BatchHeader) -> ErrorCode:
    with pytest.raises(ApiError) as raised:
        state.check(batch)
    return raised.value.code


@dataclass
class Partition:
    """Just enough of a partition to append to: it counts offsets."""

    state: ProducerState = field(default_factory=ProducerState)
    end_offset: int = 100
    now_ms: int = NOW_MS

    def append(self, batch: BatchHeader) -> Duplicate | None:
        duplicate = self.state.check(batch)
        if duplicate is None:
            self.state.update(batch, self.end_offset, self.now_ms)
            self.end_offset += batch.records_count
        return duplicate


def test_sequences_follow_each_other() -> None:
    partition = Partition()
    for sequence, count in ((0, 3), (3, 1), (4, 10)):
        assert partition.append(header(sequence, count)) is None
    for sequence in (13, 15, LARGEST):
        assert refusal(partition.state, header(sequence)) is OUT_OF_ORDER
    assert partition.append(header(14)) is None


def test_an_unknown_producer_may_begin_anywhere() -> None:
    assert Partition().append(header(4711, epoch=7)) is None


def test_sequences_wrap_to_zero() -> None:
    partition = Partition()
    partition.append(header(LARGEST - 1, 2))
    assert partition.append(header(0, 2)) is None
    assert partition.append(header(2)) is None


def test_a_batch_may_wrap_inside() -> None:
    partition = Partition()
    partition.append(header(LARGEST - 1, 5))
    assert partition.append(header(LARGEST - 1, 5)) == Duplicate(100, 104, NOW_MS)
    assert partition.append(header(3)) is None


def test_the_last_five_batches_may_come_again() -> None:
    partition = Partition()
    batches = [header(n * 2, 2, timestamp_ms=NOW_MS + n) for n in range(7)]
    for batch in batches:
        partition.append(batch)
    for n in range(7 - BATCHES_REMEMBERED, 7):
        assert partition.append(batches[n]) == Duplicate(100 + 2 * n, 101 + 2 * n, NOW_MS + n)
    for batch in batches[:2]:
        assert refusal(partition.state, batch) is OUT_OF_ORDER
    assert partition.end_offset == 114


def test_part_of_a_known_batch_is_no_duplicate() -> None:
    partition = Partition()
    partition.append(header(0, 4))
    for batch in (header(0, 3), header(1, 3), header(2, 2), header(3, 1), header(0, 5)):
        assert refusal(partition.state, batch) is OUT_OF_ORDER


def test_a_new_epoch_begins_at_zero_and_fences_the_old_one() -> None:
    partition = Partition()
    partition.append(header(0, 5, epoch=3))
    assert refusal(partition.state, header(5, epoch=4)) is OUT_OF_ORDER
    assert partition.append(header(0, 5, epoch=4)) is None
    for sequence in (0, 5):
        fenced = refusal(partition.state, header(sequence, 5, epoch=3))
        assert fenced is ErrorCode.INVALID_PRODUCER_EPOCH
    assert partition.append(header(5, epoch=4)) is None


def test_batches_of_an_older_epoch_are_no_duplicates() -> None:
    partition = Partition()
    partition.append(header(0))
    partition.append(header(0, epoch=1))
    assert partition.append(header(0, epoch=1)) == Duplicate(101, 101, NOW_MS)


def test_producers_do_not_disturb_each_other() -> None:
    partition = Partition()
    partition.append(header(0, producer_id=1))
    partition.append(header(9, producer_id=2, epoch=5))
    assert partition.append(header(1, producer_id=1)) is None
    assert partition.append(header(10, producer_id=2, epoch=5)) is None


# -- transactions ----------------------------------------------------------------------------------


def end_marker(producer_id: int, epoch: int = 0) -> tuple[BatchHeader, bytes]:
    batch = control_batch(
        EndMarker(True, 12), producer_id=producer_id, producer_epoch=epoch, timestamp_ms=NOW_MS
    )
    return parse_header(batch), batch


def test_a_transaction_is_open_from_its_first_batch_to_its_marker() -> None:
    state = ProducerState()
    assert state.first_unstable_offset is None
    state.replay(header(0, 2, producer_id=1, transactional=True, base_offset=5))
    state.replay(header(0, producer_id=2, transactional=True, base_offset=7))
    state.replay(header(2, producer_id=1, transactional=True, base_offset=8))
    assert state.first_unstable_offset == 5
    state.replay(*end_marker(1))
    assert state.first_unstable_offset == 7
    state.replay(*end_marker(2))
    assert state.first_unstable_offset is None
    assert {entry.coordinator_epoch for entry in state.snapshot()} == {12}


def test_a_marker_keeps_the_sequence_of_its_epoch_and_resets_that_of_a_new_one() -> None:
    state = ProducerState()
    state.replay(header(0, 3, transactional=True))
    state.replay(*end_marker(1))
    assert state.check(header(3, transactional=True)) is None
    state.replay(*end_marker(1, epoch=1))
    assert refusal(state, header(3)) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert refusal(state, header(4, epoch=1)) is OUT_OF_ORDER
    assert state.check(header(0, epoch=1)) is None


def test_no_plain_batch_inside_a_transaction() -> None:
    state = ProducerState()
    state.replay(header(0, transactional=True))
    assert refusal(state, header(1)) is ErrorCode.INVALID_TXN_STATE
    assert state.check(header(1, transactional=True)) is None


def test_a_marker_that_the_cleaner_emptied_still_ends_the_transaction() -> None:
    state = ProducerState()
    state.replay(header(0, transactional=True))
    marker, _ = end_marker(1)
    state.replay(marker._replace(records_count=0))
    assert state.first_unstable_offset is None
    assert state.snapshot()[0].coordinator_epoch == -1


def test_batches_without_producer_leave_no_trace() -> None:
    state = ProducerState()
    state.replay(parse_header(build_batch([(None, b"")], timestamp_ms=0)))
    assert len(state) == 0


def test_a_transaction_ends_for_good_when_its_marker_is_below_the_high_watermark() -> None:
    state = ProducerState()
    for producer_id, offset in ((1, 5), (2, 7)):
        state.update(header(0, producer_id=producer_id, transactional=True), offset, NOW_MS)
    for producer_id, offset in ((2, 8), (1, 9)):
        marker, batch = end_marker(producer_id)
        state.end_transaction(marker, offset, read_end_marker(batch), NOW_MS)
    firsts = []
    for high_watermark in (8, 9, 10):
        state.settle(high_watermark)
        firsts.append(state.first_unstable_offset)
    assert firsts == [5, 5, None]
    assert {entry.current_transaction_first_offset for entry in state.snapshot()} == {-1}


def test_what_the_log_holds_at_the_start_is_there_for_good() -> None:
    state = ProducerState()
    state.replay(header(0, transactional=True, base_offset=5))
    marker, batch = end_marker(1)
    state.replay(marker._replace(base_offset=6), batch)
    assert state.first_unstable_offset is None


def test_a_producer_of_which_kafka_knows_no_epoch_may_begin_anywhere() -> None:
    state = ProducerState()
    state.restore([ProducerEntry(1, -1, -1, -1, 0, NOW_MS, -1, -1)])
    assert state.check(header(4711, epoch=7)) is None


# -- snapshots and replay --------------------------------------------------------------------------


def test_a_snapshot_keeps_the_batches_that_may_come_again() -> None:
    """A crash may follow the roll of a segment, and any batch in flight may be sent again."""
    partition = Partition()
    for sequence in range(3):
        partition.append(header(sequence * 2, 2))
    partition.append(header(8, producer_id=2, epoch=6, transactional=True))
    snapshot = partition.state.snapshot()
    assert snapshot == [
        ProducerEntry(1, 0, 1, 101, 1, NOW_MS, -1, -1),
        ProducerEntry(1, 0, 3, 103, 1, NOW_MS, -1, -1),
        ProducerEntry(1, 0, 5, 105, 1, NOW_MS, -1, -1),
        ProducerEntry(2, 6, 8, 106, 0, NOW_MS, -1, 106),
    ]
    partition.state = ProducerState()
    partition.state.restore(snapshot)
    assert partition.state.snapshot() == snapshot
    assert partition.state.first_unstable_offset == 106
    assert partition.append(header(4, 2)) == Duplicate(104, 105, NOW_MS)
    assert partition.append(header(2, 2)) == Duplicate(102, 103, NOW_MS)
    assert partition.append(header(6)) is None


def test_a_snapshot_of_kafka_has_the_last_batch_of_a_producer_only() -> None:
    state = ProducerState()
    state.restore([ProducerEntry(1, 0, 5, 105, 1, NOW_MS, -1, -1)])
    assert state.check(header(4, 2)) == Duplicate(104, 105, NOW_MS)
    assert refusal(state, header(2, 2)) is OUT_OF_ORDER
    assert state.check(header(6)) is None


def test_a_snapshot_of_a_producer_with_nothing_but_a_marker() -> None:
    state = ProducerState()
    state.replay(*end_marker(3, epoch=9))
    (entry,) = snapshot = state.snapshot()
    assert entry == ProducerEntry(3, 9, -1, -1, 0, NOW_MS, 12, -1)
    state.restore(snapshot)
    assert state.snapshot() == snapshot
    assert refusal(state, header(1, producer_id=3, epoch=9)) is OUT_OF_ORDER


def test_restoring_replaces_everything() -> None:
    state = ProducerState()
    state.replay(header(0, transactional=True))
    state.restore([])
    assert (len(state), state.first_unstable_offset) == (0, None)


def test_open_transactions_of_a_snapshot_are_put_in_order() -> None:
    state = ProducerState()
    state.restore([ProducerEntry(n, 0, 0, 60 - n, 0, 0, -1, 50 - n) for n in range(5)])
    assert state.first_unstable_offset == 46


def test_batches_of_the_coordinator_carry_no_sequence() -> None:
    state = ProducerState()
    state.replay(header(-1, 3, transactional=True, base_offset=9))
    assert state.snapshot()[0].last_sequence == -1
    assert state.check(header(0, transactional=True)) is None


# -- forgetting ------------------------------------------------------------------------------------


def test_silence_is_what_expires_a_producer_not_old_records() -> None:
    partition = Partition()
    partition.append(header(0, producer_id=1, timestamp_ms=5))
    partition.now_ms += 600
    partition.append(header(0, producer_id=2, timestamp_ms=5))
    assert partition.state.expire(NOW_MS + 999, 1000) == 0
    assert partition.state.expire(NOW_MS + 1000, 1000) == 1
    assert [entry.producer_id for entry in partition.state.snapshot()] == [2]
    assert partition.append(header(77, producer_id=1)) is None


def test_after_a_restart_the_time_counts_from_the_first_look() -> None:
    state = ProducerState()
    state.restore([ProducerEntry(1, 0, 0, 0, 0, 5, -1, -1)])
    assert state.expire(NOW_MS, 1000) == 0
    assert state.expire(NOW_MS + 999, 1000) == 0
    assert state.expire(NOW_MS + 1000, 1000) == 1


def test_a_producer_inside_a_transaction_does_not_expire() -> None:
    partition = Partition()
    partition.append(header(0, transactional=True))
    assert partition.state.expire(NOW_MS + 10**9, 1) == 0


def test_the_number_of_producers_is_bounded() -> None:
    partition = Partition(ProducerState(limit=3))
    partition.append(header(0, producer_id=0, transactional=True))
    for producer_id in (1, 2):
        partition.append(header(0, producer_id=producer_id))
    partition.append(header(1, producer_id=1))
    for producer_id in range(10, 12):
        partition.append(header(0, producer_id=producer_id))
    assert sorted(entry.producer_id for entry in partition.state.snapshot()) == [0, 10, 11]
    assert partition.state.first_unstable_offset == 100


# -- against a model -------------------------------------------------------------------------------


class ProducersAgainstModel(RuleBasedStateMachine):
    """The model keeps every batch it ever accepted and asks the rules of KIP-98 of that list."""

    @initialize()
    def start(self) -> None:
        self.partition = Partition()
        self.log: list[tuple[BatchHeader, int]] = []
        self.known: dict[int, int] = {}
        """By producer, how many of its last batches may be told apart as duplicates."""

    def expected(self, batch: BatchHeader) -> Duplicate | ErrorCode | None:
        mine = [(h, at) for h, at in self.log if h.producer_id == batch.producer_id]
        if not mine:
            return None
        epoch = mine[-1][0].producer_epoch
        if batch.producer_epoch < epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        if batch.producer_epoch > epoch:
            return None if batch.base_sequence == 0 else OUT_OF_ORDER
        current = [(h, at) for h, at in mine if h.producer_epoch == epoch]
        last = current[-1][0]
        if batch.base_sequence == (last.base_sequence + last.records_count) % 2**31:
            return None
        for known, at in current[-self.known[batch.producer_id] :]:
            if (known.base_sequence, known.records_count) == (
                batch.base_sequence,
                batch.records_count,
            ):
                return Duplicate(at, at + known.records_count - 1, known.max_timestamp)
        return OUT_OF_ORDER

    @rule(
        producer_id=st.integers(1, 2),
        epoch=st.integers(0, 2),
        sequence=st.integers(0, 6) | st.integers(LARGEST - 3, LARGEST),
        count=st.integers(1, 3),
        timestamp_ms=st.integers(0, 5),
    )
    def send(
        self, producer_id: int, epoch: int, sequence: int, count: int, timestamp_ms: int
    ) -> None:
        batch = header(
            sequence, count, producer_id=producer_id, epoch=epoch, timestamp_ms=timestamp_ms
        )
        self.append(batch)

    @rule(data=st.data(), count=st.integers(1, 3))
    def send_next(self, data: st.DataObject, count: int) -> None:
        if self.log:
            last, _ = data.draw(st.sampled_from(self.log))
            sequence = (last.base_sequence + last.records_count) % 2**31
            self.append(
                last._replace(
                    base_sequence=sequence, records_count=count, last_offset_delta=count - 1
                )
            )

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        if self.log:
            self.append(data.draw(st.sampled_from(self.log))[0])

    def append(self, batch: BatchHeader) -> None:
        expected = self.expected(batch)
        if isinstance(expected, ErrorCode):
            assert refusal(self.partition.state, batch) is expected
            return
        at = self.partition.end_offset
        assert self.partition.append(batch) == expected
        if expected is None:
            mine = [h for h, _ in self.log if h.producer_id == batch.producer_id]
            same_epoch = bool(mine) and mine[-1].producer_epoch == batch.producer_epoch
            known = self.known.get(batch.producer_id, 0) if same_epoch else 0
            self.known[batch.producer_id] = min(known + 1, BATCHES_REMEMBERED)
            self.log.append((batch, at))

    @rule()
    def restart_from_the_log(self) -> None:
        state = ProducerState()
        for batch, at in self.log:
            state.replay(batch._replace(base_offset=at))
        self.partition.state = state
        for producer_id in self.known:
            epochs = [h.producer_epoch for h, _ in self.log if h.producer_id == producer_id]
            self.known[producer_id] = min(epochs.count(epochs[-1]), BATCHES_REMEMBERED)

    @rule()
    def restart_from_a_snapshot(self) -> None:
        snapshot = self.partition.state.snapshot()
        self.partition.state = ProducerState()
        self.partition.state.restore(snapshot)

    @invariant()
    def bounded(self) -> None:
        assert len(self.partition.state) == len({h.producer_id for h, _ in self.log})


ProducersAgainstModel.TestCase.settings = settings(max_examples=50, stateful_step_count=30)
TestProducersAgainstModel = ProducersAgainstModel.TestCase


@given(
    entries=st.lists(
        st.builds(
            ProducerEntry,
            st.integers(0, 50),
            st.integers(-1, 32767),
            st.integers(-1, LARGEST),
            st.integers(-1, 2**62),
            st.integers(0, LARGEST),
            st.integers(-1, 2**62),
            st.integers(-1, LARGEST),
            st.integers(-1, 2**62),
        ),
        max_size=20,
    )
)
def test_any_snapshot_can_be_restored(entries: list[ProducerEntry]) -> None:
    state = ProducerState()
    state.restore(entries)
    assert len(state) == len({entry.producer_id for entry in entries})
    again = ProducerState()
    again.restore(state.snapshot())
    assert again.snapshot() == state.snapshot()
