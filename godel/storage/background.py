"""A thread for what a file system does slowly and nobody waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, Thread


class Background:
    """Does one thing after another, in a thread that ends when nothing is left to do.

    So there is nothing to close. A process that ends leaves undone what has not begun.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._thread: Thread | None = None
        self._lock = Lock()
        """Of both."""

    def add(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.append(work)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="godel-background", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Return when all that was added is done."""
        if (thread := self._thread) is not None:
            thread.join()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._thread = None
            return None
