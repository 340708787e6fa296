"""A suite on a broker of its own."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from compat_tests.brokers import BrokerProcess
from compat_tests.suites.commands import CACHE
from compat_tests.suites.results import Result, one_line, reference

# As the broker of the reference was set up; the tests count on it.
SETTINGS = " --set num.partitions=4 --set offsets.topic.replication.factor=1"
BROKER = "the broker itself"

Doubt = Callable[[str, Iterable[Result]], list[str]]


def nobody(suite: str, results: Iterable[Result]) -> list[str]:  # noqa: ARG001  # a Doubt
    return []


def failed(suite: str, results: Iterable[Result]) -> list[str]:  # noqa: ARG001  # a Doubt
    return [result.name for result in results if result.outcome == "fail"]


def run_suite(
    suite: ModuleType, command: str, *, only: str = "", tries: int = 1, doubt: Doubt = nobody
) -> list[Result]:
    """Run a suite on a broker of its own. What is in `doubt` has as many tries as `tries` says."""
    suite.fetch()
    folder = CACHE / f"run-{suite.NAME}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    broker = BrokerProcess(folder, command + SETTINGS + suite.SETTINGS)
    broker.start()
    try:
        results = {result.name: result for result in told(suite, broker, folder, only)}
        for number in range(2, tries + 1):
            doubtful = doubt(suite.NAME, results.values())
            try_again(suite, broker, folder / f"try-{number}", doubtful, results)
        broker.stop()
    except AssertionError as error:  # it died, or did not end as it should
        print(error, file=sys.stderr)
        results[BROKER] = Result(BROKER, "fail", 0.0, one_line(str(error)))
    finally:
        broker.kill()
    return list(results.values())


def try_again(
    suite: ModuleType,
    broker: BrokerProcess,
    folder: Path,
    names: Iterable[str],
    results: dict[str, Result],
) -> None:
    """The doubtful ones once more; where a file has many of them, it runs only once."""
    waiting = dict.fromkeys(names)
    numbers = itertools.count(1)  # long names may begin alike
    while waiting:
        name = next(iter(waiting))
        del waiting[name]
        print(f"once more: {name}")
        again = folder / str(next(numbers))
        again.mkdir(parents=True)
        for result in told(suite, broker, again, name):
            if result.name == name or result.name in waiting:
                waiting.pop(result.name, None)
                results[result.name] = result


def told(suite: ModuleType, broker: BrokerProcess, folder: Path, only: str) -> Iterator[Result]:
    kafka = reference(suite.NAME)
    for result in suite.run(broker.bootstrap, folder, only=only):
        note = f"  (Kafka: {kafka.get(result.name, '-')}) {result.reason}"
        note = "" if result.outcome == "pass" else note
        print(f"{result.outcome:5}{result.seconds:7.1f} s  {result.name}{note}", flush=True)
        yield result
        if broker.process is not None and broker.process.poll() is not None:
            raise AssertionError(f"the broker died:\n{broker.log_tail()}")
