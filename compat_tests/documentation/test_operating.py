"""What the pages for operators have one type, and what is printed then."""

from __future__ import annotations

from pathlib import Path

from compat_tests.brokers import BrokerProcess, godel_command
from compat_tests.documentation.pages import FENCE, check_session, is_printed, read, typed

RECORDS = r"printf 'N14228:EWR-IAH\nN24211:LGA-IAH\nN619AA:JFK-MIA\n'"


def test_operations(flights: str, tmp_path: Path) -> None:
    typed(f"{RECORDS} | godel produce flights --key-separator :", flights, tmp_path)
    check_session("operations.md", flights, tmp_path)


def test_configuration(empty: str, tmp_path: Path) -> None:
    check_session("configuration.md", empty, tmp_path)


def test_troubleshooting(flights: str, tmp_path: Path) -> None:
    check_session("troubleshooting.md", flights, tmp_path)


def test_the_doctor_says_what_is_quoted_of_a_wrong_address(tmp_path: Path) -> None:
    page = read("troubleshooting.md")
    quoted = next(each[2] for each in FENCE.finditer(page) if "advertised.listeners" in each[2])
    broker = BrokerProcess(tmp_path, f"{godel_command()} --advertise kafka.example.org:9092")
    broker.start()
    try:
        said = typed("godel doctor --timeout 5", broker.bootstrap, tmp_path)
    finally:
        broker.stop()
    for line in quoted.splitlines():
        assert any(is_printed(line, each) for each in said), "\n".join(said)
