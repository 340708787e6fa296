"""Gödel beside other brokers on this machine: python benchmarks/broker.py [PART ...]

Every part takes its brokers one after another, each on an empty folder, and again for every round,
so that what the machine does meanwhile meets all of them; in one part they run at once, and take
turns. It prints one table of medians and keeps the figures in benchmarks/results/PART.json
(`report.py` makes docs/benchmarks.md of those).

Broker and driver share the cores: the broker's CPU time per million records is the steadier figure,
rates say what a user would see.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, NamedTuple

from brokers import HERE, running, what_can_run
from driver import build_driver
from figures import Figures, Row, save, table
from measurement import Measurement
from page_cache import fill_memory

PARTS = ("quick", "reading_in_turns", "sizes", "codecs", "durability", "latency", "fan_out")
PARTS += ("reading", "connections", "growth", "restart", "kill", "java_tools")
REST = "rest"
"""All but the first."""
RESULTS = HERE / "results"


class Part(NamedTuple):
    """A module of parts/: it has `ROWS`, `take`, and the sentence over the table.

    It may say which brokers it `LEAVES_OUT`. One with `prepare` wants all of them at once: each is
    prepared, and then they are taken in turns, for so many `ROUNDS`.
    """

    name: str

    @property
    def module(self):  # a module with these names
        return import_module(f"parts.{self.name}")

    @property
    def rows(self) -> list[Row]:
        return self.module.ROWS

    @property
    def doc(self) -> str:
        return self.module.__doc__.strip()

    def leaves_out(self, name: str) -> bool:
        return name in getattr(self.module, "LEAVES_OUT", ())

    def take(self, name: str, driver: Path, scale: float) -> Figures:
        """What was measured before the broker failed a part of it, if it did."""
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as path:
            folder = Path(path)
            with running(name, folder) as broker:
                measurement = Measurement(name, broker, driver, folder, scale)
                try:
                    self.module.take(measurement)
                except (OSError, SystemExit, ValueError, subprocess.SubprocessError) as failure:
                    print(f"{self.name}: {name} broke off: {failure}", file=sys.stderr)
                return measurement.figures

    @property
    def is_in_turns(self) -> bool:
        return hasattr(self.module, "prepare")

    def take_in_turns(
        self, names: list[str], driver: Path, scale: float
    ) -> dict[str, list[Figures]]:
        taken: dict[str, list[Figures]] = {name: [] for name in names}
        with ExitStack() as stack:
            benches = []
            for name in names:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
                broker = stack.enter_context(running(name, folder))
                benches.append(Measurement(name, broker, driver, folder, scale))
            for bench in benches:
                self.module.prepare(bench)
            for _ in range(self.module.ROUNDS):
                for bench in benches:
                    self.module.take(bench)
                    taken[bench.name].append(bench.figures)
                    bench.figures = {}
        return taken


def run(
    part: Part, brokers: list[str], driver: Path, memory: BinaryIO, rounds: int, scale: float
) -> None:
    names = [name for name in brokers if not part.leaves_out(name)]
    taken: dict[str, list[Figures]] = {name: [] for name in names}
    if part.is_in_turns:
        print(f"{part.name} ...", file=sys.stderr, flush=True)
        fill_memory(memory)
        taken = part.take_in_turns(names, driver, scale)
    else:
        for number in range(rounds):
            for name in names:
                print(f"{part.name}: {name}, round {number + 1} ...", file=sys.stderr, flush=True)
                fill_memory(memory)
                taken[name].append(part.take(name, driver, scale))
    print(f"\n{part.doc}\n\n{table(part.rows, taken)}\n", flush=True)
    save(RESULTS / f"{part.name}.json", part.name, part.doc, part.rows, taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, REST, []], help="without one: quick")
    parser.add_argument("--rounds", type=int, default=1, help="each broker so often; medians")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer records")
    parser.add_argument("--only", default="kafka,cached,durable", help="which brokers (also: mesh)")
    options = parser.parse_args()
    driver = build_driver()
    brokers = what_can_run(options.only.split(","))
    parts = PARTS[1:] if REST in options.parts else options.parts or PARTS[:1]
    with tempfile.TemporaryFile(dir=driver.parent) as memory:
        for name in parts:
            run(Part(name), brokers, driver, memory, options.rounds, options.scale)


if __name__ == "__main__":
    main()
