"""Which client runs which scenario, written from a run's report: SCENARIOS.md.

`python -m compat_tests.scenarios REPORT...` reads what pytest's --junitxml wrote. What reference.py
has run on Apache Kafka goes to suites/reference/clients.tsv, so that the page can say where Kafka
gives something else.
"""

from __future__ import annotations

import argparse
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from compat_tests.suite import ClientSuite
from compat_tests.suites.results import REFERENCE

HERE = Path(__file__).resolve().parent
PAGE = HERE / "SCENARIOS.md"
KAFKA = REFERENCE / "clients.tsv"
HEAD = """\
# Which client runs which scenario

Written by `make compat-scenarios`; do not edit. The rows are the scenarios of `suite.py`, the same
for every client: **x** passes, **F** fails, a number is why the library cannot. What is only one
client's or tool's stands below. (Kafka: ...) is what Apache Kafka 4.3.1 gives where it gives
something else; """
SHARED = [name for name in vars(ClientSuite) if name.startswith("test_")]
MARKS = {"pass": "x", "fail": "F", "skip": ""}
WORST = ("fail", "skip", "pass")


class Outcome(NamedTuple):
    suite: str  # franz_go, or java_clients/TestJava4
    test: str  # without its parameters
    outcome: str
    reason: str


def outcomes(report: Path) -> Iterator[Outcome]:
    for case in ET.parse(report).getroot().iter("testcase"):
        parts = case.get("classname", "").split(".")
        if len(parts) < 2:  # a module that was skipped as a whole
            continue
        folder, last = parts[1], parts[-1]
        suite = f"{folder}/{last}" if folder == "java_clients" else folder
        test = re.sub(r"[\[@].*", "", case.get("name", ""))
        outcome, reason = "pass", ""
        for kind, meaning in (("skipped", "skip"), ("failure", "fail"), ("error", "fail")):
            if (element := case.find(kind)) is not None:
                outcome, reason = meaning, element.get("message", "")
        yield Outcome(suite, test, outcome, reason.partition("\n")[0])


def by_name(report: Path) -> dict[tuple[str, str], Outcome]:
    """The worst of those that differ in their parameters only; a codec that is missing is told."""
    found: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes(report):
        key = (outcome.suite, outcome.test)
        known = found.get(key)
        if known is None or WORST.index(outcome.outcome) < WORST.index(known.outcome):
            found[key] = outcome
    return found


def measured(kafka: dict[tuple[str, str], str]) -> str:
    clients = ", ".join(f"`{suite}`" for suite in sorted({suite for suite, _ in kafka}))
    return f"measured there are {clients}."


def matrix(found: dict[tuple[str, str], Outcome], kafka: dict[tuple[str, str], str]) -> str:
    clients = sorted({suite for suite, test in found if test == SHARED[0]})
    reasons: list[str] = []
    lines = [f"| scenario | {' | '.join(clients)} |", f"|---|{'---|' * len(clients)}"]
    for test in SHARED:
        cells = []
        for client in clients:
            outcome = found.get((client, test))
            cells.append("" if outcome is None else mark(outcome, reasons, kafka))
        lines.append(f"| {test.removeprefix('test_').replace('_', ' ')} | {' | '.join(cells)} |")
    notes = (f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    return "\n".join([*lines, "", *notes])


def mark(outcome: Outcome, reasons: list[str], kafka: dict[tuple[str, str], str]) -> str:
    text = MARKS[outcome.outcome]
    if outcome.outcome == "skip":
        if outcome.reason not in reasons:
            reasons.append(outcome.reason)
        text = str(reasons.index(outcome.reason) + 1)
    return text + remark(outcome, kafka)


def remark(outcome: Outcome, kafka: dict[tuple[str, str], str]) -> str:
    theirs = kafka.get((outcome.suite, outcome.test), outcome.outcome)
    return "" if theirs == outcome.outcome else f" (Kafka: {theirs})"


def others(found: dict[tuple[str, str], Outcome], kafka: dict[tuple[str, str], str]) -> str:
    tests: dict[str, list[str]] = defaultdict(list)
    for (suite, test), outcome in found.items():
        if test not in SHARED and suite not in ("kill", "suites"):
            said = {"pass": "", "fail": " **fails**", "skip": f" (skipped: {outcome.reason})"}
            name = test.removeprefix("test_").replace("_", " ")
            tests[suite].append(f"{name}{said[outcome.outcome]}{remark(outcome, kafka)}")
    return "\n".join(f"- `{suite}`: {'; '.join(names)}" for suite, names in sorted(tests.items()))


def read_reference() -> dict[tuple[str, str], str]:
    rows = (line.split("\t") for line in KAFKA.read_text().splitlines()) if KAFKA.exists() else ()
    return {(suite, test): outcome for suite, test, outcome in rows}


def take_reference(*reports: Path) -> None:
    """Write down what runs on Apache Kafka gave, in the place of what the suites gave before.

    Of a test that ran again the later outcome counts.
    """
    found: dict[tuple[str, str], Outcome] = {}
    for report in reports:
        found |= by_name(report)
    again = {suite for suite, _ in found}
    outcomes = {key: told for key, told in read_reference().items() if key[0] not in again}
    outcomes |= {key: outcome.outcome for key, outcome in found.items()}
    lines = (f"{suite}\t{test}\t{outcome}\n" for (suite, test), outcome in outcomes.items())
    KAFKA.write_text("".join(sorted(lines)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.scenarios")
    parser.add_argument("reports", type=Path, nargs="+")
    found: dict[tuple[str, str], Outcome] = {}
    for report in parser.parse_args().reports:
        found |= by_name(report)
    kafka = read_reference()
    parts = (HEAD + measured(kafka), matrix(found, kafka), "## Beyond", others(found, kafka))
    PAGE.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
