"""Replicas: refused, accepted, spread."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.errors import ApiError, ErrorCode
from godel.metadata.assignment import (
    check_counts,
    check_factor,
    check_partition_count,
    checked,
    checked_new,
    spread,
)


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 100), st.data())
def test_leaders_go_round(count: int, brokers: int, first: int, data: st.DataObject) -> None:
    factor = data.draw(st.integers(1, brokers))
    ids = [id * 10 for id in range(brokers)]
    chosen = spread(count, factor, ids, first=first)
    assert len(chosen) == count
    assert all(len(set(each)) == factor and set(each) <= set(ids) for each in chosen)
    leads = Counter(each[0] for each in chosen)
    assert max(leads.values()) - min(leads.get(id, 0) for id in ids) <= 1


@pytest.mark.parametrize("factor", [0, -2, 3])
def test_a_bad_factor(factor: int) -> None:
    with pytest.raises(ApiError) as error:
        check_factor(factor, [1, 2])
    assert error.value.code is ErrorCode.INVALID_REPLICATION_FACTOR


def test_bad_counts() -> None:
    with pytest.raises(ApiError) as error:
        check_partition_count(0)
    assert error.value.code is ErrorCode.INVALID_PARTITIONS
    for counts in ((1, -1), (-1, 1)):
        with pytest.raises(ApiError) as error:
            check_counts(*counts)
        assert error.value.code is ErrorCode.INVALID_REQUEST
    check_counts(-1, -1)


@pytest.mark.parametrize(
    "assignments",
    [{1: [1]}, {0: []}, {0: [9]}, {0: [1, 1]}, {0: [1], 1: [1, 2]}, {0: [1], 2: [1]}],
)
def test_bad_assignments(assignments: dict[int, list[int]]) -> None:
    with pytest.raises(ApiError) as error:
        checked_new(assignments, [1, 2])
    assert error.value.code is ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert error.value.message


def test_good_assignments() -> None:
    assert checked_new({1: [2, 1], 0: [1, 2]}, [1, 2]) == [(1, 2), (2, 1)]
    assert checked([2], [1, 2], factor=1) == (2,)
