"""Words of other tools lead to ours."""

from __future__ import annotations

import re

import pytest

from godel.cli.familiar import BY_POSITION, COMMANDS, MEANT, OPTIONS, known_as
from godel.cli.main import NOUNS, VERBS
from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("topics list --bootstrap-server 127.0.0.1:1", "--bootstrap HOST:PORT"),
        ("topics --list", "godel topics list, or godel groups list"),
        ("topics describe --topic flights", "what it is about is named without an option: TOPIC"),
        ("consume -t flights", "what it is about is named without an option: TOPIC"),
        ("consume flights --from-beginning", "so it is without --from"),
        ("consume flights -e", "--until end"),
        ("consume flights -o end", MEANT["consume", "--output"]),
        ("topics list -o end", "godel topics list --help"),
        ("bench produce --duration 20s", "--for DURATION"),
        ("cluster info", "godel broker list"),
        ("-L", "godel topics list, or godel broker list"),
        ("topics create flights --nonsense", "godel topics create --help"),
    ],
)
def test_a_word_of_another_tool_gets_ours_as_a_hint(
    command: Command, words: str, hint: str
) -> None:
    result = command(*words.split())
    assert result.status == 2
    assert result.err.splitlines()[-1] == f"hint: {hint}"


def test_no_hint_leads_nowhere(command: Command) -> None:
    """Each command that a hint names is there."""
    for hint in (COMMANDS | OPTIONS | BY_POSITION).values():
        for noun, verb in re.findall(r"godel ([a-z]\w*)(?: ([a-z]+))?", hint):
            assert noun in NOUNS | VERBS, hint
            assert noun in VERBS or command(noun, verb or "--help", "--help").status == 0, hint


def test_what_is_ours_is_not_on_the_list() -> None:
    assert not (COMMANDS.keys() & (NOUNS | VERBS))
    assert known_as("nonsense") is None
