"""What holds for the broker's settings as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import godel
from godel.config.broker import BrokerConfig


def test_the_data_directories() -> None:
    assert BrokerConfig().data_directories == ("./data",)
    assert BrokerConfig(log_dir=("a",)).data_directories == ("a",)
    assert BrokerConfig(log_dir=("a",), log_dirs=("b", "c")).data_directories == ("b", "c")


def test_settings_of_topics_are_settings_of_the_broker() -> None:
    assert "log.retention.ms" in BrokerConfig.SETTINGS
    assert BrokerConfig.SETTINGS["log.retention.ms"].dynamic
    assert not BrokerConfig.SETTINGS["log.retention.check.interval.ms"].dynamic


def test_what_is_shown_as_without_effect_is_read_nowhere() -> None:
    package = Path(godel.__file__).parent
    code = "".join(
        path.read_text("utf-8")
        for path in package.rglob("*.py")
        if "config" not in path.relative_to(package).parts
    )
    read = set(re.findall(r"\.(\w+)", code))
    idle = {each.attribute for each in BrokerConfig.SETTINGS.values() if not each.effect}
    assert not idle & read


@pytest.mark.slow
def test_configuration_is_light_to_load() -> None:
    """No heavy relative of pydantic, no search for its plugins, no I/O: start-up is a feature."""
    script = (
        "import sys; from godel.config.sources import load, from_flags;"
        "load(from_flags([('node.id', '3')])); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {"pydantic_settings", "importlib.metadata", "typer", "rich", "asyncio"}
    assert not heavy & set(loaded)
