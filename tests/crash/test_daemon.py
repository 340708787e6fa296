"""SIGKILL at random moments of a daemon under load, on real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.daemon import Kills
from tests.fuzzing import IS_FUZZ, KILLS, SEED

RUNS, KILLS_EACH = (12, 25) if IS_FUZZ else (1, 6)


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("number", range(RUNS))
def test_a_killed_daemon_keeps_all_that_it_has_answered(
    number: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    kills = Kills(tmp_path / "data", SEED * 1000 + number)
    kills.run(KILLS_EACH)
    record_property(KILLS, kills.count)
