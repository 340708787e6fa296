"""Asks for the groups' committed offsets: python -m compat_tests.kill.observer '{JSON}'.

It does so all the time, and is no member of the groups. What it is told may never go back.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from compat_tests.kill.history import Journal

PAUSE_S = 0.25
TIMEOUT_S = 2.0


class Onlooker:
    """Someone who may ask what a group has committed, and where the partitions end."""

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: int) -> None:
        self.group = group
        self.partitions = [TopicPartition(topic, partition) for partition in range(partitions)]
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "check.crcs": True,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 300,
            }
        )

    def committed(self, journal: Journal) -> dict[int, int | None] | None:
        """The group's offsets, noted; None: nobody answered."""
        invoked_at = time.monotonic()
        try:
            told = self.consumer.committed(self.partitions, timeout=TIMEOUT_S)
        except KafkaException as error:
            journal.note("unknown", group=self.group, why=repr(error))
            return None
        if any(each.error for each in told):
            return None
        offsets = {each.partition: each.offset if each.offset >= 0 else None for each in told}
        journal.note("observe", group=self.group, invoked_at=invoked_at, offsets=offsets)
        return offsets

    def ends(self) -> dict[int, int]:
        """Where the partitions end for readers. Raises KafkaException."""
        return {
            each.partition: self.consumer.get_watermark_offsets(each, timeout=TIMEOUT_S)[1]
            for each in self.partitions
        }


def main(argument: str) -> None:
    options = json.loads(argument)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    journal = Journal(Path(options["journal"]), role="observer", name=options["name"])
    onlookers = [
        Onlooker(options["bootstrap"], group, options["topic"], options["partitions"])
        for group in options["groups"]
    ]
    while not stopping:
        for onlooker in onlookers:
            onlooker.committed(journal)
        time.sleep(PAUSE_S)
    for onlooker in onlookers:
        onlooker.consumer.close()
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1])
