"""The tests that the pages show: they pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compat_tests.documentation.pages import RUN_TIMEOUT_S, fences, sections
from compat_tests.requirements import need_module

SHOWN = [
    (page, section, text)
    for page in ("testing.md", "first-steps.md")
    for section in sections(page)
    for language, text in fences(page, section)
    if language == "python"
]


@pytest.mark.parametrize(("page", "section", "text"), SHOWN, ids=[each[1] for each in SHOWN])
def test_the_test_passes(page: str, section: str, text: str, tmp_path: Path) -> None:
    need_module("kafka")
    (tmp_path / "test_shown.py").write_text(text, encoding="utf-8")
    quiet = ["-q", "-W", "ignore", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, "test_shown.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert "1 passed" in done.stdout, f"{page}, {section}:\n{done.stdout}"
