"""Tests of the error codes, against an independent list of them."""

from __future__ import annotations

import kafka.errors as client

from godel.errors import ApiError, ErrorCode


def test_codes_are_unique_and_without_gaps() -> None:
    assert sorted(ErrorCode) == list(range(-1, max(ErrorCode) + 1))


RENAMED = {
    ErrorCode.NOT_LEADER_OR_FOLLOWER: "NOT_LEADER_FOR_PARTITION",
    ErrorCode.MESSAGE_TOO_LARGE: "MESSAGE_SIZE_TOO_LARGE",
    ErrorCode.INVALID_TOPIC_EXCEPTION: "INVALID_TOPIC",
    ErrorCode.INVALID_REPLICA_ASSIGNMENT: "INVALID_REPLICATION_ASSIGNMENT",
}
"""Where the client has kept an old name."""


def test_a_code_means_to_a_client_what_it_means_to_us() -> None:
    for code in ErrorCode:
        if 0 < code < 128:
            error = client.for_code(int(code))
            assert (error.errno, error.message) == (code, RENAMED.get(code, code.name))
            # kafka-python does not try again after a corrupt message; the Java client does.
            is_retriable = code.retriable and code is not ErrorCode.CORRUPT_MESSAGE
            assert error.retriable == is_retriable, code


def test_retriable_codes_are_marked() -> None:
    assert ErrorCode.CORRUPT_MESSAGE.retriable
    assert not ErrorCode.UNKNOWN_SERVER_ERROR.retriable
    assert not ErrorCode.OFFSET_OUT_OF_RANGE.retriable


def test_an_api_error_carries_its_code_and_falls_back_to_its_name() -> None:
    assert str(ApiError(ErrorCode.INVALID_REQUEST)) == "INVALID_REQUEST"
    error = ApiError(ErrorCode.INVALID_REQUEST, "no such thing")
    assert (error.code, error.message) == (ErrorCode.INVALID_REQUEST, "no such thing")
