"""Fixtures of all client suites: the broker process, and fresh names in it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Generator, Iterator

import pytest

pytest.register_assert_rewrite(
    "compat_tests.suite",
    "compat_tests.groups",
)

from compat_tests import deadline
from compat_tests.brokers import Broker, broker_under_test

LONGEST = {
    f"compat_tests/{module}.py": rank
    for rank, module in enumerate(
        (
            "suites/test_published",
            "java/test_java",
            "java/test_import",
            "kill/test_kill",
            "java_clients/test_java_clients",
            "java/test_administration",
        )
    )
}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = broker_under_test(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()


@pytest.fixture
def broker(running_broker: Broker) -> Broker:
    """The broker under test, started again should the test before have left it dead."""
    process = getattr(running_broker, "process", None)
    if running_broker.owned and (process is None or process.poll() is not None):
        running_broker.kill_and_restart()
    return running_broker


@pytest.fixture
def bootstrap(broker: Broker) -> str:
    return broker.bootstrap


@pytest.fixture
def fresh_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names for topics and groups that no other test or run has used."""
    suite = request.node.module.__name__.removeprefix("compat_tests.").split(".")[0]
    run = request.config.stash.setdefault(_run_id, _new_run_id())

    def name(what: str) -> str:
        return f"{suite}-{what}-{run}-{next(_numbers)}"

    return name


def _new_run_id() -> str:
    return uuid.uuid4().hex[:8]


_run_id = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    # The house turns warnings into errors; a client's own warnings say nothing about the broker.
    config.addinivalue_line("filterwarnings", "ignore")
    deadline.set_up(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    with deadline.of_step(item, "the set-up"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    with deadline.of_step(item, "the run"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    with deadline.of_step(item, "the end"):
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `-n`: the longest begin first."""
    items.sort(key=lambda item: LONGEST.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the broker's log with every failure."""
    report = yield
    broker = getattr(item, "funcargs", {}).get("running_broker")
    if report.failed and call.when == "call" and broker is not None:
        report.sections.append(("the broker's log (end)", broker.log_tail()))
    return report
