"""A group's member that writes down what it does: python -m compat_tests.kill.member '{JSON}'.

Polls, notes what it got, commits exactly that and notes the answer, until SIGTERM. A commit that
failed is tried again, as long as the partitions are its own.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from compat_tests.kill.history import Journal
from compat_tests.kill.values import identify

POLL_S = 0.2
MOST_RECORDS = 500
SESSION_TIMEOUT_MS = 6000
"""The broker's minimum. Longer than a restart: a client whose session ends while the broker is away
comes back as a new member, and its group waits for the old one."""
RECONNECT_WITHIN_MS = 300

Stopping = Callable[[], bool]
Commit = Callable[[Mapping[int, int]], None]
Read = tuple[int, int, "bytes | None", "bytes | None"]  # partition, offset, key, value


class Notes:
    """What a member writes, whichever its client."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._owned: set[int] = set()
        self.uncommitted: dict[int, int] = {}
        """What is to be committed, by partition: what was read, and what was not taken before."""

    def assigned(self, partitions: Sequence[int]) -> None:
        self.revoked(partitions)  # an eager member begins anew with what it had, too
        self._owned.update(partitions)
        self._journal.note("assigned", partitions=sorted(partitions))

    def revoked(self, partitions: Sequence[int]) -> None:
        self._owned.difference_update(partitions)
        for partition in partitions:
            self.uncommitted.pop(partition, None)

    def polled(self, read: Sequence[Read]) -> None:
        """Note what was read, and that it is to be committed."""
        by_partition: dict[int, list[tuple[int, str | None]]] = {}
        for partition, offset, key, value in read:
            sent = identify(key, value)
            record = None if sent is None else str(sent)
            by_partition.setdefault(partition, []).append((offset, record))
        for partition, records in by_partition.items():
            offsets, texts = zip(*records, strict=True)
            self._journal.note("poll", partition=partition, offsets=offsets, records=texts)
            if partition in self._owned:
                self.uncommitted[partition] = offsets[-1] + 1

    def commit(self, commit: Commit, failure: type[Exception]) -> None:
        if not self.uncommitted:
            return
        offsets = dict(self.uncommitted)
        self._journal.note("commit", offsets=offsets)
        try:
            commit(offsets)
        except failure as error:
            self._journal.note("committed", outcome="info", why=repr(error))
        else:
            self._journal.note("committed", outcome="ok")
            self.uncommitted.clear()

    def error(self, why: str) -> None:
        self._journal.note("error", why=why)


def confluent_member(options: dict, notes: Notes, stopping: Stopping) -> None:
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    topic = options["topic"]
    consumer = Consumer(
        {
            "bootstrap.servers": options["bootstrap"],
            "group.id": options["group"],
            "partition.assignment.strategy": options["assignor"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": 500,
            "check.crcs": True,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": RECONNECT_WITHIN_MS,
        }
    )
    consumer.subscribe(
        [topic],
        on_assign=lambda _, given: notes.assigned([each.partition for each in given]),
        on_revoke=lambda _, taken: notes.revoked([each.partition for each in taken]),
    )

    def commit(offsets: Mapping[int, int]) -> None:
        wanted = [TopicPartition(topic, *each) for each in offsets.items()]
        for answer in consumer.commit(offsets=wanted, asynchronous=False):
            if answer.error is not None:  # the call succeeds when some partition does
                raise KafkaException(answer.error)

    while not stopping():
        read: list[Read] = []
        for message in consumer.consume(MOST_RECORDS, timeout=POLL_S):
            if message.error():
                notes.error(message.error().str())
            else:
                at = (message.partition(), message.offset())
                read.append((*at, message.key(), message.value()))
        notes.polled(read)
        notes.commit(commit, KafkaException)
    consumer.close()


def kafka_python_member(options: dict, notes: Notes, stopping: Stopping) -> None:
    from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
    from kafka.errors import KafkaError

    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
            notes.assigned([each.partition for each in assigned])

        def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
            notes.revoked([each.partition for each in revoked])

    topic = options["topic"]
    consumer = KafkaConsumer(
        bootstrap_servers=options["bootstrap"],
        group_id=options["group"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=500,
        reconnect_backoff_ms=50,
        reconnect_backoff_max_ms=RECONNECT_WITHIN_MS,
        max_poll_records=MOST_RECORDS,
    )
    consumer.subscribe([topic], listener=Listener())

    def commit(offsets: Mapping[int, int]) -> None:
        consumer.commit(
            {
                TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
                for partition, offset in offsets.items()
            }
        )

    while not stopping():
        try:
            batches = consumer.poll(timeout_ms=int(POLL_S * 1000))
        except KafkaError as error:
            # What its connections meet in the background comes out of poll; members poll again.
            notes.error(repr(error))
            continue
        read = [
            (record.partition, record.offset, record.key, record.value)
            for batch in batches.values()
            for record in batch
        ]
        notes.polled(read)
        notes.commit(commit, KafkaError)
    consumer.close(autocommit=False)


MEMBERS = {"confluent-kafka": confluent_member, "kafka-python": kafka_python_member}


def main(argument: str) -> None:
    options = json.loads(argument)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    who = {each: options[each] for each in ("name", "group", "client")}
    journal = Journal(Path(options["journal"]), role="member", **who)
    MEMBERS[options["client"]](options, Notes(journal), lambda: bool(stopping))
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1])
