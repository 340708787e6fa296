"""`godel configs`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import Command


def test_configs(transcript: Callable[[str], None]) -> None:
    transcript("configs")


def test_the_settings_of_a_group(godel: Command) -> None:
    rows = json.loads(godel("configs", "list", "--group", "g", "--output", "json").out)
    assert "consumer.session.timeout.ms" in {row["name"] for row in rows}


@pytest.mark.parametrize("text", ["a==b", "a+=b=c", "a-=b"])
def test_a_value_may_have_signs_of_equality(godel: Command, text: str) -> None:
    result = godel("configs", "set", text, "--topic", "t")
    assert "there is no topic t" in result.err or "unknown" in result.err.lower()
