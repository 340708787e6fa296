"""A thread for what a file system does slowly and nobody waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import RLock, Thread


class Background:
    """Does one thing after another, in a thread that ends when nothing is left to do.

    So there is nothing to close. A process that ends leaves undone what has not begun. What the
    file system refuses (OSError) stays undone; who is to know is told by the work itself.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._thread: Thread | None = None
        self._lock = RLock()
        """Of both. Garbage is collected at any time, and has descriptors to close."""

    def add(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.append(work)
            if self._thread is None or not self._thread.is_alive():
                thread = Thread(target=self._run, name="godel-background", daemon=True)
                with suppress(RuntimeError):  # the system refuses one: the next may do it, too
                    thread.start()
                    self._thread = thread

    def finish(self) -> None:
        """Return when all that was added is done."""
        if (thread := self._thread) is not None:
            thread.join()
        self._run()  # for what no thread was to be had

    def _run(self) -> None:
        while (work := self._next()) is not None:
            with suppress(OSError):
                work()

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._thread = None
            return None
