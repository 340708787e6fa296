"""A coordinator's partition: internal batches in, all of them out on replay."""

from __future__ import annotations

import pytest

from godel.broker.coordinator_log import PartitionCoordinatorLog
from godel.broker.partition import Partition
from godel.errors import ApiError, ErrorCode
from godel.records.batch import iterate_headers
from godel.records.builder import build_batch
from tests.broker.test_partition import Fixture
from tests.wire import NOW_MS

pytestmark = pytest.mark.anyio


def internal(*values: str, size: int = 0) -> bytes:
    records = [(value.encode(), value.encode() + bytes(size)) for value in values]
    return build_batch(records, timestamp_ms=NOW_MS)


async def test_appends_tell_the_offset_behind_and_wait_like_acks_all() -> None:
    fixture = Fixture(cleanup_policy="compact")
    log = PartitionCoordinatorLog(lambda: fixture.partition)
    assert log.append(internal("a", "b")) == 2
    assert log.append(internal("c")) == 3
    assert fixture.partition.high_watermark == 0
    committed = log.committed(3)
    if committed is not None:
        await committed
    assert fixture.partition.high_watermark == 3


async def test_replay_shows_every_batch_from_the_log_start_to_the_end() -> None:
    fixture = Fixture()
    log = PartitionCoordinatorLog(lambda: fixture.partition)
    assert list(log.replay()) == []
    for n in range(40):
        log.append(internal(f"{n}a", f"{n}b", size=50_000))
    fixture.partition.truncate_prefix(20)
    pieces = list(log.replay())
    offsets = [
        header.base_offset for piece in pieces for header in iterate_headers(memoryview(piece))
    ]
    assert offsets == list(range(20, 80, 2))
    assert len(pieces) > 1, "a piece at a time"


async def test_a_partition_that_is_gone_is_an_error() -> None:
    def find() -> Partition:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

    log = PartitionCoordinatorLog(find)
    with pytest.raises(ApiError):
        log.append(internal("a"))
    with pytest.raises(ApiError):
        log.committed(1)
