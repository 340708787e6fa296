"""What other people's suites give is not worse than EXPECTED.md says."""

from __future__ import annotations

from typing import ClassVar

import pytest

from compat_tests.brokers import godel_command
from compat_tests.programs import not_testable
from compat_tests.suites import SUITES, expected
from compat_tests.suites.commands import CannotFetch
from compat_tests.suites.runner import run_suite


@pytest.mark.deadline(3 * 3600)  # each of its tests has one of its own
class Published:
    """A class for each suite, for `--dist loadscope` keeps a class together."""

    name: ClassVar[str]

    def test_it_gives_what_is_expected(self) -> None:
        name = self.name
        try:
            results = run_suite(SUITES[name], godel_command(), tries=3, doubt=expected.regressed)
        except CannotFetch as failure:
            not_testable(f"the suite of {name}: {failure}")
        differences = expected.compare(name, results)
        print(expected.summary(results), *differences.lines(), sep="\n")
        assert not differences.regressions, "\n".join(differences.regressions)


class TestLibrdkafka(Published):
    name = "librdkafka"


class TestKafkaGo(Published):
    name = "kafka-go"


class TestNodeRdkafka(Published):
    name = "node-rdkafka"


class TestKafkaPython(Published):
    name = "kafka-python"
