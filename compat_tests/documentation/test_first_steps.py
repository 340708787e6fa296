"""docs/first-steps.md: everything that it has one type, in its order, and what is printed then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from compat_tests.documentation.conftest import GODEL
from compat_tests.documentation.pages import RUN_TIMEOUT_S, Command, all_printed, fences, session

PAGE = "first-steps.md"


def typed(command: Command, bootstrap: str) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", command.text],
        env={
            **os.environ,
            "PATH": f"{GODEL.parent}{os.pathsep}{os.environ['PATH']}",
            "GODEL_BOOTSTRAP": bootstrap,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    return done.stdout.replace(bootstrap, "127.0.0.1:9092").splitlines()


def test_everything_typed_prints_what_the_page_says(empty: str) -> None:
    shown = session(PAGE)
    assert shown
    for command in shown:
        printed = typed(command, empty)
        assert all_printed(command.prints, printed), "\n".join([f"$ {command.text}", *printed])


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
