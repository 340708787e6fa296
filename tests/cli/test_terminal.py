"""Commands on a terminal: questions, progress, live views, Ctrl-C; and in a pipe that closes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from godel.protocol.messages.metadata import MetadataRequest
from godel.testing import Broker
from tests.cli.terminal import CTRL_C, CTRL_D, Terminal, environment
from tests.wire import Client, batch

pytestmark = pytest.mark.slow

Start = Callable[..., Terminal]

LINES = 80_000
"""Of a file: enough that an import is still at it when Ctrl-C comes."""


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture
def outside(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        client.create("flights")
        yield client


@pytest.fixture
def start(broker: Broker, tmp_path: Path) -> Iterator[Start]:
    terminals: list[Terminal] = []

    def run(*words: str) -> Terminal:
        terminals.append(Terminal(broker.bootstrap_servers, tmp_path, *words))
        return terminals[-1]

    yield run
    for each in terminals:
        each.close()


def topics(client: Client) -> list[str]:
    answer = client.send(MetadataRequest(topics=None))
    return [each.name for each in answer.topics]


# -- questions ------------------------------------------------------------------------------------


def test_yes_deletes(start: Start, outside: Client) -> None:
    terminal = start("topics", "delete", "flights")
    terminal.until("Delete flights with all records? [y/N] ")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert topics(outside) == []


@pytest.mark.parametrize(("answer", "status"), [("n\n", 1), ("\n", 1), (CTRL_D, 1), (CTRL_C, 130)])
def test_everything_else_deletes_nothing(
    start: Start, outside: Client, answer: str, status: int
) -> None:
    terminal = start("topics", "delete", "flights")
    terminal.until("[y/N] ")
    terminal.type(answer)
    assert terminal.end() == status
    assert "Traceback" not in terminal.shown
    assert topics(outside) == ["flights"]


# -- what moves -----------------------------------------------------------------------------------


def test_headings_are_bold_and_control_characters_are_escaped(
    start: Start, outside: Client
) -> None:
    outside.produce("flights", batch("\x1b[31mred"))
    terminal = start("topics", "list")
    assert terminal.end() == 0
    assert "\x1b[1mNAME" in terminal.shown
    terminal = start("consume", "flights", "-n", "1")
    assert terminal.end() == 0
    assert "\\x1b[31mred" in terminal.shown
    assert "\x1b[31m" not in terminal.shown


def test_long_input_shows_progress_and_leaves_only_its_result(
    start: Start, outside: Client, tmp_path: Path
) -> None:
    lines = tmp_path / "lines"
    lines.write_text("x\n" * 60)
    terminal = start("produce", "flights", str(lines), "--rate", "40")
    terminal.until("producing to flights")
    terminal.until("records/s")
    assert terminal.end() == 0
    assert terminal.shown.endswith("delivered 60 records to flights\r\n")


def test_what_is_typed_is_produced_without_anything_moving(start: Start, outside: Client) -> None:
    terminal = start("produce", "flights")
    terminal.until("one record a line; Ctrl-D ends")
    terminal.type("one\n")
    assert outside.fetch("flights", max_wait_ms=15_000, min_bytes=1).records
    terminal.type("two\n" + CTRL_D)
    assert terminal.end() == 0
    assert "producing to" not in terminal.shown
    assert "delivered 2 records" in terminal.shown


def test_a_benchmark_shows_its_figures_while_it_runs(start: Start, outside: Client) -> None:
    terminal = start("bench", "e2e", "--for", "2s", "--rate", "50")
    terminal.until("e2e: godel-bench-")
    terminal.until("P999")
    assert "BENCHMARK" not in terminal.shown
    assert terminal.end() == 0
    assert "BENCHMARK" in terminal.shown
    assert topics(outside) == ["flights"]


# -- Ctrl-C ---------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_consumer_that_follows(start: Start, outside: Client) -> None:
    outside.produce("flights", batch("first"))
    terminal = start("consume", "flights")
    terminal.until("first")
    terminal.until("waiting for records; Ctrl-C ends")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown


def test_ctrl_c_leaves_the_group(start: Start, outside: Client) -> None:
    terminal = start("consumers", "create", "board", "flights")
    terminal.until("holding the membership")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    left = start("groups", "describe", "board")
    assert left.end() == 0
    assert "Empty" in left.shown


def test_ctrl_c_in_a_benchmark_shows_what_there_is_and_deletes_the_topic(
    start: Start, outside: Client
) -> None:
    terminal = start("bench", "e2e", "--for", "60s")
    terminal.until("godel-bench-")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    assert "interrupted; until then:" in terminal.shown
    assert "RECORDS-PER-S" in terminal.shown
    assert topics(outside) == ["flights"]


def long_file(folder: Path) -> str:
    path = folder / "flights.jsonl"
    line = '{"topic": "flights", "partition": 0, "offset": %d, "value": "x"}\n'
    path.write_text("".join(line % number for number in range(LINES)))
    return str(path)


def test_ctrl_c_in_an_import_leaves_something_to_go_on_with(
    start: Start, outside: Client, tmp_path: Path
) -> None:
    path = long_file(tmp_path)
    terminal = start("import", "copy", path)
    terminal.until("importing copy")
    terminal.type(CTRL_C)
    assert terminal.end() == 130, terminal.shown
    assert "--resume goes on from here" in terminal.shown
    again = start("import", "copy", path, "--resume")
    assert again.end() == 0
    assert outside.list_offset("copy", -1).offset == LINES


def test_ctrl_c_in_an_import_behind_other_records_says_how_many_were_written(
    start: Start, outside: Client, tmp_path: Path
) -> None:
    terminal = start("import", "copy", long_file(tmp_path), "--append")
    terminal.until("importing copy")
    terminal.type(CTRL_C)
    assert terminal.end() == 130, terminal.shown
    assert re.search(r"interrupted: at least [0-9,]+ records? written", terminal.shown)
    assert "--resume" not in terminal.shown


# -- pipes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("configs", "list", "--broker", "1"), ("consume", "flights"), ("export", "flights"), ("api",)],
)
def test_a_reader_that_goes_away_ends_it_quietly(
    broker: Broker, outside: Client, tmp_path: Path, words: tuple[str, ...]
) -> None:
    for _ in range(3):
        outside.produce("flights", batch(*("x" * 1000 for _ in range(500))))
    process = subprocess.Popen(
        [sys.executable, "-c", "from godel.cli.main import entry; entry()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(broker.bootstrap_servers, tmp_path),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(20) == 141
    process.stderr.close()
