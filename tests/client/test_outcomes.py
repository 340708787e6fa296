"""Success and failure of one thing among several."""

from __future__ import annotations

from godel.client.outcomes import NotFound, Outcome, as_asked
from godel.errors import ErrorCode


def test_an_outcome_has_an_error_or_none() -> None:
    assert Outcome.of("flights", 0).error is None
    failed = Outcome.of("flights", 36, "it exists").error
    assert failed is not None
    assert (failed.code, failed.message) == (ErrorCode.TOPIC_ALREADY_EXISTS, "it exists")


def test_outcomes_come_in_the_order_of_the_question() -> None:
    answered = [Outcome.of(name, 0) for name in ("b", "other", "a")]
    assert [each.name for each in as_asked(answered, ["a", "b"])] == ["a", "b", "other"]


def test_what_is_not_found_is_named() -> None:
    assert str(NotFound("topic", "flihgts")) == "there is no topic flihgts"
