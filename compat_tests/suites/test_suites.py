"""The harness itself: what counts as a regression, and how the runners' output is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat_tests.suites import SUITES, expected, kafka_go, librdkafka, node_rdkafka
from compat_tests.suites.results import Result
from compat_tests.suites.test_published import Published

BEFORE = [
    Result("0001_multiobj", "pass", 1.0),
    Result("0103_transactions", "fail", 10.0, "coordinator not available"),
    Result("0092_mixed_msgver", "skip", 0.0, "quick mode"),
]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "EXPECTED.md"
    monkeypatch.setattr(expected, "PAGE", path)
    expected.write("librdkafka", BEFORE)
    return path


def test_what_was_written_is_expected(page: Path) -> None:
    assert expected.read("librdkafka") == {result.name: result.outcome for result in BEFORE}
    assert "| 0103_transactions | fail | fail | needs three brokers" in page.read_text()
    assert not expected.compare("librdkafka", BEFORE).regressions


@pytest.mark.usefixtures("page")
def test_another_suite_keeps_its_section() -> None:
    expected.write("kafka-go", [Result("TestSASL/PLAIN", "pass", 0.0)])
    assert expected.read("kafka-go") == {"TestSASL/PLAIN": "pass"}
    assert len(expected.read("librdkafka")) == len(BEFORE)


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("now", "worse"),
    [
        (Result("0001_multiobj", "fail", 1.0), True),
        (Result("0001_multiobj", "skip", 1.0), True),
        (Result("0103_transactions", "pass", 1.0), False),
        (Result("0103_transactions", "skip", 1.0), False),
        (Result("0092_mixed_msgver", "fail", 1.0), True),
        (Result("0092_mixed_msgver", "pass", 1.0), False),
        (Result("9999_new", "fail", 1.0), True),
        (Result("9999_new", "pass", 1.0), False),
    ],
)
def test_a_regression_is_a_failure_or_a_lost_pass(now: Result, worse: bool) -> None:
    results = [now, *(result for result in BEFORE if result.name != now.name)]
    differences = expected.compare("librdkafka", results)
    assert bool(differences.regressions) == worse
    assert bool(differences.news) != worse


def test_what_fails_on_kafka_too_is_no_regression() -> None:
    assert not expected.is_worse("fail", "pass", kafka="fail")
    assert expected.is_worse("fail", "pass", kafka="pass")


@pytest.mark.usefixtures("page")
def test_a_test_that_did_not_run_is_a_regression_unless_few_were_asked_for() -> None:
    assert expected.compare("librdkafka", BEFORE[1:]).regressions == ["0001_multiobj: did not run"]
    assert not expected.compare("librdkafka", BEFORE[1:], partly=True).regressions


def test_go_verdicts_are_read_with_what_was_logged() -> None:
    text = """\
=== RUN   TestConn
=== RUN   TestConn/one
    conn_test.go:12: expected | received
--- FAIL: TestConn (0.05s)
    --- FAIL: TestConn/one (0.02s)
    --- PASS: TestConn/two (0.03s)
FAIL
"""
    results = {result.name: result for result in kafka_go.read_log("TestConn", 1, text)}
    assert {name: result.outcome for name, result in results.items()} == {
        "TestConn": "fail",
        "TestConn/one": "fail",
        "TestConn/two": "pass",
    }
    assert results["TestConn"].reason == "expected / received"


def test_a_go_test_that_panics_or_hangs_has_failed() -> None:
    (panicked,) = kafka_go.read_log("TestReader", 2, "panic: nil pointer\n\ngoroutine 25\n")
    assert (panicked.outcome, panicked.reason) == ("fail", "panic: nil pointer")
    (hung,) = kafka_go.read_log("TestReader", None, "=== RUN   TestReader\n")
    assert (hung.outcome, hung.reason) == ("fail", "not finished in time")


def test_librdkafkas_report_leaves_out_what_was_not_asked_for(tmp_path: Path) -> None:
    states = {"0001_a": "PASSED", "0002_b": "SKIPPED", "0003_c": "SKIPPED", "0004_d": "FAILED"}
    report = tmp_path / "report.json"
    tests = {name: {"state": state, "duration": 1.5} for name, state in states.items()}
    report.write_text(json.dumps({"tests": tests}))
    said = """\
[0002_b          /  0.000s] WARN: SKIPPING TEST: quick mode
### Test "0004_d" failed at 0004-d.c:12: ###
expected 3
"""
    assert librdkafka.read_report(report, said) == {
        "0001_a": Result("0001_a", "pass", 1.5),
        "0002_b": Result("0002_b", "skip", 1.5, "quick mode"),
        "0004_d": Result("0004_d", "fail", 1.5, "expected 3"),
    }


def test_a_hook_that_fails_after_a_test_fails_it_and_those_that_it_keeps_from_running() -> None:
    late = {"message": "Timeout"}
    report = {
        "pending": [],
        "tests": [{"fullTitle": "part a", "err": {}}, {"fullTitle": "part b", "err": {}}],
        "failures": [
            {"title": "", "fullTitle": 'part "after each" hook for "b"', "err": late},
        ],
    }
    planned = ["part a", "part b", "part c"]
    told = {result.name: result for result in node_rdkafka.read_report("spec", planned, report)}
    assert [(name, result.outcome) for name, result in told.items()] == [
        ("spec/part a", "pass"),
        ("spec/part b", "fail"),
        ("spec/part c", "fail"),
    ]
    assert told["spec/part b"].reason == "Timeout"
    assert told["spec/part c"].reason.startswith("not run")


def test_every_suite_has_a_class_that_runs_it() -> None:
    assert {suite.name for suite in Published.__subclasses__()} == set(SUITES)
