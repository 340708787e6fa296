"""The end-to-end specs of node-rdkafka, which its npm package has in `e2e/`.

One file at a time, in a process of mocha's under a time limit.
"""

from __future__ import annotations

import json
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
        if only.partition("/")[0] in name:
            yield from run_spec(spec, name, folder, environment)


def run_spec(
    spec: Path, name: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[Result]:
    report, log = folder / f"{name}.json", folder / f"{name}.log"
    options = ("--exit", "--timeout", str(TEST_TIMEOUT_S * 1000))
    reporter = ("--reporter", "json", "--reporter-option", f"output={report}")
    status = run_limited(
        ["node", MOCHA, *options, *reporter, spec],
        SOURCE,
        environment=environment,
        log=log,
        timeout_s=FILE_TIMEOUT_S,
    )
    if not report.exists():
        late = f"not finished after {FILE_TIMEOUT_S:.0f} s"
        why = late if status is None else f"ended with status {status}"
        yield Result(name, "fail", 0.0, why)
        return
    found = json.loads(report.read_text())
    pending = {test["fullTitle"] for test in found["pending"]}
    for test in found["tests"]:
        yield read_test(name, test, is_pending=test["fullTitle"] in pending)
    for failure in found["failures"]:
        if " hook " in failure["title"]:  # it takes all tests behind it along
            yield read_test(name, failure, is_pending=False)


def read_test(name: str, test: Mapping[str, Any], *, is_pending: bool) -> Result:
    title, seconds = f"{name}/{one_line(test['fullTitle'])}", test.get("duration", 0) / 1000
    if is_pending:
        return Result(title, "skip", seconds, "pending")
    if error := test.get("err"):
        return Result(title, "fail", seconds, one_line(error.get("message", "")))
    return Result(title, "pass", seconds)
