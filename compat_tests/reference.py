"""What Apache Kafka gives, part after part: python -m compat_tests.reference [PART...]

A part is a suite of `suites/`, or a folder or module of client tests. Each runs against a Kafka of
its own and is written down in suites/reference/ when it is done, beside what the others gave; so a
run that was broken off goes on with the part it was at. Parts that are named run again. Of a part
that cannot run on this machine nothing is written down.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from compat_tests import apache_kafka, scenarios
from compat_tests.suites import SUITES
from compat_tests.suites.commands import CANNOT_FETCH

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
REPORTS = ROOT / ".cache" / "reference"
# They start brokers of their own, or ask about ours what Kafka has no answer to.
OURS = ("documentation", "kill", "suites", "test_deadline.py", "test_reference.py")
PYTEST = (sys.executable, "-m", "pytest", "-q")
BROKEN_OFF = 2
"""Pytest's exit statuses from here on say that it did not run to its end."""
NOTHING_COLLECTED = 5


class NotToBeHad(Exception):
    """A part that this machine lacks something for."""


def clients() -> list[str]:
    folders = {path.relative_to(HERE).parts[0] for path in HERE.rglob("test_*.py")}
    return sorted(folders - set(OURS))


def run_suite(name: str, report: Path) -> None:
    command = [sys.executable, "-m", "compat_tests.suites", "--reference", name]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == CANNOT_FETCH:
        raise NotToBeHad
    done.check_returncode()
    report.touch()


def run_client(name: str, report: Path) -> None:
    """What fails has a second try."""
    partial, again = report.with_suffix(".part"), report.with_suffix(".again")
    again.unlink(missing_ok=True)
    if run_pytest(name, partial):
        run_pytest(name, again, "--last-failed")
    scenarios.take_reference(*(told for told in (partial, again) if told.exists()))
    partial.rename(report)


def run_pytest(name: str, report: Path, *options: str) -> bool:
    """Whether something failed. Raises `NotToBeHad`."""
    cache = f"cache_dir={REPORTS / 'pytest'}"
    done = subprocess.run(
        [*PYTEST, "-o", cache, f"--junitxml={report}", *options, HERE / name],
        cwd=ROOT,
        env=os.environ | {"GODEL_COMPAT_COMMAND": apache_kafka.command()},
        check=False,
    )
    if done.returncode == NOTHING_COLLECTED:
        raise NotToBeHad
    if done.returncode >= BROKEN_OFF:
        sys.exit(f"{name}: pytest ended with {done.returncode}")
    return bool(done.returncode)


def main() -> None:
    parts = dict.fromkeys(SUITES, run_suite) | dict.fromkeys(clients(), run_client)
    wanted = sys.argv[1:]
    if unknown := set(wanted) - parts.keys():
        sys.exit(f"no part is called {', '.join(unknown)}: {', '.join(parts)}")
    REPORTS.mkdir(parents=True, exist_ok=True)
    for name in wanted or parts:
        report = REPORTS / f"{name}.xml"
        if report.exists() and not wanted:
            print(f"{name}: done before ({report} says what it gave)")
            continue
        print(f"{name}: runs on Apache Kafka", flush=True)
        try:
            parts[name](name, report)
        except NotToBeHad:
            print(f"{name}: not to be had on this machine, nothing is written down", flush=True)


if __name__ == "__main__":
    main()
