"""SIGKILL while 64 producers write to 128 partitions, with a gigabyte in the logs: how long until
the first answer and the first acknowledgement, from the start of the process."""

from __future__ import annotations

import os
import threading
import time

from confluent_kafka import KafkaException, Producer
from figures import Row
from measurement import Measurement

LEAVES_OUT = ("mesh",)
"""It forgets everything."""
PRODUCERS, THREADS, PARTITIONS = 64, 8, 128
RECORD_BYTES = 1000
SIZE_BYTES = 1 << 30
PATIENCE_S = 120
TOPIC = "killed"

ROWS = [
    Row("killed under load: start to first answer", "s", budget=1.0),
    Row("killed under load: start to first ack", "s", budget=1.0),
    Row("start on an empty folder in the same run", "s"),
]


class Producers:
    """They write until they are told to stop."""

    def __init__(self, bench: Measurement) -> None:
        self._stopping = threading.Event()
        self._value = os.urandom(RECORD_BYTES)
        self.acknowledged_bytes = 0
        self._threads = [
            threading.Thread(target=self._produce, args=(bench, number), daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def _on_delivery(self, error: object, _message: object) -> None:
        if error is None:
            self.acknowledged_bytes += RECORD_BYTES

    def _produce(self, bench: Measurement, number: int) -> None:
        producers = [producer(bench, idempotent=n % 2 == 0) for n in range(PRODUCERS // THREADS)]
        partition = number
        while not self._stopping.is_set():
            for each in producers:
                partition = (partition + THREADS) % PARTITIONS
                try:
                    for _ in range(20):
                        each.produce(
                            TOPIC, self._value, partition=partition, callback=self._on_delivery
                        )
                except (BufferError, KafkaException):
                    pass
                each.poll(0)
        for each in producers:
            each.purge()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)


def producer(bench: Measurement, *, idempotent: bool) -> Producer:
    bounds = {"queue.buffering.max.kbytes": 16_384, "message.timeout.ms": 5_000, "linger.ms": 5}
    return Producer(bench.client(**bounds, **{"enable.idempotence": idempotent}))


def take(bench: Measurement) -> None:
    bench.figures["start on an empty folder in the same run"] = bench.broker.start_s
    bench.create_topics({TOPIC: PARTITIONS})
    producers = Producers(bench)
    began = time.monotonic()
    while producers.acknowledged_bytes < bench.scaled(SIZE_BYTES):
        if time.monotonic() - began > PATIENCE_S:
            raise SystemExit(f"{bench.name} took {producers.acknowledged_bytes:,} bytes only")
        time.sleep(0.02)
    bench.broker.kill()
    producers.stop()
    bench.broker.start()
    bench.figures["killed under load: start to first answer"] = bench.broker.start_s
    again = Producer(bench.client())
    again.produce(TOPIC, b"again", partition=0)
    if again.flush(PATIENCE_S) != 0:
        raise SystemExit(f"{bench.name} does not take records after SIGKILL")
    bench.figures["killed under load: start to first ack"] = bench.broker.since_start_s()
