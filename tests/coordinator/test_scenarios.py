"""Every story in `scenarios/` prints what is recorded there.

`RECORD_SCENARIOS=1 pytest tests/coordinator/test_scenarios.py` writes down what they print now, to
be reviewed as a diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.coordinator.transcript import run

STORIES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story: Path) -> None:
    recorded = story.read_text()
    printed = run(recorded)
    if os.environ.get("RECORD_SCENARIOS"):
        story.write_text(printed)
    else:
        assert printed == recorded


def test_there_are_stories() -> None:
    assert len(STORIES) >= 20
