"""What the tests of packages and deployments need on a machine: tools, interpreters, a clean tree.

Missing: skipped with the reason, but a failure in `make package`, which installs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_S = 300.0
"""Longest time that a build or an installation may take."""


IN_MAKE_PACKAGE = "GODEL_MAKE_PACKAGE" in os.environ
installs = pytest.mark.skipif(not IN_MAKE_PACKAGE, reason="make package runs what installs things")


def run(*command: str | Path, timeout_s: float = BUILD_S, **environment: str) -> str:
    """What the command printed. Fails with all that it said when its status is not 0."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode:
        said = f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
        pytest.fail(said, pytrace=False)
    return done.stdout


def missing(what: str) -> NoReturn:
    reason = f"{what} is missing: make package installs it"
    if IN_MAKE_PACKAGE:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need_module(name: str) -> str:
    if find_spec(name) is None:
        missing(f"the Python package {name}")
    return name


def need_script(name: str) -> Path:
    """A program of this environment."""
    path = Path(sys.executable).with_name(name)
    return path if path.exists() else missing(name)


def need_program(name: str) -> Path:
    """One of the system: it comes with the machine, so its absence is never a failure."""
    found = shutil.which(name)
    return Path(found) if found else pytest.skip(f"this machine has no {name}")


def interpreter(minor: str) -> Path | None:
    """A Python of this minor version, on the path or through pyenv."""
    for candidate in (f"python{minor}", *pyenv_interpreters(minor)):
        asked = [candidate, "-c", "import sys; print(sys.executable)"]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return Path(done.stdout.strip())
    return None


def pyenv_interpreters(minor: str) -> list[str]:
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return []
    root = Path(run(pyenv, "root").strip())
    return [str(path) for path in sorted(root.glob(f"versions/{minor}.*/bin/python{minor}"))]


def copy_of_clone(target: Path) -> Path:
    """The tracked files and the new ones, without what builds and tests have left here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git clone: what belongs to it is unknown")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target
