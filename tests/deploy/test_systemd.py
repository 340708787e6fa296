"""The systemd unit: against systemd's own check, and against the broker."""

from __future__ import annotations

import re
import shlex
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from godel.config.sources import from_properties, load
from godel.daemon import BAD_CONFIGURATION, parser
from tests.deploy.installed import round_trip, running
from tests.deploy.tools import ROOT, need_program, run

FOLDER = ROOT / "deploy" / "systemd"
UNIT = (FOLDER / "godel-broker.service").read_text()


class Unit(RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def service(key: str) -> str:
    unit = Unit(strict=False)  # SystemCallFilter stands there twice
    unit.read_string(UNIT)
    return unit.get("Service", key)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with the program of this environment, for systemd looks whether it is there."""
    program = str(Path(sys.executable).with_name("godel-broker"))
    path = tmp_path / "godel-broker.service"
    path.write_text(UNIT.replace(shlex.split(service("ExecStart"))[0], program))
    return path


@pytest.mark.slow
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    assert run(need_program("systemd-analyze"), "verify", "--man=no", installed) == ""


@pytest.mark.slow
def test_systemd_finds_it_hardly_exposed(installed: Path) -> None:
    """Of 0 to 10, times ten."""
    analyze = need_program("systemd-analyze")
    run(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", installed)


@pytest.mark.slow
def test_its_filter_lets_through_what_the_broker_calls(tmp_path: Path) -> None:
    strace, trace = need_program("strace"), tmp_path / "trace"
    programs = Path(sys.executable).parent
    broker = (programs / "godel-broker", "--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    with running(strace, "-D", "-f", "-qq", "-o", trace, *broker) as bootstrap:
        round_trip([programs / "godel"], bootstrap)
    called = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z]\w+)[ (]", trace.read_text(), re.MULTILINE))
    assert "fdatasync" in called
    assert called - let_through() <= {"fchown"}  # of SQLite, which asks for it as root only


def let_through() -> set[str]:
    """What is left when one line of SystemCallFilter after the other has its effect."""
    left: set[str] = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE):
        named = set().union(*(calls_of(group) for group in value.lstrip("~").split()))
        left = left - named if value.startswith("~") else left | named
    return left


def calls_of(group: str) -> set[str]:
    """System calls by name, those of the groups inside as well."""
    found: set[str] = set()
    for line in run(need_program("systemd-analyze"), "syscall-filter", group).splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            found |= calls_of(name)
        elif not name.startswith("#"):
            found.add(name)
    return found - {""}


def test_the_broker_takes_its_arguments() -> None:
    options = parser().parse_args(shlex.split(service("ExecStart"))[1:])
    assert options.data == f"/var/lib/{service('StateDirectory')}"
    assert Path(options.config).name == "server.properties"


def test_the_broker_takes_the_settings_beside_it() -> None:
    text = (FOLDER / "server.properties").read_text()
    assert not load(from_properties(text, "server.properties")).ignored


def test_a_configuration_that_cannot_be_used_is_not_tried_again() -> None:
    assert service("RestartPreventExitStatus") == str(BAD_CONFIGURATION)


def test_it_is_ready_when_it_says_so() -> None:
    """`notify` would wait for a message that the broker does not send."""
    assert service("Type") == "exec"
