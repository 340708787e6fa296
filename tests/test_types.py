"""Tests of the small types."""

from __future__ import annotations

from godel.types import ZERO_ID, TopicPartition


def test_a_partition_as_text_is_the_name_of_its_folder() -> None:
    assert str(TopicPartition("late-flights", 12)) == "late-flights-12"


def test_the_id_that_means_none_is_sixteen_zero_bytes() -> None:
    assert ZERO_ID == b"\0" * 16
