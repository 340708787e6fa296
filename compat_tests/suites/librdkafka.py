"""The test runner of librdkafka, whose source @confluentinc/kafka-javascript carries.

Every number up to 0110 that needs a broker, one at a time, so that one that hangs ends alone. Some
call Kafka's own shell tools; without the jars of `compat_tests.setup` these fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from compat_tests.environments import CONFLUENT_JS
from compat_tests.java import jars
from compat_tests.suites.commands import CACHE, install, need, prepare, run_limited
from compat_tests.suites.results import Result, one_line, reference

NAME = "librdkafka"
SOURCE = CONFLUENT_JS / "deps" / "librdkafka"
TIMEOUT_S = 240.0
SETTINGS = " --advertise {host}:{port}"
SKIPPED = re.compile(r"\[(\w+) +/ +[\d.]+s\] WARN: SKIPPING TEST: (.*)")
COLOUR = re.compile(r"\x1b\[\d+m|\x1b\(B")
ADMIN_PARTS = """
    CreateTopics DeleteTopics CreatePartitions CreateAcls DescribeAcls DeleteAcls test_AlterConfigs
    IncrementalAlterConfigs DescribeConfigs DeleteRecords ListConsumerGroups DescribeConsumerGroups
    DescribeTopics DescribeCluster DeleteGroups DeleteConsumerGroupOffsets ListOffsets
    AlterConsumerGroupOffsets ListConsumerGroupOffsets UserScramCredentials
"""
# A test that is many, and ends at the first that fails: its parts by themselves as well.
PARTS = {"0081_admin": ADMIN_PARTS.split()}
OUTCOMES = {"PASSED": "pass", "FAILED": "fail", "SKIPPED": "skip"}
TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
}


def fetch() -> None:
    """The runner, compiled where the client's library is; that one is built only once."""
    need("npm", "node", "make", "gcc", "g++")
    # Test 0053 is compiled without its contents where RapidJSON is missing (rapidjson-dev).
    rapidjson = ["-x", "c++", "-include", "rapidjson/schema.h", "/dev/null"]
    prepare(["g++", "-fsyntax-only", *rapidjson], CACHE.parent)
    install("confluent_js")
    if not (SOURCE / "tests" / "test-runner").exists():
        prepare(["make", "-j2", "-C", "tests", "build"], SOURCE)


def run(bootstrap: str, folder: Path, *, only: str = "") -> Iterator[Result]:
    wanted = [name for name in reference(NAME) if "/" not in name]
    config = folder / "test.conf"
    config.write_text(f"bootstrap.servers={bootstrap}\n")
    environment = {
        "LD_LIBRARY_PATH": f"{SOURCE / 'src'}:{SOURCE / 'src-cpp'}",
        "RDKAFKA_TEST_CONF": str(config),
        "TEST_KAFKA_VERSION": "4.1.0",
        "BROKERS": bootstrap,
        "KAFKA_PATH": str(write_tools(folder)),
    }
    for number in dict.fromkeys(name[:4] for name in wanted):
        names = [name for name in wanted if name.startswith(number)]
        if not any(only in name for name in names):
            continue
        reported = run_number(number, folder, environment)
        if any(name not in reported for name in names):  # the runner splits them by scenario
            reported |= run_number(number, folder, environment, scenario="noautocreate")
        for name in names:
            yield reported.get(name) or left_out(name)
        for name in names:
            for part in PARTS.get(name, ()):
                results = run_number(number, folder, environment, part=part)
                yield replace(results.get(name) or left_out(name), name=f"{name}/{part}")


def left_out(name: str) -> Result:
    """By -E, which leaves out what needs librdkafka's socket emulator."""
    return Result(name, "skip", 0.0, "needs the socket emulator")


def run_number(
    number: str,
    folder: Path,
    environment: Mapping[str, str],
    *,
    scenario: str = "default",
    part: str = "",
) -> dict[str, Result]:
    """What the runner reports on all tests of a number, but for those of another scenario.

    `part`: only its subtests with this text in their name.
    """
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    log = folder / f"{number}-{part or scenario}.log"
    environment = {**environment, "TESTS": number, "TEST_REPORT": str(report)}
    if part:
        environment["SUBTESTS"] = part
    status = run_limited(
        ["./test-runner", "-p1", "-Q", "-E", "-s", scenario],
        SOURCE / "tests",
        environment=environment,
        log=log,
        timeout_s=TIMEOUT_S,
    )
    if status is None or not report.exists():
        names = [name for name in reference(NAME) if name[:4] == number and "/" not in name]
        late = f"not finished after {TIMEOUT_S:.0f} s"
        why = late if status is None else f"the runner ended with status {status}"
        return {name: Result(name, "fail", 0.0, why) for name in names}
    return read_report(report, COLOUR.sub("", log.read_text(errors="replace")))


def read_report(path: Path, said: str) -> dict[str, Result]:
    """The tests that ran or say in the log why not; the others are of another scenario."""
    skipped = dict(SKIPPED.findall(said))
    results = {}
    for name, test in json.loads(path.read_text(errors="replace"))["tests"].items():
        outcome, seconds = OUTCOMES.get(test["state"]), float(test["duration"])
        if outcome == "skip" and name in skipped:
            results[name] = Result(name, "skip", seconds, one_line(skipped[name]))
        elif outcome == "pass":
            results[name] = Result(name, "pass", seconds)
        elif outcome == "fail":
            results[name] = Result(name, "fail", seconds, failure(said))
    return results


def failure(said: str) -> str:
    """What the runner printed below the first failure."""
    lines = iter(said.splitlines())
    for line in lines:
        if line.startswith("### Test "):
            return one_line(next(lines, ""))
    return "no reason given"


def write_tools(folder: Path) -> Path:
    """Kafka's shell tools where KAFKA_PATH has them: bin/."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, class_name in TOOLS.items():
        script = programs / name
        script.write_text(
            f'#!/bin/sh\nexec java -Xmx256m -cp "{jars.folder()}/*" {class_name} "$@"\n'
        )
        script.chmod(0o755)
    return folder
