"""Every step of a test has a deadline: one that hangs says where, fails, and lets the others run.

At the deadline the stacks of all threads and tasks are printed and the main thread is interrupted
by a failure, again and again while that helps nothing (a client that ends its tasks may hang there,
too). A thread that is stuck in C hears no signal: the process ends with its stacks, and
pytest-xdist goes on with another, in which the test fails at once: it would hang again.
"""

from __future__ import annotations

import asyncio
import faulthandler
import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

DEADLINE_S = 600.0
"""A bound for what hangs, not an expectation: the longest step takes two minutes on a quiet day."""
MARKER = "deadline(seconds): how long a step of the test may take, if not as long as all others"
AGAIN_S = 30.0
GRACE_S = 120.0


RUNNING = Path(__file__).resolve().parents[1] / ".cache" / "running"
_terminal = pytest.StashKey[int]()


def set_up(config: pytest.Config) -> None:
    """Keep the way to the terminal: what a process writes while it is captured dies with it."""
    config.addinivalue_line("markers", MARKER)
    config.stash[_terminal] = os.dup(2)
    config.pluginmanager.register(OnceOnly())


def mark_of(item: pytest.Item) -> Path | None:
    """The file that is there while a worker of pytest-xdist runs the test."""
    worker = getattr(item.config, "workerinput", None)
    if worker is None:
        return None
    name = hashlib.sha256(item.nodeid.encode()).hexdigest()[:16]
    return RUNNING / f"{worker['testrunuid']}-{name}"


class OnceOnly:
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if mark := mark_of(item):
            if mark.exists():
                pytest.fail("the process ended in it, and is not risked again", pytrace=False)
            RUNNING.mkdir(parents=True, exist_ok=True)
            mark.touch()

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        if mark := mark_of(item):
            mark.unlink(missing_ok=True)


@contextmanager
def of_step(item: pytest.Item, step: str) -> Iterator[None]:
    terminal = item.config.stash[_terminal]
    with within(of(item), f"{step} of {item.nodeid}", last_words=terminal):
        yield


def of(item: pytest.Item) -> float:
    marker = item.get_closest_marker("deadline")
    return DEADLINE_S if marker is None else float(marker.args[0])


def tasks() -> set[asyncio.Task[object]]:
    """Those of the loop that runs in this thread, if one does."""
    try:
        return asyncio.all_tasks()
    except RuntimeError:
        return set()


@contextmanager
def within(
    seconds: float, what: str, *, again_s: float = AGAIN_S, last_words: int = 2
) -> Iterator[None]:
    """Fail in the main thread, which must be the caller's, when the block takes longer."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        for task in tasks():
            task.print_stack(file=sys.__stderr__)
        pytest.fail(f"{what}: not within {seconds:g} s; where it hangs is in its output")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, again_s)
    faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=last_words)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
