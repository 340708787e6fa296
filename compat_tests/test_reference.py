"""Runs on Apache Kafka go on past a part that cannot run here."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_tests import reference, scenarios


def test_a_part_without_its_client_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it is skipped as a whole, as without the client's module."""
    skip = "import pytest\npytest.skip('no client', allow_module_level=True)\n"
    (tmp_path / "test_absent.py").write_text(skip)
    written = tmp_path / "clients.tsv"
    monkeypatch.setattr(reference, "HERE", tmp_path)
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(scenarios, "KAFKA", written)
    monkeypatch.setattr("sys.argv", ["reference", "test_absent.py"])
    reference.main()
    assert "test_absent.py: not to be had" in capsys.readouterr().out
    assert not written.exists()
    assert not (tmp_path / "reports" / "test_absent.py.xml").exists()
