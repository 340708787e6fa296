"""What hangs fails at its deadline, also when it hangs once more on its way out."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from compat_tests.deadline import within


def test_a_thread_that_waits_for_ever_fails_and_says_where(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="the step: not within"),
        within(0.05, "the step"),
    ):
        threading.Event().wait()
    assert "in test_a_thread_that_waits_for_ever_fails_and_says_where" in capfd.readouterr().err


def test_a_loop_whose_task_does_not_end_fails_and_says_where(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(stubborn())
        await task

    with pytest.raises(pytest.fail.Exception), within(0.05, "the loop", again_s=0.05):
        asyncio.run(main())
    assert "await asyncio.Event().wait()" in capfd.readouterr().err


def test_what_is_done_in_time_hears_nothing() -> None:
    with within(0.05, "the step"):
        pass
    threading.Event().wait(0.1)
