"""The tests of segmentio/kafka-go, from its module on the Go module proxy.

Each top-level test runs alone, under a time limit. The tests speak to the broker 1 that is known as
localhost:9092; in our copy it has the port of the broker under test.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from compat_tests.suites.commands import CACHE, need, prepare, run_limited
from compat_tests.suites.results import Result, one_line

NAME = "kafka-go"
MODULE = "github.com/segmentio/kafka-go@v0.4.51"
FOLDER = CACHE / NAME
SOURCE = FOLDER / "source"
READY = FOLDER / ".ready"
TIMEOUT_S = 180.0
SETTINGS = " --advertise localhost:{port} --set node.id=1"
# Its results go into EXPECTED.md under these names; the other packages need no broker.
PACKAGES = (".", "./sasl")
# Subtests whose own code panics, which ends all others of the test.
PANICS = {
    "TestReaderConsumerGroup": (
        "consumer_group_commits_on_close",
        "verify_offset_committed",
        "verify_offset_committed_when_using_interval_committer",
    )
}
VERDICT = re.compile(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+)s\)$")
OUTCOMES = {"PASS": "pass", "FAIL": "fail", "SKIP": "skip"}
PORT = "9092"  # what the tests expect the broker to have


def environment() -> dict[str, str]:
    return {
        "GOPATH": str(FOLDER / "gopath"),
        "GOFLAGS": "-modcacherw -buildvcs=false -mod=mod",
        "KAFKA_VERSION": "4.3.1",
        "KAFKA_SKIP_NETTEST": "1",
    }


def fetch() -> None:
    if READY.exists():
        return
    need("go")
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = prepare(["go", "mod", "download", "-json", MODULE], FOLDER, **environment())
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(json.loads(found)["Dir"], SOURCE)
    for package in PACKAGES:  # compiles the dependencies, too
        prepare(["go", "test", "-c", "-o", os.devnull, package], SOURCE, **environment())
    READY.touch()


def run(bootstrap: str, folder: Path, *, only: str = "") -> Iterator[Result]:
    port = bootstrap.rpartition(":")[2]
    source = built(port)
    for package in PACKAGES:
        binary, inside = source / program(package), source / package
        for test in prepare([binary, "-test.list", "^Test"], inside).split():
            if only.partition("/")[0] not in test:
                continue
            found: dict[str, Result] = {}
            for number, choice in enumerate(choices(test)):
                log = folder / f"{test}-{number}.log"
                status = run_limited(
                    [binary, "-test.v", *choice, f"-test.timeout={TIMEOUT_S:.0f}s"],
                    inside,
                    environment=environment(),
                    log=log,
                    timeout_s=TIMEOUT_S + 10,
                )
                text = log.read_text(errors="replace").replace(f":{port}", f":{PORT}")
                for result in read_log(test, status, text):
                    known = found.get(result.name)
                    if known is None or known.outcome == "pass":
                        found[result.name] = result
            yield from found.values()


@functools.cache
def built(port: str) -> Path:
    """The tests of a broker at that port, compiled once: a test that is tried again need not be."""
    source = FOLDER / "built"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(SOURCE, source)
    point_at(source, port)
    for package in PACKAGES:
        prepare(["go", "test", "-c", "-o", program(package), package], source, **environment())
    return source


def program(package: str) -> str:
    return f"tests{package.replace('/', '-')}"


def choices(test: str) -> list[list[str]]:
    """The options that select a test: all at once, or without what would end the process first."""
    whole = f"-test.run=^{test}$"
    panics = PANICS.get(test, ())
    if not panics:
        return [[whole]]
    others = [whole, f"-test.skip=^{test}$/^({'|'.join(panics)})$"]
    return [others, *([f"{whole}/^{panic}$"] for panic in panics)]


def point_at(source: Path, port: str) -> None:
    """Also what is no test: the library's default port is 9092."""
    for path in source.glob("*.go"):
        path.write_text(path.read_text().replace(PORT, port))


def read_log(test: str, status: int | None, text: str) -> Iterator[Result]:
    """The verdicts on a test and its subtests; a failure's reason is what it last said before."""
    lines = text.splitlines()
    seen = set()
    for at, line in enumerate(lines):
        verdict = VERDICT.match(line)
        if verdict is None:
            continue
        outcome, name, seconds = verdict.groups()
        seen.add(name)
        reason = "" if outcome == "PASS" else explanation(lines, at)
        yield Result(name, OUTCOMES[outcome], float(seconds), reason)
    if test not in seen:
        ended = "not finished in time" if status is None else f"ended with status {status}"
        panic = next((line for line in lines if line.startswith("panic:")), ended)
        yield Result(test, "fail", TIMEOUT_S if status is None else 0.0, one_line(panic))


def explanation(lines: list[str], at: int) -> str:
    """The first line of what the test logged: indented, `file.go:12: text`, around its verdict."""
    said = re.compile(r"^\s+\w+\.go:\d+: (.*)")
    depth = len(lines[at]) - len(lines[at].lstrip())
    for line in lines[at + 1 :]:
        found = said.match(line)
        if found and len(line) - len(line.lstrip()) > depth:
            return one_line(found[1] or "")
        break
    for line in reversed(lines[:at]):
        found = said.match(line)
        if found:
            return one_line(found[1] or "")
        if line.lstrip().startswith(("--- ", "=== RUN")):
            break
    return ""
