"""Load the flights, read them with a group of three, and compare: python run.py [BOOTSTRAP]

Exits with 0 only if the delays by carrier that came through the broker equal those computed
directly from the data.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import load
from confluent_kafka.admin import AdminClient, NewTopic
from dataset import Delays, airlines, delays_by_carrier, flights

PARTITIONS = 6
MEMBERS = 3


def create_topic(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()


def read_with_a_group(bootstrap: str, topic: str) -> dict[str, Delays]:
    """Three processes share the partitions; each reports what it read."""
    script = Path(__file__).with_name("consume.py")
    names = [bootstrap, topic, f"{topic}-readers", str(PARTITIONS // MEMBERS)]
    total: dict[str, Delays] = {}
    members = [
        subprocess.Popen(
            [sys.executable, str(script), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(MEMBERS)
    ]
    try:
        for member in members:
            assert member.stdout is not None
            line = member.stdout.readline()
            if not line:
                raise SystemExit("a member of the group failed")
            report = json.loads(line)
            print(f"a member read partitions {report['partitions']}", flush=True)
            for carrier, found in report["delays"].items():
                total.setdefault(carrier, Delays()).add(Delays(**found))
        for member in members:
            member.communicate()  # closes its input: all is read, leave the group
    finally:
        for member in members:
            member.kill()
    return total


def show(delays: dict[str, Delays]) -> None:
    names = airlines()
    print(f"\n{'carrier':<28}{'flights':>9}{'departs late':>15}{'arrives late':>15}")
    for carrier, found in sorted(delays.items(), key=lambda item: -item[1].flights):
        departure = found.departure_delay_min / found.departed
        arrival = found.arrival_delay_min / found.arrived
        name = names.get(carrier, carrier)
        print(f"{name:<28}{found.flights:>9,}{departure:>11.1f} min{arrival:>11.1f} min")


def main(bootstrap: str = "127.0.0.1:9092") -> int:
    topic = f"flights-{uuid.uuid4().hex[:8]}"
    create_topic(bootstrap, topic)
    if load.main(bootstrap, topic) != 0:
        return 1
    through_the_broker = read_with_a_group(bootstrap, topic)
    directly = delays_by_carrier(flights())
    show(through_the_broker)
    if through_the_broker != directly:
        print("\nThese figures differ from the data set's:", file=sys.stderr)
        show(directly)
        return 1
    print(f"\n{sum(d.flights for d in directly.values()):,} flights: equal to the data set.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
