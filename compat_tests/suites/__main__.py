"""python -m compat_tests.suites [NAME...] [--check] [--only TEXT]: run suites, compare, write."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from compat_tests.brokers import BrokerProcess, godel_command
from compat_tests.suites import expected, kafka_go, kafka_python, librdkafka
from compat_tests.suites.commands import CACHE, CannotFetch
from compat_tests.suites.results import Result, one_line, reference

SUITES: dict[str, ModuleType] = {
    suite.NAME: suite for suite in (kafka_python, librdkafka, kafka_go)
}
# As the broker of the reference was set up; the tests count on it.
SETTINGS = " --set num.partitions=4 --set offsets.topic.replication.factor=1"
BROKER = "the broker itself"


def run_suite(suite: ModuleType, *, only: str, again: bool) -> list[Result]:
    """Run a suite on a broker of its own. `again`: what fails unexpectedly has a second try."""
    suite.fetch()
    folder = CACHE / f"run-{suite.NAME}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = os.environ.get("GODEL_COMPAT_COMMAND") or godel_command() + SETTINGS + suite.SETTINGS
    broker = BrokerProcess(folder, command)
    broker.start()
    try:
        results = {result.name: result for result in told(suite, broker, folder, only)}
        for name in [name for name in expected.regressed(suite.NAME, results.values()) if again]:
            print(f"once more: {name}")
            second = folder / "again" / name.replace("/", "_")
            second.mkdir(parents=True)
            results |= {
                result.name: result
                for result in told(suite, broker, second, name)
                if result.name == name
            }
        broker.stop()
    except AssertionError as error:  # it died, or did not end as it should
        print(error, file=sys.stderr)
        results[BROKER] = Result(BROKER, "fail", 0.0, one_line(str(error)))
    finally:
        broker.kill()
    return list(results.values())


def told(suite: ModuleType, broker: BrokerProcess, folder: Path, only: str) -> Iterator[Result]:
    kafka = reference(suite.NAME)
    for result in suite.run(broker.bootstrap, folder, only=only):
        note = f"  (Kafka: {kafka.get(result.name, '-')}) {result.reason}"
        note = "" if result.outcome == "pass" else note
        print(f"{result.outcome:5}{result.seconds:7.1f} s  {result.name}{note}", flush=True)
        yield result
        if broker.process is not None and broker.process.poll() is not None:
            raise AssertionError(f"the broker died:\n{broker.log_tail()}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.suites", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUITES)}; or all")
    parser.add_argument(
        "--check", action="store_true", help="compare with EXPECTED.md, do not write"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="tests with TEXT in their name")
    arguments = parser.parse_args()
    failed = False
    if unknown := [name for name in arguments.names if name not in SUITES]:
        parser.error(f"no suite is called {unknown[0]}: {', '.join(SUITES)}")
    for name in arguments.names or SUITES:
        began = time.monotonic()
        try:
            results = run_suite(SUITES[name], only=arguments.only, again=arguments.check)
        except CannotFetch as error:
            print(f"{name} cannot be had: {error}", file=sys.stderr)
            return 2
        seconds = time.monotonic() - began
        print(f"{name}: {expected.summary(results)} in {seconds:.0f} s")
        if arguments.check or arguments.only:
            differences = expected.compare(name, results, partly=bool(arguments.only))
            print(*differences.lines(), sep="\n")
            failed = failed or bool(differences.regressions)
        else:
            expected.write(name, results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
