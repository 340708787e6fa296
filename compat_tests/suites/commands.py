"""Programs that the suites call: run under a time limit, ended with all their children."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat_tests import environments

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "suites"
CANNOT_FETCH = 2
"""What `python -m compat_tests.suites` ends with where a suite cannot be had."""


class CannotFetch(Exception):
    """A suite is not there and cannot be had: a failure, never a silent skip."""


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise CannotFetch(f"{program} is not installed")


def install(client: str) -> None:
    """What a client's suite uses, too: see environments.py."""
    try:
        environments.install(client)
    except subprocess.CalledProcessError as error:
        raise CannotFetch(f"{client}: {error}\n{error.stderr[-4000:]}") from error


def prepare(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Run one step of fetching or building; its output, or CannotFetch with the end of it."""
    print("+", *command, flush=True)
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotFetch(
            f"{command[0]} ended with {done.returncode}:\n{(done.stderr or done.stdout)[-2000:]}"
        )
    return done.stdout


def run_limited(
    command: Sequence[str | Path],
    folder: Path,
    *,
    environment: Mapping[str, str],
    log: Path,
    timeout_s: float,
) -> int | None:
    """Run with all output in `log`; the status, or None if it had to be ended.

    Some suites leave tests out on CI, which they tell by the variable: they are not told.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
