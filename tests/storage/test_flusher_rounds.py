"""Rounds of the flusher are bounded: thousands of logs must not pin thousands of descriptors."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from godel.storage.files import join
from godel.storage.flusher import LOGS_PER_ROUND, Flusher
from godel.storage.real_files import RealFiles
from tests.storage.harness import append_values, open_log

pytestmark = pytest.mark.anyio


async def test_many_logs_take_several_rounds_and_few_descriptors(tmp_path: Path) -> None:
    files = RealFiles(max_open=4 * LOGS_PER_ROUND)
    flusher = Flusher(files)
    count = 3 * LOGS_PER_ROUND
    logs = [open_log(files, join(str(tmp_path), f"t-{n}"), flusher=flusher) for n in range(count)]
    waiting = []
    for log in logs:
        append_values(log, 1)
        waiting.append(log.committed(1))
    await asyncio.gather(*(future for future in waiting if future is not None))
    assert flusher.rounds == 3
    assert all(log.flushed_offset == 1 for log in logs)
    assert files.open_count <= 4 * LOGS_PER_ROUND
    for log in logs:
        log.close()
    await flusher.close()
