"""How findings are written."""

from __future__ import annotations

import io

from godel.cli.findings import Finding, Grade, lines, summary


def test_a_finding_is_a_line_and_its_advice_another() -> None:
    fine = Finding("disk", Grade.OK, "much is free")
    bad = Finding("advertised", Grade.PROBLEM, "nobody\x1b answers", "start it")
    assert lines(fine, io.StringIO()) == ["ok       disk         much is free"]
    assert lines(bad, io.StringIO()) == [
        "problem  advertised   nobody\\x1b answers",
        "                      -> start it",
    ]


def test_the_last_line_counts() -> None:
    fine, odd = Finding("disk", Grade.OK, ""), Finding("disk", Grade.WARNING, "")
    assert summary([fine]) == "nothing is wrong"
    assert summary([fine, odd, odd._replace(grade=Grade.PROBLEM)]) == "1 problem, 1 warning"
    assert summary([odd, odd]) == "no problems, 2 warnings"
