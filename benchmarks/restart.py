"""How fast a broker is back: python benchmarks/restart.py [scan] [many] [kill]

scan   recovery of long logs against `cat` of the same files and the CRC alone, in one thread and
       two, from the page cache and (as root) from the disk
many   thousands of partitions with data: stop, start, first answers, descriptors, memory
kill   SIGKILL while 64 producers write to 128 partitions, with gigabytes in the logs, against a
       start on an empty folder right after it

Every time is from the start of the process to the answer that the row names, over the wire. What
else the machine does shows in all of them: compare within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from brokers import RunningBroker, free_port, godel_command
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from godel.clock import SystemClock
from godel.records.builder import NewRecord, build_batch
from godel.records.crc import crc32c
from godel.storage.files import RealFiles
from godel.storage.log_config import LogConfig
from godel.storage.recovery_run import UncleanLog, recover_logs
from godel.types import TopicPartition as Partition

MIB, GIB = 1 << 20, 1 << 30
TOPICS = 10
PRODUCERS, PRODUCED_PARTITIONS = 64, 128
READ_BYTES = 8 * MIB


def row(name: str, figure: str, budget: str = "") -> None:
    print(f"| {name} | {figure} | {budget} |", flush=True)


def timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


# -- scan -----------------------------------------------------------------------------------------


def write_log(folder: Path, value_bytes: int, size_bytes: int) -> None:
    """A segment of one-record batches with this much data."""
    folder.mkdir(parents=True)
    batch = build_batch([NewRecord(None, os.urandom(value_bytes), timestamp_ms=1)], timestamp_ms=1)
    rest = batch[8:]
    with (folder / f"{0:020d}.log").open("wb") as file:
        for offset in range(size_bytes // len(batch)):
            file.write(struct.pack(">q", offset) + rest)
        file.flush()
        os.fsync(file.fileno())


def cat(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb", buffering=0) as file:
            space = bytearray(READ_BYTES)
            while file.readinto(space):
                pass


def forget_cached(paths: list[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def recover(folders: list[Path], threads: int) -> None:
    logs = [
        UncleanLog(Partition("t", number), str(folder), LogConfig(), 0, 0, None)
        for number, folder in enumerate(folders)
    ]
    log = structlog.get_logger()
    done = asyncio.run(
        recover_logs(RealFiles(), logs, threads=threads, clock=SystemClock(), log=log)
    )
    assert all(one.failure is None and one.report and one.report.cut is None for one in done)


def forget_indexes(folders: list[Path]) -> None:
    for folder in folders:
        for path in [*folder.glob("*.index"), *folder.glob("*.timeindex")]:
            path.unlink()


def bench_scan(root: Path, size_bytes: int) -> None:
    for name, value_bytes in (("1 MiB", MIB - 100), ("16 KiB", 16 * 1024), ("1 KiB", 1024)):
        count = max(4, -(-size_bytes // GIB))  # a segment has at most 2 GiB
        folders = [root / f"scan-{value_bytes}-{number}" for number in range(count)]
        for folder in folders:
            write_log(folder, value_bytes, size_bytes // len(folders))
        paths = [next(folder.glob("*.log")) for folder in folders]
        actions: list[tuple[str, Callable[[], None]]] = [
            ("cat", lambda paths=paths: cat(paths)),
            ("recovery, 1 thread", lambda folders=folders: recover(folders, 1)),
            ("recovery, 2 threads", lambda folders=folders: recover(folders, 2)),
        ]
        for label, action in actions:
            figures = []
            for is_cold in (True, False):
                forget_indexes(folders)
                if is_cold:
                    forget_cached(paths)
                cpu = time.process_time()
                took = timed(action)
                cpu = time.process_time() - cpu
                figures.append(f"{size_bytes / took / GIB:.2f}")
            row(
                f"{name} batches: {label}",
                f"{figures[0]} cold, {figures[1]} warm GiB/s "
                f"({size_bytes / cpu / GIB:.2f} per CPU s)",
            )
        for folder in folders:
            shutil.rmtree(folder)
    block = os.urandom(MIB)
    took = timed(lambda: [crc32c(block) for _ in range(1024)])
    row("CRC alone, 1 thread", f"{1 / took:.2f} GiB/s")


# -- brokers --------------------------------------------------------------------------------------


@contextmanager
def running(data: Path, *settings: str) -> Iterator[RunningBroker]:
    port = free_port()
    command = godel_command(caching=False)(port, str(data))
    for setting in settings:
        command += ["--set", setting]
    broker = RunningBroker(command, port, data.with_suffix(".txt"))
    try:
        yield broker
    finally:
        broker.stop()


def client(broker: RunningBroker, **more: object) -> dict:
    return {"bootstrap.servers": broker.bootstrap, "log_level": 0} | {
        name.replace("_", "."): value for name, value in more.items()
    }


def topic_name(number: int) -> str:
    return f"many-{number}"


def create(admin: AdminClient, names: list[str], partitions: int) -> None:
    for answer in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        answer.result(120)


def first_answers(broker: RunningBroker, topic: str, partition: int) -> tuple[float, float]:
    """Seconds from the start of the process to a Metadata answer and to fetched records."""
    started = time.monotonic() - broker.start_s
    consumer = Consumer(client(broker, group_id="g", enable_auto_commit=False))
    consumer.list_topics(topic, timeout=60)
    metadata_s = time.monotonic() - started
    consumer.assign([TopicPartition(topic, partition, 0)])
    message = consumer.poll(60)
    assert message is not None
    assert message.error() is None, message
    fetched_s = time.monotonic() - started
    consumer.close()
    return metadata_s, fetched_s


def fill(broker: RunningBroker, partitions: int) -> None:
    admin = AdminClient(client(broker))
    each = partitions // TOPICS
    for number in range(TOPICS):
        create(admin, [topic_name(number)], each)
    producer = Producer(client(broker, queue_buffering_max_messages=1_000_000, acks="1"))
    for number in range(TOPICS):
        for index in range(each):
            producer.produce(topic_name(number), b"x" * 500, partition=index)
    assert producer.flush(300) == 0


def bench_many(root: Path, partitions: int, kafka: str) -> None:
    data = root / f"many-{partitions}"
    data.mkdir()
    name = f"{partitions:,} partitions"
    with running(data) as broker:
        fill(broker, partitions)
        process = broker.processes()[0]
        row(f"{name}: descriptors with every log open", str(process.num_fds()), "20,000")
        row(f"{name}: memory with every log open", f"{broker.memory_mib():.0f} MiB")
        row(f"{name}: SIGTERM", f"{timed(broker.stop):.2f} s")
    with running(data) as broker:
        last = (topic_name(TOPICS - 1), partitions // TOPICS - 1)
        metadata_s, fetched_s = first_answers(broker, *last)
        row(f"{name}: restart, ApiVersions", f"{broker.start_s:.2f} s", kafka)
        row(f"{name}: restart, Metadata", f"{metadata_s:.2f} s", kafka)
        row(f"{name}: restart, Fetch", f"{fetched_s:.2f} s", kafka)
        row(f"{name}: descriptors", str(broker.processes()[0].num_fds()), "20,000")
        row(f"{name}: memory idle", f"{broker.memory_mib():.0f} MiB")
        broker.process.kill()
    with running(data) as broker:
        metadata_s, fetched_s = first_answers(broker, *last)
        row(f"{name}: after SIGKILL when idle, ApiVersions", f"{broker.start_s:.2f} s", "1 s")
        row(f"{name}: after SIGKILL when idle, Fetch", f"{fetched_s:.2f} s")
    shutil.rmtree(data)


class Load:
    """Producers that write until they are told to stop."""

    def __init__(self, broker: RunningBroker, topic: str, record_bytes: int) -> None:
        self._stopping = threading.Event()
        self._value = os.urandom(record_bytes)
        self.acked = 0
        self._threads = [
            threading.Thread(target=self._produce, args=(broker, topic, number), daemon=True)
            for number in range(8)
        ]
        for thread in self._threads:
            thread.start()

    def _acknowledged(self, error: object, _message: object) -> None:
        if error is None:
            self.acked += len(self._value)

    def _produce(self, broker: RunningBroker, topic: str, number: int) -> None:
        producers = [
            Producer(
                client(
                    broker,
                    linger_ms=5,
                    queue_buffering_max_kbytes=16_384,
                    message_timeout_ms=5_000,
                    enable_idempotence=n % 2 == 0,
                )
            )
            for n in range(PRODUCERS // 8)
        ]
        partition = number
        while not self._stopping.is_set():
            for producer in producers:
                partition = (partition + 8) % PRODUCED_PARTITIONS
                try:
                    for _ in range(20):
                        producer.produce(
                            topic, self._value, partition=partition, callback=self._acknowledged
                        )
                except (BufferError, KafkaException):
                    pass
                producer.poll(0)
        for producer in producers:
            producer.purge()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)


def first_ack(broker: RunningBroker, topic: str) -> float:
    started = time.monotonic() - broker.start_s
    producer = Producer(client(broker))
    producer.produce(topic, b"again", partition=0)
    assert producer.flush(60) == 0
    return time.monotonic() - started


def bench_kill(root: Path, size_bytes: int, caching: bool) -> None:
    mode = "cached" if caching else "durable"
    data = root / f"kill-{mode}"
    data.mkdir()
    setting = f"write.caching={str(caching).lower()}"
    with running(data, setting) as broker:
        create(AdminClient(client(broker)), ["killed"], PRODUCED_PARTITIONS)
        load = Load(broker, "killed", 1000)
        began = time.monotonic()
        while load.acked < size_bytes and time.monotonic() - began < 400:
            time.sleep(0.02)
        took = time.monotonic() - began
        broker.process.send_signal(signal.SIGKILL)
        broker.process.wait()
        row(f"killed {mode} after", f"{load.acked / GIB:.2f} GiB in {took:.0f} s")
        load.stop()
    with running(data, setting) as broker:
        acked_s = first_ack(broker, "killed")
        row(f"killed {mode}: ApiVersions", f"{broker.start_s:.2f} s", "1 s")
        row(f"killed {mode}: first acknowledgement", f"{acked_s:.2f} s", "1 s")
    shutil.rmtree(data)
    data.mkdir()
    with running(data, setting) as broker:
        row(f"{mode}: start on an empty folder", f"{broker.start_s:.2f} s", "0.3 s")
    shutil.rmtree(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="scan, many, kill; all when none is named")
    parser.add_argument("--gib", type=float, default=2, help="how much data scan and kill have")
    parser.add_argument("--partitions", default="5000,10000")
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    parts = options.parts or ["scan", "many", "kill"]
    size_bytes = int(options.gib * GIB)
    root = Path(tempfile.mkdtemp(prefix="restart.", dir=options.folder))
    print("| what | figure | budget |\n|---|---|---|")
    try:
        if "scan" in parts:
            bench_scan(root, size_bytes)
        if "many" in parts:
            for partitions in map(int, options.partitions.split(",")):
                bench_many(root, partitions, {5000: "1.5 s", 10000: "3 s"}.get(partitions, ""))
        if "kill" in parts:
            for caching in (False, True):
                bench_kill(root, size_bytes, caching)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
