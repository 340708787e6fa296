"""python -m compat_tests.suites [NAME...] [--reference] [--only TEXT]: write what came out."""

from __future__ import annotations

import argparse
import sys
import time
from types import ModuleType

from compat_tests import apache_kafka
from compat_tests.brokers import godel_command
from compat_tests.suites import SUITES, expected
from compat_tests.suites.commands import CANNOT_FETCH, CannotFetch
from compat_tests.suites.results import Result, write_reference
from compat_tests.suites.runner import failed, run_suite


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.suites", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUITES)}; or all")
    parser.add_argument("--only", default="", metavar="TEXT", help="tests with TEXT in their name")
    parser.add_argument(
        "--reference", action="store_true", help="run on Apache Kafka and write reference/"
    )
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in SUITES]:
        parser.error(f"no suite is called {unknown[0]}: {', '.join(SUITES)}")
    for name in arguments.names or SUITES:
        began = time.monotonic()
        try:
            results = run(SUITES[name], arguments)
        except CannotFetch as error:
            print(f"{name} cannot be had: {error}", file=sys.stderr)
            return CANNOT_FETCH
        seconds = time.monotonic() - began
        print(f"{name}: {expected.summary(results)} in {seconds:.0f} s")
        if arguments.only:
            print(*expected.compare(name, results, partly=True).lines(), sep="\n")
        elif arguments.reference:
            write_reference(name, results)
            expected.show_reference(name)
        else:
            expected.write(name, results)
    return 0


def run(suite: ModuleType, arguments: argparse.Namespace) -> list[Result]:
    """A failure has three tries: only what always fails is written down as a failure."""
    command = apache_kafka.command() if arguments.reference else godel_command()
    return run_suite(suite, command, only=arguments.only, tries=3, doubt=failed)


if __name__ == "__main__":
    sys.exit(main())
