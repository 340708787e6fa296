"""A broker that lies: python -m compat_tests.kill.hasty_broker, with the arguments of godel-broker.

It acknowledges every append, of producers and of group coordinators, at once, and writes it
`DELAY_S` later. Killed meanwhile, it has lost what it promised: the checker has to notice. Nothing
of the broker itself knows of this; the log that its store opens is another one here.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable

import godel.storage.log_store
from godel.daemon import main
from godel.records.batch import BatchHeader
from godel.storage.log import Log
from godel.types import Buffer

DELAY_S = 0.1


class HastyLog(Log):
    """A log whose end is a promise."""

    @property
    def _promised(self) -> deque[tuple[BatchHeader, bytes, int]]:
        return self.__dict__.setdefault("_promised_batches", deque())

    @property
    def end_offset(self) -> int:
        promised = sum(header.last_offset_delta + 1 for header, _, _ in self._promised)
        return super().end_offset + promised

    def append(self, header: BatchHeader, data: Buffer, leader_epoch: int) -> int:
        base_offset = self.end_offset
        self._promised.append((header, bytes(data), leader_epoch))
        asyncio.get_running_loop().call_later(DELAY_S, self._keep_promise)
        return base_offset

    def committed(self, offset: int) -> Awaitable[None] | None:
        del offset  # whichever it is
        return None

    def _keep_promise(self) -> None:
        if self._promised:
            super().append(*self._promised.popleft())

    def close(self) -> None:
        while self._promised:
            self._keep_promise()
        super().close()


if __name__ == "__main__":
    godel.storage.log_store.Log = HastyLog
    sys.exit(main())
