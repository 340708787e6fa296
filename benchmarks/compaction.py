"""What compaction costs those who produce meanwhile: python benchmarks/compaction.py

One broker, two topics. Into the first goes half of what the broker can take, but no more than
100,000 records a second, beyond which the disk is the limit. The latency of its acknowledgements
is measured while nothing else happens, and again while the second topic, full of superseded
records, is copied by the compaction. The p99 of the second run should be at most twice the first's.

Every round has a broker and a folder of its own, so alone and beside alternate, and what is written
stays within some GiB: a virtual machine may have to ask for more page cache than it ever had, which
shows in both figures. Medians of the rounds; of the ratio also the smallest and the largest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from brokers import RunningBroker, running
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from driver import build_driver
from measurement import Measurement

DIRTY_TOPIC, LOADED_TOPIC = "dirty", "loaded"
RECORD_BYTES = 200
LOAD_SECONDS = 5
SETTINGS = ["--set", "log.cleaner.backoff.ms=200"]
BUDGET_RATIO = 2.0


class Compaction(Measurement):
    """One broker with a dirty log, which is compacted when its topic's policy says so."""

    def __init__(self, name: str, broker: RunningBroker, driver: Path, folder: Path) -> None:
        super().__init__(name, broker, driver, folder, 1.0)
        self.log_folder = folder / "data" / f"{DIRTY_TOPIC}-0"
        self.log = folder / "broker.log"
        self.admin = AdminClient(self.client())

    def prepare(self, records: int, keys: int) -> float:
        """Fill the dirty log; return half of the rate that the loaded topic can take."""
        small = {"segment.bytes": str(16 << 20), "cleanup.policy": "delete"}
        topics = [NewTopic(LOADED_TOPIC, 1, 1), NewTopic(DIRTY_TOPIC, 1, 1, config=small)]
        for answer in self.admin.create_topics(topics).values():
            answer.result(30)
        keyed = ("-s", str(RECORD_BYTES), "-k", str(keys))
        self.load("produce", DIRTY_TOPIC, records, *keyed)
        self.load("produce", LOADED_TOPIC, 200_000, "-l", "1")
        report, _ = self.load("produce", LOADED_TOPIC, 500_000, "-l", "1")
        return min(report["per_s"] / 2, 100_000)

    def latency(self, rate: float) -> dict:
        pace = ("-l", "1", "-r", f"{rate:.0f}")
        report, _ = self.load("produce", LOADED_TOPIC, int(rate * LOAD_SECONDS), *pace)
        return report

    def set_policy(self, policy: str) -> None:
        entry = ConfigEntry("cleanup.policy", policy)
        entry.incremental_operation = AlterConfigOpType.SET
        resource = ConfigResource(ResourceType.TOPIC, DIRTY_TOPIC, incremental_configs=[entry])
        for answer in self.admin.incremental_alter_configs([resource]).values():
            answer.result(30)

    def is_compacting(self) -> bool:
        return any(self.log_folder.glob("*.cleaned"))

    def is_compacted(self) -> bool:
        return "log_compacted" in self.log.read_text()


def wait_for(condition, what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {timeout_s} s in vain: {what}")
        time.sleep(0.01)


def one_round(mode: str, driver: Path, records: int, keys: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix=f"bench-{mode}-") as name:
        folder = Path(name)
        with running(mode, folder, *SETTINGS) as broker:
            taken = Compaction(mode, broker, driver, folder)
            rate = taken.prepare(records, keys)
            os.sync()  # what was written before is no part of a load
            alone = taken.latency(rate)
            os.sync()
            taken.set_policy("compact")
            started = time.monotonic()
            wait_for(taken.is_compacting, "the compaction to begin")
            together = taken.latency(rate)
            if not taken.is_compacting():
                raise SystemExit("the compaction ended before the load did: give more --records")
            wait_for(taken.is_compacted, "the compaction to end", 600)
            return {
                "load": rate / 1000,
                "p50 alone": alone["p50_ms"],
                "p50 with compaction": together["p50_ms"],
                "p99 alone": alone["p99_ms"],
                "p99 with compaction": together["p99_ms"],
                "p99.9 alone": alone["p999_ms"],
                "p99.9 with compaction": together["p999_ms"],
                "compaction": time.monotonic() - started,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=700_000, help="in the dirty log")
    parser.add_argument("--keys", type=int, default=100_000, help="distinct ones: so many stay")
    parser.add_argument("--only", default="cached,durable", help="which modes to run")
    options = parser.parse_args()
    driver = build_driver()
    print(
        "| mode | load (k/s) | p50, p99, p99.9 alone (ms) | with compaction (ms) | p99 ratio "
        "| compaction (s) |\n|---|--:|--:|--:|--:|--:|"
    )
    for mode in options.only.split(","):
        rounds = []
        for number in range(options.rounds):
            print(f"measuring {mode}, round {number + 1} ...", file=sys.stderr, flush=True)
            rounds.append(one_round(mode, driver, options.records, options.keys))
        median = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        alone = " / ".join(f"{median[f'{name} alone']:.2f}" for name in ("p50", "p99", "p99.9"))
        both = " / ".join(
            f"{median[f'{name} with compaction']:.2f}" for name in ("p50", "p99", "p99.9")
        )
        ratios = sorted(one["p99 with compaction"] / one["p99 alone"] for one in rounds)
        ratio = statistics.median(ratios)
        verdict = "within" if ratio <= BUDGET_RATIO else "**over**"
        print(
            f"| {mode} | {median['load']:.0f} | {alone} | {both} "
            f"| {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), {verdict} "
            f"| {median['compaction']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
