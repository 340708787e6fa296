"""python -m compat_tests.kill [--seed N] [--kills N] [--set KEY=VALUE ...]: 1 on an anomaly."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from compat_tests.kill.checker import check
from compat_tests.kill.history import read_journals
from compat_tests.kill.report import report
from compat_tests.kill.run import Plan, Run


def main() -> int:
    described = argparse.ArgumentParser(prog="python -m compat_tests.kill")
    described.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    described.add_argument("--kills", type=int, default=50)
    described.add_argument("--rate", type=int, default=200, help="records a second per producer")
    described.add_argument("--life", type=float, default=2.5, help="longest life in seconds")
    described.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    described.add_argument("--folder", type=Path, help="where journals and broker data are kept")
    described.add_argument("--check", type=Path, help="check the journals of an earlier run again")
    described.add_argument(
        "--acknowledge-before-write",
        action="store_true",
        help="run the broker that lies, to see that it is caught",
    )
    options = described.parse_args()
    if options.check is not None:
        return reckon(options.check)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    plan = Plan(
        seed=options.seed,
        kills=options.kills,
        longest_life_s=options.life,
        per_second=options.rate,
        settings=options.set,
        is_hasty=options.acknowledge_before_write,
    )
    print(f"seed {plan.seed}, {plan.kills} kills, settings {plan.settings}, in {folder}")
    began_at = time.monotonic()
    Run(plan, folder, lambda line: print(line, flush=True))()
    print(f"ran {time.monotonic() - began_at:.0f} s; check again with --check {folder}")
    return reckon(folder)


def reckon(folder: Path) -> int:
    history = read_journals(folder / "journals")
    findings = check(history)
    print(report(history, findings))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
