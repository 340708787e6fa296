"""A short run is clean; a broker that acknowledges before it writes is caught."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compat_tests.requirements import need_module, ours_only

for package in ("confluent_kafka", "kafka"):
    need_module(package)

from compat_tests.kill.checker import Finding, check
from compat_tests.kill.history import History, read_journals
from compat_tests.kill.report import report
from compat_tests.kill.run import Plan, Run

SEED = int(os.environ.get("GODEL_KILL_SEED", "2026"))


pytestmark = ours_only


def run(plan: Plan, folder: Path) -> tuple[History, list[Finding]]:
    Run(plan, folder, print)()
    history = read_journals(folder / "journals")
    findings = check(history)
    print(report(history, findings))
    return history, findings


@pytest.mark.parametrize(("caching", "kills"), [("false", 8), ("true", 5)])
def test_kills_leave_no_anomaly(tmp_path: Path, caching: str, kills: int) -> None:
    print(f"GODEL_KILL_SEED={SEED} repeats this run")
    plan = Plan(SEED, kills=kills, longest_life_s=1.5, settings=[f"write.caching={caching}"])
    history, findings = run(plan, tmp_path)
    assert not findings, [str(finding) for finding in findings[:10]]
    assert len(history.kills) == plan.kills + 1
    assert all(history.log.values())


def test_acknowledgements_before_the_write_are_caught(tmp_path: Path) -> None:
    plan = Plan(SEED, kills=3, longest_life_s=1.5, is_hasty=True, no_progress_s=3.0)
    _, findings = run(plan, tmp_path)
    assert {"lost-write", "nonmonotonic-commit"} <= {finding.kind for finding in findings}
