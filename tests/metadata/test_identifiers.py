"""Names and ids: legal, colliding, reserved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.clock import Randomness
from godel.errors import ApiError, ErrorCode
from godel.metadata.identifiers import (
    CONSUMER_OFFSETS,
    RESERVED_IDS,
    check_name,
    collision_form,
    id_text,
    is_internal,
    may_collide,
    name_problem,
    new_id,
    parse_id,
)
from godel.types import ZERO_ID


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "...", "x" * 249, "-"])
def test_legal_names(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "x" * 250, "a b", "a/b", "ä", "a\n", "a\x00", "١", "a:b"]
)
def test_illegal_names(name: str) -> None:
    with pytest.raises(ApiError) as error:
        check_name(name)
    assert error.value.code is ErrorCode.INVALID_TOPIC_EXCEPTION
    assert error.value.message


def test_collisions() -> None:
    assert collision_form("a.b_c") == collision_form("a_b.c")
    assert may_collide("a.b")
    assert may_collide("a_b")
    assert not may_collide("a-b")


def test_internal_topics() -> None:
    assert is_internal(CONSUMER_OFFSETS)
    assert not is_internal("consumer_offsets")


@given(st.binary(min_size=16, max_size=16))
def test_the_text_of_an_id_comes_back(topic_id: bytes) -> None:
    text = id_text(topic_id)
    assert len(text) == 22
    assert parse_id(text) == topic_id


@pytest.mark.parametrize(
    "text", ["", "A" * 21, "A" * 23, "A" * 21 + "+", "A" * 21 + "B", "A" * 20 + "é", "A" * 21 + "ä"]
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="not the text of an id"):
        parse_id(text)


def test_ids_that_are_given_out() -> None:
    randomness = Randomness(1)
    ids = {new_id(randomness) for _ in range(500)}
    assert len(ids) == 500
    assert not ids & RESERVED_IDS
    assert not any(id_text(each).startswith("-") for each in ids)
    assert id_text(ZERO_ID) == "A" * 22
