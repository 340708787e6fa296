"""What every test shares: hypothesis profiles, counts, the garbage collector, a broker in memory.

`HYPOTHESIS_PROFILE` chooses how hard the property tests try, see `fuzzing.py`; the profile `fuzz`
tries `FUZZ_FACTOR` times as many examples, also of properties that set a number of their own.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzzing import COUNTED, EXAMPLES, FUZZ_FACTOR, IS_FUZZ, PROFILE, multiply_examples

if TYPE_CHECKING:
    from godel.testing import Broker
    from tests.wire import Client

_UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=50,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_UNHURRIED,
)
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=50 * FUZZ_FACTOR,
    print_blob=True,
    suppress_health_check=_UNHURRIED,
)
settings.load_profile(PROFILE)


def pytest_configure() -> None:
    """Collect garbage after so many new objects, not after 700: it is a fifth of a run."""
    gc.set_threshold(20_000)


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what stays to the end: modules, thousands of tests."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if IS_FUZZ:
        multiply_examples(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    """Note how many examples Hypothesis tried; its own report is too long to be read."""
    report = yield
    statistics = getattr(item, "hypothesis_statistics", None)
    if report.when == "teardown" and statistics is not None:
        tried = sum(map(int, re.findall(r"(\d+) (?:passing|failing)", statistics)))
        report.user_properties.append((EXAMPLES, tried))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried, so that a run that tried nothing is seen."""
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, value in report.user_properties:
                    if name in (*COUNTED, EXAMPLES):
                        counts[name] += value
    if counts and IS_FUZZ:
        terminalreporter.section("tried")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:>10,} {name}")


@pytest.fixture
def anyio_backend() -> str:
    """Async tests (`@pytest.mark.anyio`) run on asyncio, as the broker does."""
    return "asyncio"


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker in memory whose time stands still."""
    from godel.clock import ManualClock
    from godel.testing import Broker  # only those who use it wait for what it imports

    with Broker(clock=ManualClock(), seed=1) as broker:
        yield broker


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    """A connection to the `broker` of the test, whichever that is."""
    from tests.wire import Client

    with Client(broker) as client:
        yield client
