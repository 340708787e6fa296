"""Which topics a pattern chooses, and how ids are written."""

from __future__ import annotations

import pytest
import typer

from godel.cli.topic_rows import id_text, matcher, warn_about


def test_a_pattern_has_wildcards_for_the_whole_name() -> None:
    matches = matcher("fl*s", regex=False)
    assert matches("flights")
    assert not matches("flights-2")


def test_a_regular_expression_is_for_the_whole_name() -> None:
    matches = matcher("fl[a-z]+", regex=True)
    assert matches("flights")
    assert not matches("flights-2")
    with pytest.raises(typer.BadParameter, match="is no regular expression"):
        matcher("[", regex=True)


def test_without_a_pattern_everything_is_chosen() -> None:
    assert matcher(None, regex=False)("anything")


def test_ids_are_written_as_kafka_does() -> None:
    assert id_text(bytes(15) + b"\x01") == "AAAAAAAAAAAAAAAAAAAAAQ"
    assert id_text(bytes(16)) is None


def test_missing_leaders_and_replicas_are_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    warn_about([{"name": "flights", "without_leader": [1, 2], "under_replicated": []}])
    assert "flights: partitions without a leader: 1, 2" in capsys.readouterr().err


def test_a_partition_without_a_leader_is_pointed_out_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warn_about([{"name": "flights", "without_leader": [1], "under_replicated": [0, 1]}])
    dead, behind = capsys.readouterr().err.splitlines()
    assert dead.endswith("without a leader: 1")
    assert behind.endswith("in sync than there should be: 0")
