"""Producer snapshots against the batches before them."""

from __future__ import annotations

import pytest

from godel.operations.producer_check import ProducerCheck
from godel.records.batch import parse_header
from godel.records.partition_log import ProducerEntry
from tests.storage.harness import batch_of


def entry(**changes: int) -> ProducerEntry:
    return ProducerEntry(7, 1, 3, 3, 1, 0, -1, -1)._replace(**changes)


@pytest.fixture
def check() -> ProducerCheck:
    """Producer 7 wrote offsets 0 to 1, 2 to 3 and 4 to 5, in epoch 1."""
    check = ProducerCheck()
    check.expect([4, 6])
    for number in range(3):
        data = batch_of([b"a", b"b"], producer_id=7, producer_epoch=1, base_sequence=2 * number)
        check.see(parse_header(data)._replace(base_offset=2 * number))
    return check


def test_the_state_as_of_the_snapshot(check: ProducerCheck) -> None:
    assert list(check.compare(4, [entry()])) == []
    assert list(check.compare(6, [entry(last_sequence=5, last_offset=5)])) == []


def test_the_last_entry_of_a_producer_counts(check: ProducerCheck) -> None:
    assert list(check.compare(4, [entry(last_sequence=1, last_offset=1), entry()])) == []


def test_producers_whose_batches_are_gone_or_that_have_expired(check: ProducerCheck) -> None:
    assert list(check.compare(4, [entry(producer_id=8)])) == []
    assert list(check.compare(4, [])) == []


def test_an_epoch_that_a_marker_has_raised(check: ProducerCheck) -> None:
    raised = entry(producer_epoch=2, last_sequence=-1, last_offset=-1)
    assert list(check.compare(4, [raised])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        entry(last_offset=4),
        entry(last_sequence=1, last_offset=1),
        entry(last_sequence=2),
        entry(producer_epoch=0),
    ],
    ids=["behind the snapshot", "stale", "sequence", "epoch"],
)
def test_what_the_batches_contradict(check: ProducerCheck, wrong: ProducerEntry) -> None:
    assert len(list(check.compare(4, [wrong]))) == 1
