"""The profile file."""

from __future__ import annotations

from pathlib import Path

import pytest

from godel.cli import profile
from godel.cli.output import Format
from godel.cli.profile import InvalidProfile, Profile, parse

TEXT = """
bootstrap = "a:1"
output = "json"

[profiles.staging]
bootstrap = "b:2"
timeout = 5
"""


def test_without_a_name_the_top_counts() -> None:
    assert parse(TEXT, None) == Profile(bootstrap="a:1", output=Format.JSON)


def test_a_profile_overrides_the_top() -> None:
    assert parse(TEXT, "staging") == Profile("b:2", Format.JSON, 5.0)


def test_the_file_may_choose_a_profile() -> None:
    assert parse(f'profile = "staging"\n{TEXT}', None).bootstrap == "b:2"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("bootstrp = 'a'", None, "unknown key bootstrp; did you mean bootstrap?"),
        ("bootstrap = 1", None, "bootstrap must be a text"),
        ("timeout = 'x'", None, "timeout must be a number"),
        ("output = 'xml'", None, "output must be one of table, json, yaml"),
        (TEXT, "stagin", "there is no profile stagin; did you mean staging?"),
    ],
)
def test_mistakes_are_named(text: str, name: str | None, message: str) -> None:
    with pytest.raises(InvalidProfile, match=message):
        parse(text, name)


def test_the_file_is_looked_for_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert profile.path() == tmp_path / "godel" / "config.toml"
    assert profile.load(None) == Profile()
    with pytest.raises(InvalidProfile, match="there is no"):
        profile.load("staging")
    named = tmp_path / "other.toml"
    named.write_text("bootstrap =")
    monkeypatch.setenv("GODEL_CONFIG", str(named))
    with pytest.raises(InvalidProfile, match=r"other\.toml"):
        profile.load(None)
