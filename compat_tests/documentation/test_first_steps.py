"""docs/first-steps.md: everything that it has one type, in its order, and what is printed then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from compat_tests.documentation.pages import RUN_TIMEOUT_S, check_session, fences

PAGE = "first-steps.md"


def test_everything_typed_prints_what_the_page_says(empty: str, tmp_path: Path) -> None:
    check_session(PAGE, empty, tmp_path)


def test_the_test_passes(tmp_path: Path) -> None:
    ((_, text),) = (each for each in fences(PAGE, "In a test") if each[0] == "python")
    (tmp_path / "test_departures.py").write_text(text, encoding="utf-8")
    quiet = ["-q", "-W", "ignore", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, "test_departures.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout
