"""The command line `godel` against the broker under test and against Apache Kafka: the same words.

`commands.txt` has commands behind `$`, lines of their standard input behind `<`, what they print,
what goes to standard error behind `!`, and behind `=` an exit status other than 0. What both
brokers answer must be the same, but for the words of an error. `RECORD_TRANSCRIPTS=1 pytest
compat_tests/cli` writes down what the last broker gave.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat_tests import apache_kafka
from compat_tests.brokers import BrokerProcess
from compat_tests.java.runner import need_kafkas_jars
from godel.cli.main import main

need_kafkas_jars()

pytestmark = pytest.mark.slow

TRANSCRIPT = Path(__file__).with_name("commands.txt")
CHANGING = [
    (r"\b127\.0\.0\.1(:|  +)\d+\b", r"HOST\1PORT"),
    (r"\bgodel-[0-9a-f]{8}-[0-9a-f-]{27}\b", "MEMBER"),
    (r"\bgodel-(doctor|bench)-[0-9a-f]{8}\b", r"godel-\1-NAME"),
    (r"(ID  +|CLUSTER  +|cluster )[\w-]{22}\b", r"\1ID"),
    (r'"id": "[\w-]{22}"', '"id": "ID"'),
    (r"\b1[6-9]\d{11}\b", "TIME"),
    (r"[\d.]+ (ms|s)\b", "N ms"),
    (r"^! error: .* (\([A-Z_]+\))$", r"! error: \1"),
    (r" {2,}", "  "),
]
"""What differs from run to run, and the words of a broker before the name of its error."""


class Result(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class Godel:
    """`godel` with a broker as bootstrap, in this process: a hundred starts would take minutes."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.folder = folder
        self._bootstrap = bootstrap

    def run(self, *words: str, stdin: str = "") -> Result:
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with pytest.MonkeyPatch.context() as patched:
            for name in [name for name in os.environ if name.startswith("GODEL_")]:
                patched.delenv(name)
            patched.setenv("GODEL_BOOTSTRAP", self._bootstrap)
            patched.setenv("XDG_CONFIG_HOME", str(self.folder))
            for name, stream in (("stdin", given), ("stdout", out), ("stderr", err)):
                patched.setattr(sys, name, stream)
            status = main(words)
        return Result(status, *(text_of(each) for each in (out, err)))

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--output", "json")
        assert done.status == 0, done.err
        return json.loads(done.out)


def text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


@pytest.fixture(scope="module", params=["broker", "kafka"])
def godel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Godel]:
    if os.environ.get("GODEL_COMPAT_BOOTSTRAP"):
        pytest.skip("the transcript needs a broker without any topic")
    if request.param == "kafka" and os.environ.get("GODEL_COMPAT_COMMAND"):
        pytest.skip("the broker under test is another one already")
    command = apache_kafka.command() if request.param == "kafka" else None
    broker = BrokerProcess(tmp_path_factory.mktemp(request.param), command)
    broker.start()
    yield Godel(broker.bootstrap, tmp_path_factory.mktemp("home"))
    broker.stop()


def test_every_command_says_the_same_on_both(godel: Godel) -> None:
    recorded = TRANSCRIPT.read_text(encoding="utf-8")
    printed = replay(recorded, godel)
    if os.environ.get("RECORD_TRANSCRIPTS"):
        TRANSCRIPT.write_text(printed, encoding="utf-8")
    else:
        assert printed == recorded


def replay(recorded: str, godel: Godel) -> str:
    """The transcript with what its commands print now."""
    printed: list[str] = []
    for block in recorded.split("$ ")[1:]:
        line, *rest = block.splitlines()
        given = [each[2:] for each in rest if each.startswith("< ")]
        done = godel.run(*shlex.split(line), stdin="".join(f"{each}\n" for each in given))
        printed += [f"$ {line}", *(f"< {each}" for each in given)]
        printed += [settled(each) for each in done.out.splitlines()]
        printed += [settled(f"! {each}") for each in done.err.splitlines()]
        if done.status:
            printed.append(f"= {done.status}")
        printed.append("")
    return "\n".join(printed).strip() + "\n"


def settled(line: str) -> str:
    for pattern, text in CHANGING:
        line = re.sub(pattern, text, line)
    return line.rstrip()


def test_settings_show_where_they_come_from(godel: Godel) -> None:
    godel.run("topics", "create", "sources", "--config", "retention.ms=1000")
    rows = godel.json("configs", "list", "--topic", "sources")
    sources = {row["name"]: row["source"] for row in rows}
    assert sources["retention.ms"] == "topic"
    assert sources["cleanup.policy"] == "default"
    (row,) = godel.json("configs", "get", "retention.ms", "--topic", "sources")
    assert row["documentation"]
    assert [each["name"] for each in row["synonyms"]] == ["retention.ms", "log.retention.hours"][
        : len(row["synonyms"])
    ]
    (row,) = godel.json("configs", "set", "log.retention.ms=9000", "--brokers")
    assert (row["value"], row["source"]) == ("9000", "all brokers, live")
    assert godel.run("configs", "unset", "log.retention.ms", "--brokers").status == 0


def test_the_doctor_finds_nothing_wrong(godel: Godel) -> None:
    findings = godel.json("doctor")
    assert {each["grade"] for each in findings} <= {"ok", "warning"}
    names = {each["check"] for each in findings}
    assert names >= {"advertised", "versions", "disk", "limits", "clock", "round trip", "groups"}


@pytest.mark.parametrize("name", ["flights.jsonl", "flights.batches"])
def test_an_export_comes_back_by_an_import(godel: Godel, name: str) -> None:
    source, copy = f"source-{name}", f"copy-{name}"
    godel.run("topics", "create", source, "-p", "3", "-c", "retention.ms=-1")
    lines = [
        json.dumps(
            {
                "key_base64": "/wA=" if number % 7 else None,
                "value": None if number % 5 == 0 else f"value {number}",
                "headers": [{"name": "h", "value": None}],
                "timestamp": 1_700_000_000_000 + number,
                "partition": number % 3,
            }
        )
        for number in range(2000)
    ]
    options = ("--json", "--compression", "lz4")
    assert godel.run("produce", source, *options, stdin="\n".join(lines)).status == 0
    path = str(godel.folder / name)
    assert godel.run("export", source, path).status == 0
    godel.run("topics", "create", copy, "-p", "3", "-c", "retention.ms=-1")
    assert godel.run("import", copy, path).status == 0
    before, after = (
        sorted(godel.run("export", topic).out.replace(topic, "T").splitlines())
        for topic in (source, copy)
    )
    assert len(before) == 2000
    assert before == after


@pytest.mark.parametrize("benchmark", ["produce", "consume", "e2e"])
def test_benchmarks_measure_and_clean_up(godel: Godel, benchmark: str) -> None:
    measured = godel.json("bench", benchmark, "-n", "200", "--size", "50", "-p", "2")
    assert measured["records"] >= 200
    assert measured["p99_ms"] > 0
    assert "godel-bench" not in godel.run("topics", "list").out
