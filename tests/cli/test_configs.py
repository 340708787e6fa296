"""`godel configs`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from godel.cli.configs import plain
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


def test_documentation_comes_without_the_markup_of_web_pages() -> None:
    given = (
        "The <i>minimum</i>, as <code>acks</code> &gt; 0.<p>See <a href='#x'>there</a>:<br>A <b> c."
    )
    assert plain(given) == "The minimum, as acks > 0. See there: A c."
    assert plain("<listener>://<host>") == "<listener>://<host>"
    assert plain(None) is None
