"""A producer that writes down what it does: python -m compat_tests.kill.producer '{JSON}'.

It sends in bursts until SIGTERM, then waits for what is unanswered and ends. What it sends to which
partition follows from its seed. Written are the sending, before the client is asked, and the
client's answer: ok with the offset, fail where the record was refused before it could be kept, else
info.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import confluent_kafka
import kafka
import kafka.errors

from compat_tests.kill.history import Journal
from compat_tests.kill.values import Sent, key, value

PATIENCE_S = 60
MOST_UNANSWERED = 1000
LARGEST_BURST = 40
RECONNECT_WITHIN_MS = 300
REFUSED = frozenset({3, 6, 10, 17, 18, 45, 46, 47, 87})
"""Error codes that a broker gives before it has appended anything."""

Told = Callable[[str, "int | None", str], None]  # ok, fail or info; the offset; why


class Sender(Protocol):
    def send(self, sent: Sent, told: Told) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def finish(self) -> None: ...
    def why_fatal(self) -> str | None: ...


class ConfluentSender:
    def __init__(self, options: dict) -> None:
        self._topic = options["topic"]
        self._may_tell_refusal = not options["retries"]
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": options["bootstrap"],
                "enable.idempotence": options["idempotent"],
                "acks": options["acks"],
                "retries": 1_000_000 if options["retries"] else 0,
                "linger.ms": 2,
                "batch.num.messages": 50,  # many requests in flight when the broker dies
                "message.timeout.ms": PATIENCE_S * 1000,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": RECONNECT_WITHIN_MS,
                "error_cb": self._note_fatal,
            }
        )
        self._fatal: str | None = None

    def _note_fatal(self, error: confluent_kafka.KafkaError) -> None:
        if error.fatal():
            self._fatal = error.str()

    def send(self, sent: Sent, told: Told) -> None:
        def delivered(
            error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message
        ) -> None:
            if error is None:
                offset = message.offset()
                told("ok", offset if offset >= 0 else None, "")
            else:
                refused = self._may_tell_refusal and error.code() in REFUSED
                told("fail" if refused else "info", None, error.str())

        try:
            self._producer.produce(
                self._topic, value(sent), key(sent), sent.partition, on_delivery=delivered
            )
        except (BufferError, confluent_kafka.KafkaException) as error:  # it was not taken
            told("fail", None, repr(error))

    def pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._fatal is None and (left := deadline - time.monotonic()) > 0:
            self._serve(partial(self._producer.poll, left))

    def finish(self) -> None:
        self._serve(partial(self._producer.flush, PATIENCE_S + 10))

    def _serve(self, call: Callable[[], object]) -> None:
        """The client raises what it cannot recover from out of whatever it is called for."""
        try:
            call()
        except confluent_kafka.KafkaException as error:
            self._fatal = self._fatal or repr(error)

    def why_fatal(self) -> str | None:
        return self._fatal


class KafkaPythonSender:
    def __init__(self, options: dict) -> None:
        self._topic = options["topic"]
        self._may_tell_refusal = not options["retries"]
        self._producer = kafka.KafkaProducer(
            bootstrap_servers=options["bootstrap"],
            enable_idempotence=options["idempotent"],
            acks="all" if options["acks"] == "all" else int(options["acks"]),
            retries=float("inf") if options["retries"] else 0,
            linger_ms=2,
            batch_size=8192,
            max_block_ms=PATIENCE_S * 1000,
            delivery_timeout_ms=PATIENCE_S * 1000,
            reconnect_backoff_ms=50,
            reconnect_backoff_max_ms=RECONNECT_WITHIN_MS,
        )

    def send(self, sent: Sent, told: Told) -> None:
        def failed(error: BaseException) -> None:
            refused = self._may_tell_refusal and getattr(error, "errno", None) in REFUSED
            told("fail" if refused else "info", None, repr(error))

        try:
            future = self._producer.send(
                self._topic, value(sent), key(sent), partition=sent.partition
            )
        except kafka.errors.KafkaError as error:  # it was not taken
            told("fail", None, repr(error))
            return
        future.add_callback(lambda at: told("ok", at.offset if at.offset >= 0 else None, ""))
        future.add_errback(failed)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def finish(self) -> None:
        self._producer.flush(PATIENCE_S + 10)
        self._producer.close(timeout=5)

    def why_fatal(self) -> str | None:
        return None


SENDERS: dict[str, Callable[[dict], Sender]] = {
    "confluent-kafka": ConfluentSender,
    "kafka-python": KafkaPythonSender,
}


class Load:
    """Which record is next, and how many have no answer yet."""

    def __init__(self, options: dict, journal: Journal) -> None:
        self.random = random.Random(f"{options['seed']} {options['name']}")
        self._name = options["name"]
        self._numbers = [0] * options["partitions"]
        self._journal = journal
        self._lock = threading.Lock()
        self.unanswered = 0

    def send_burst(self, sender: Sender) -> int:
        """Records to a few partitions, as they come."""
        burst = self.random.randint(1, LARGEST_BURST)
        for _ in range(burst):
            partition = self.random.randrange(len(self._numbers))
            sent = Sent(self._name, partition, self._numbers[partition])
            self._numbers[partition] += 1
            self._send(sender, sent)
        return burst

    def _send(self, sender: Sender, sent: Sent) -> None:
        def told(outcome: str, offset: int | None, why: str) -> None:
            more = {"why": why} if why else {}
            self._journal.note(outcome, record=str(sent), offset=offset, **more)
            with self._lock:
                self.unanswered -= 1

        self._journal.note("send", record=str(sent))
        with self._lock:
            self.unanswered += 1
        sender.send(sent, told)


def main(argument: str) -> None:
    options = json.loads(argument)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    who = {each: options[each] for each in ("name", "client", "acks", "idempotent", "retries")}
    journal = Journal(Path(options["journal"]), role="producer", **who)
    sender = SENDERS[options["client"]](options)
    load = Load(options, journal)
    while not stopping:
        burst = load.send_burst(sender) if load.unanswered < MOST_UNANSWERED else LARGEST_BURST
        sender.pause(burst / options["per_second"] * load.random.uniform(0.5, 1.5))
        why = sender.why_fatal()
        if why is not None:
            journal.note("trouble", why=why)
            break
    sender.finish()
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1])
