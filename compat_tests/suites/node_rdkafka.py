"""The end-to-end specs of node-rdkafka, which its npm package has in `e2e/`.

One file at a time, in a process of mocha's under a time limit; what is tried again runs alone. A
hook that fails after a test keeps the tests behind it from running: these have failed, too, and are
tried again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from compat_tests.environments import CACHE, LIBRDKAFKA
from compat_tests.kafka_python.client import KafkaPython
from compat_tests.suites.commands import install, need, run_limited
from compat_tests.suites.results import Result, one_line

NAME = "node-rdkafka"
FOLDER = CACHE / "node_rdkafka"
SOURCE = FOLDER / "node_modules" / "node-rdkafka"
MOCHA = FOLDER / "node_modules" / "mocha" / "bin" / "mocha.js"
SETTINGS = " --advertise {host}:{port}"
TEST_TIMEOUT_S = 60
FILE_TIMEOUT_S = 300.0
# What its authors make before they run the specs.
TOPICS = ("test", "test2", "test3", "test4", "test5", "test6")


HOOK = re.compile(r' "(after|before) each" hook for "(?P<test>.*)"$')


def fetch() -> None:
    need("node", "npm", "make", "g++")
    install("node_rdkafka")


def run(bootstrap: str, folder: Path, *, only: str = "") -> Iterator[Result]:
    client = KafkaPython(bootstrap)
    for topic in set(TOPICS) - set(client.topics()):
        client.create_topic(topic)
    environment = {"KAFKA_HOST": bootstrap, "LD_LIBRARY_PATH": str(LIBRDKAFKA)}
    for spec in sorted(SOURCE.glob("e2e/*.spec.js")):
        name = spec.name.removesuffix(".spec.js")
        wanted, _, test = only.partition("/")
        if wanted in name:
            yield from run_spec(spec, name, folder, environment, test.removesuffix("..."))


def run_spec(
    spec: Path, name: str, folder: Path, environment: Mapping[str, str], test: str
) -> Iterator[Result]:
    """What the tests of a file give that have `test` in their names."""
    log = folder / f"{name}.log"
    options = ["--exit", "--timeout", str(TEST_TIMEOUT_S * 1000), "--fgrep", test]

    def mocha(report: Path, *more: str) -> int | None:
        reporter = ("--reporter", "json", "--reporter-option", f"output={report}")
        command = ["node", MOCHA, *options, *reporter, *more, spec]
        return run_limited(
            command, SOURCE, environment=environment, log=log, timeout_s=FILE_TIMEOUT_S
        )

    plan, report = folder / f"{name}-plan.json", folder / f"{name}.json"
    mocha(plan, "--dry-run")
    status = mocha(report)
    if not report.exists():
        late = f"not finished after {FILE_TIMEOUT_S:.0f} s"
        why = late if status is None else f"ended with status {status}"
        yield Result(name, "fail", 0.0, why)
        return
    planned = [test["fullTitle"] for test in json.loads(plan.read_text())["tests"]]
    yield from read_report(name, planned, json.loads(report.read_text()))


def read_report(name: str, planned: list[str], found: Mapping[str, Any]) -> Iterator[Result]:
    pending = {test["fullTitle"] for test in found["pending"]}
    results = {
        test["fullTitle"]: read_test(name, test, is_pending=test["fullTitle"] in pending)
        for test in found["tests"]
    }
    for failure in found["failures"]:
        title = failure["fullTitle"]
        if hook := HOOK.search(title):
            failed = {**failure, "fullTitle": f"{title[: hook.start()]} {hook['test']}"}
            results[failed["fullTitle"]] = read_test(name, failed, is_pending=False)
            kept = {"err": {"message": f"not run: {title}"}}
            for behind in planned:
                results.setdefault(
                    behind, read_test(name, {"fullTitle": behind, **kept}, is_pending=False)
                )
        elif " hook " in failure["title"]:  # before all tests of a part, which has no results then
            results[title] = read_test(name, failure, is_pending=False)
    yield from results.values()


def read_test(name: str, test: Mapping[str, Any], *, is_pending: bool) -> Result:
    title, seconds = f"{name}/{one_line(test['fullTitle'])}", test.get("duration", 0) / 1000
    if is_pending:
        return Result(title, "skip", seconds, "pending")
    if error := test.get("err"):
        return Result(title, "fail", seconds, one_line(error.get("message", "")))
    return Result(title, "pass", seconds)
