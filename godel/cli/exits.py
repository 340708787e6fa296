"""How commands end: the exit statuses, and what is said when something went wrong.

0    done
1    the cluster refused, or some of what was asked for failed
2    the command line or the profile file is wrong
3    no broker was reached, or none answered in time
4    a topic, group, partition, broker, setting or file of that name does not exist
130  interrupted (Ctrl-C)
141  whoever read the output went away (as SIGPIPE would)
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from enum import IntEnum
from typing import Any

import typer

from godel.cli.familiar import MEANT, known_as
from godel.cli.output import complain, say
from godel.cli.profile import InvalidProfile
from godel.client.cluster import InvalidAddress
from godel.client.connection import ConnectionFailed, UnsupportedApi
from godel.client.outcomes import NotFound, Outcome
from godel.errors import ApiError, CorruptBatch, EncodeError, ErrorCode


class Status(IntEnum):
    """Exit statuses. They do not change their meaning."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Refused(Exception):
    """The command cannot go on, for a reason to be told to a person."""

    def __init__(
        self, message: str, *, hint: str | None = None, status: Status = Status.FAILED
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status


NOT_FOUND_CODES = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.GROUP_ID_NOT_FOUND,
        ErrorCode.BROKER_NOT_AVAILABLE,
        ErrorCode.UNKNOWN_MEMBER_ID,
    }
)

HINTS = {
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "this client may not do that; ask for an ACL",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "this client may not do that; ask for an ACL",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "this client may not do that; ask for an ACL",
    ErrorCode.NON_EMPTY_GROUP: "stop its members first (`godel groups describe` names them)",
    ErrorCode.INVALID_REPLICATION_FACTOR: "there are not so many brokers; try --replicas 1",
    ErrorCode.COORDINATOR_NOT_AVAILABLE: "`godel doctor` looks for the reason",
}


WORDS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: "there is no such topic or partition",
    ErrorCode.GROUP_ID_NOT_FOUND: "there is no such group",
    ErrorCode.UNKNOWN_MEMBER_ID: "no such member",
    ErrorCode.NON_EMPTY_GROUP: "the group has members",
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC: "members of the group read the topic",
    ErrorCode.MESSAGE_TOO_LARGE: "larger than max.message.bytes of the topic",
    ErrorCode.RECORD_LIST_TOO_LARGE: "larger than a segment of the topic",
    ErrorCode.INVALID_TIMESTAMP: "the time is too far from the broker's",
    ErrorCode.NOT_ENOUGH_REPLICAS: "fewer replicas are in sync than min.insync.replicas",
    ErrorCode.LEADER_NOT_AVAILABLE: "no leader at present",
    ErrorCode.COORDINATOR_NOT_AVAILABLE: "groups have no coordinator at present",
    ErrorCode.REQUEST_TIMED_OUT: "the broker took too long",
    ErrorCode.KAFKA_STORAGE_ERROR: ("the broker's disk is full or has failed; its log says which"),
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "not allowed for this topic",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "not allowed for this group",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "not allowed for this cluster",
}
"""What Kafka's names mean, where a broker says no more than the name."""


def fail(error: Exception) -> Status:
    """Say what went wrong; the status to end with."""
    message, hint, status = explained(error)
    complain(message, hint)
    return status


def explained(error: Exception) -> tuple[str, str | None, Status]:
    """An error in words, what to do about it, and its exit status."""
    if isinstance(error, NotFound):
        return str(error), nearest(error.name, error.known), Status.NOT_FOUND
    if isinstance(error, ApiError):
        return described(error), HINTS.get(error.code), status_of(error)
    if isinstance(error, ConnectionFailed):
        hint = "is the broker running there? --bootstrap HOST:PORT or GODEL_BOOTSTRAP names it"
        return f"cannot talk to {error}", hint, Status.UNREACHABLE
    if isinstance(error, Refused):
        return str(error), error.hint, error.status
    if isinstance(error, InvalidAddress | InvalidProfile):
        return str(error), None, Status.WRONG_USAGE
    if isinstance(error, UnsupportedApi | EncodeError | CorruptBatch):
        return str(error), None, Status.FAILED
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        status = Status.NOT_FOUND if isinstance(error, FileNotFoundError) else Status.FAILED
        return f"{where}{error.strerror.lower()}", None, status
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text, "--debug shows where", Status.FAILED


def described(error: ApiError) -> str:
    """An answer of the broker: its own words, or ours, and Kafka's name for it."""
    words = error.message or WORDS.get(error.code)
    return f"{words} ({error.code.name})" if words else error.code.name


def status_of(error: ApiError) -> Status:
    if error.code in NOT_FOUND_CODES:
        return Status.NOT_FOUND
    return Status.UNREACHABLE if error.code is ErrorCode.REQUEST_TIMED_OUT else Status.FAILED


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The name that was probably meant."""
    found = get_close_matches(name, known, n=1)
    return f"did you mean {found[0]}?" if found else None


def end_with_failures(
    failures: Sequence[Outcome], known: Sequence[str] = (), *, hint: str | None = None
) -> None:
    """After the results: complain about each failure, and end with the status of the first.

    `known`: the names that there are, for what was not found. `hint`: for what has none of its own.
    """
    for failure in failures:
        assert failure.error is not None
        message, usual, status = explained(failure.error)
        meant = nearest(failure.name, known) if status is Status.NOT_FOUND else None
        complain(f"{failure.name}: {message}", usual or meant or hint)
    if failures:
        assert failures[0].error is not None
        raise typer.Exit(status_of(failures[0].error))


@contextmanager
def explaining(*, debug: bool) -> Iterator[None]:
    """Turn exceptions into words and an exit status; `debug` lets the traceback through."""
    try:
        yield
    except typer.Exit:
        raise
    except BrokenPipeError:
        raise typer.Exit(broken_pipe()) from None
    except Exception as error:
        if debug or _is_usage_error(error):
            raise
        raise typer.Exit(fail(error)) from None


def _is_usage_error(error: Exception) -> bool:
    """Typer says these itself, with the command's usage."""
    return hasattr(error, "exit_code") and hasattr(error, "format_message")


def broken_pipe() -> Status:
    """Nobody reads any more: throw away what is still buffered, so that nothing complains."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Status.BROKEN_PIPE


BAD_VALUE = re.compile(r"Invalid value for '(--[\w-]+)'")
UNKNOWN_WORD = re.compile(r"No such (?:command|option):? '?([\w.-]+)")
VALUE_ERROR = "Value error, "
"""What typer puts before its own words."""


def wrong_usage(error: Any) -> Status:
    """What typer found wrong with the words of a command, said in our way."""
    if type(error).__name__ == "NoArgsIsHelpError":
        say(error.format_message().rstrip())
        return Status.WRONG_USAGE
    said: str = error.format_message().removeprefix("Invalid value: ").replace(VALUE_ERROR, "")
    unknown = UNKNOWN_WORD.match(said)
    command = error.ctx.command_path if getattr(error, "ctx", None) else "godel"
    hint = known_as(unknown[1]) if unknown else None
    if bad := BAD_VALUE.match(said):
        hint = MEANT.get((command.rpartition(" ")[2], bad[1]))
    hint = hint or f"{command} --help"
    complain(said[:1].lower() + said[1:].rstrip("."), hint)
    return Status.WRONG_USAGE


def main_with_status(program: Callable[[], object]) -> int:
    """Run the program to its exit status."""
    status: int = Status.DONE
    try:
        try:
            returned = program()
            status = returned if isinstance(returned, int) else Status.DONE
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        except SystemExit as end:  # of shell completion
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception as error:
            if not _is_usage_error(error):
                raise
            status = wrong_usage(error)
        sys.stdout.flush()
    except BrokenPipeError:
        status = broken_pipe()
    return status
