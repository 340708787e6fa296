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
        self._has_thread = False
        self._lock = Lock()
        """Of both."""

    def add(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.append(work)
            if not self._has_thread:
                Thread(target=self._run, name="godel-background", daemon=True).start()
                self._has_thread = True

    def _run(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._has_thread = False
            return None
