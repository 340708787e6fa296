"""Success and failure of one thing among several."""

from __future__ import annotations

from godel.client.outcomes import NotFound, Outcome
from godel.errors import ErrorCode


def test_an_outcome_has_an_error_or_none() -> None:
    assert Outcome.of("flights", 0).error is None
    failed = Outcome.of("flights", 36, "it exists").error
    assert failed is not None
    assert (failed.code, failed.message) == (ErrorCode.TOPIC_ALREADY_EXISTS, "it exists")


def test_what_is_not_found_is_named() -> None:
    assert str(NotFound("topic", "flihgts")) == "there is no topic flihgts"
