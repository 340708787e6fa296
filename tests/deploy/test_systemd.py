"""The systemd unit: against systemd's own check, and against the broker."""

from __future__ import annotations

import shlex
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from godel.config.sources import from_properties, load
from godel.daemon import BAD_CONFIGURATION, parser
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
