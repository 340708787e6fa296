"""`godel commit`: what is typed. What it does is in the transcript of groups."""

from __future__ import annotations

import pytest
import typer

from godel.cli.commit import parse_offset
from godel.types import TopicPartition


def test_an_offset_is_read() -> None:
    assert parse_offset("a.b-c:1:42") == (TopicPartition("a.b-c", 1), 42)


@pytest.mark.parametrize("text", ["flights", "flights:0", "flights:0:-1", "flights:x:1", ":0:1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not TOPIC:PARTITION:OFFSET"):
        parse_offset(text)
