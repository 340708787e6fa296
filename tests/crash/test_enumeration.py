"""Power cuts at every moment of generated lives of a whole broker: no promise is broken.

`make fuzz` checks twenty thousand states and more; `make test` a sample, `make check` a small one.
To repeat one history: `make fuzz SEED=... ARGS='-k "any_moment and 17"'`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash.enumeration import Enumeration
from tests.disks import LoopExecutor, LoopSyncs
from tests.fuzzing import CRASH_STATES, IS_FUZZ, SEED

pytestmark = pytest.mark.anyio

HISTORIES, STATES = (80, 260) if IS_FUZZ else (4, 60)


@pytest.mark.slow
async def test_a_power_cut_in_a_short_life_breaks_no_promise() -> None:
    await Enumeration(SEED, share=0.1).run(states=25)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("number", range(HISTORIES))
async def test_a_power_cut_at_any_moment_breaks_no_promise(
    number: int,
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every other history with syncs and compactions between the requests, as with real files.

    Every other pair with two data directories.
    """
    monkeypatch.setattr("godel.storage.flusher.ThreadPoolExecutor", LoopExecutor)
    monkeypatch.setattr("godel.storage.flusher.SyncThread", LoopSyncs)
    monkeypatch.setattr("godel.storage.checkpoint_writer.ThreadPoolExecutor", LoopExecutor)
    monkeypatch.setattr("godel.storage.checkpoints.ThreadPoolExecutor", LoopExecutor)
    monkeypatch.setattr("godel.storage.cleaner.ThreadPoolExecutor", LoopExecutor)
    paths = ("data", "more") if number % 4 > 1 else ("data",)
    lives = Enumeration(SEED * 1000 + number, share=0.3, is_inline=number % 2 == 0, paths=paths)
    await lives.run(states=STATES)
    record_property(CRASH_STATES, lives.checked)
