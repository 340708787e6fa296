"""What a small request costs as partitions, groups and connections grow tenfold."""

from __future__ import annotations

from figures import Row
from measurement import Measurement
from parts.connections import allow_descriptors, connected
from wire import Member

PARTITIONS = (100, 1_000)
GROUPS = (100, 1_000)
CONNECTIONS = (100, 1_000)
COUNT = 20_000


def beside(count: int, what: str) -> str:
    return f"unbatched produce 100 B beside {count:,} {what}"


ROWS = [
    Row(f"{beside(count, what)}, CPU each", "µs")
    for what, counts in (
        ("partitions", PARTITIONS),
        ("connections", CONNECTIONS),
        ("groups", GROUPS),
    )
    for count in counts
]


def take(bench: Measurement) -> None:
    allow_descriptors()
    bench.create_topics({"one": 1})
    there = 1
    for count in PARTITIONS:
        bench.create_topics({f"more-{count}": count - there})
        bench.load("produce", f"more-{count}", count - there, "-P", str(count - there))
        there = count
        bench.unbatched(beside(count, "partitions"), "one", COUNT)
    for count in CONNECTIONS:
        with connected(bench.broker.port, count):
            bench.unbatched(beside(count, "connections"), "one", COUNT)
    for count in GROUPS:
        with connected(bench.broker.port, count) as sockets:
            for number, each in enumerate(sockets):
                Member(each, f"group-{count}-{number}").join()
            bench.unbatched(beside(count, "groups"), "one", COUNT)
