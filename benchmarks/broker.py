"""Gödel beside Apache Kafka: one run of each on this machine, one table (make bench-quick).

Brokers run one after another, each on an empty folder, loaded by load.c on librdkafka, so that
the client is seldom the limit. Broker and driver share the cores, so the broker's CPU time per
million records is the steadier figure; rates say what a user would see.

*cached*: acknowledged from the page cache, as Kafka always does; Gödel with write.caching=true.
*durable*: Gödel's default; acknowledged after fdatasync.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "bench"
HOST = "127.0.0.1"
READY_TIMEOUT_S = 60
SETTLE_S = 3.0
MILLION = 1_000_000

# The newest librdkafka whose source a package registry carries; Debian's is too old to be fair.
LIBRDKAFKA_PACKAGE = "@confluentinc/kafka-javascript@1.10.1"


# -- the driver -----------------------------------------------------------------------------------


def build_driver() -> Path:
    """load.c against the librdkafka inside the npm package, built once into .cache/."""
    driver = CACHE / "load"
    source = HERE / "load.c"
    if driver.exists() and driver.stat().st_mtime > source.stat().st_mtime:
        return driver
    library = build_librdkafka()
    include = CACHE / "include"
    include.mkdir(exist_ok=True)
    link = include / "librdkafka"
    if not link.exists():
        link.symlink_to(library)
    flags = [f"-I{include}", f"-L{library}", "-lrdkafka", f"-Wl,-rpath,{library}"]
    subprocess.run(["gcc", "-O2", "-o", str(driver), str(source), *flags], check=True)
    return driver


def build_librdkafka() -> Path:
    library = CACHE / "package" / "deps" / "librdkafka" / "src"
    if (library / "librdkafka.so.1").exists():
        return library
    CACHE.mkdir(parents=True, exist_ok=True)
    print("building librdkafka (once, a minute or two) ...", file=sys.stderr)
    packed = subprocess.run(
        ["npm", "pack", "--silent", LIBRDKAFKA_PACKAGE],
        cwd=CACHE,
        check=True,
        capture_output=True,
        text=True,
    )
    subprocess.run(["tar", "xzf", packed.stdout.split()[-1]], cwd=CACHE, check=True)
    with (CACHE / "librdkafka.log").open("wb") as log:
        for step in (["./configure", "--disable-syslog"], ["make", "-j2", "libs"]):
            subprocess.run(step, cwd=library.parent, check=True, stdout=log, stderr=log)
    return library


# -- the brokers ----------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def kafka_libraries() -> Path:
    """The folder with Apache Kafka's jars, fetched by Maven when it is not there."""
    folder = Path(os.environ.get("KAFKA_LIBS") or CACHE / "kafka-libs")
    if not any(folder.glob("kafka_2.13-*.jar")):
        print("fetching Apache Kafka's jars (once) ...", file=sys.stderr)
        partial = folder.with_name(folder.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
        pom = str(HERE / "reference" / "pom.xml")
        subprocess.run(["mvn", "-q", "-B", "-f", pom, *copy], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return folder


def kafka_command(port: int, data: str) -> list[str]:
    return [str(HERE / "reference" / "kafka"), str(port), str(free_port()), data]


def godel_command(caching: bool) -> Callable[[int, str], list[str]]:
    program = Path(sys.executable).with_name("godel-broker")

    def command(port: int, data: str) -> list[str]:
        setting = f"write.caching={str(caching).lower()}"
        return [str(program), "--data", data, "--listen", f"{HOST}:{port}", "--set", setting]

    return command


COMMANDS: dict[str, Callable[[int, str], list[str]]] = {
    "kafka": kafka_command,
    "cached": godel_command(caching=True),
    "durable": godel_command(caching=False),
}


def answers(port: int) -> bool:
    """Whether ApiVersions, the first request of every client, is answered."""
    body = struct.pack(">hhih", 18, 0, 7, -1)
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            return len(connection.recv(8, socket.MSG_WAITALL)) == 8
    except OSError:
        return False


class RunningBroker:
    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.bootstrap = f"{HOST}:{port}"
        started = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True
            )
        while not answers(port):
            if self.process.poll() is not None or time.monotonic() - started > READY_TIMEOUT_S:
                self.stop()
                raise SystemExit(f"{command[0]} does not serve:\n{log.read_text()[-2000:]}")
            time.sleep(0.002)
        self.start_s = time.monotonic() - started

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_s(self) -> float:
        times = [process.cpu_times() for process in self.processes()]
        return sum(entry.user + entry.system for entry in times)

    def memory_mib(self) -> float:
        return sum(p.memory_full_info().pss for p in self.processes()) / 2**20


# -- the rows -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure, its unit, and what it may be.

    `budget` is absolute; `budget_ratio` bounds ours divided by Kafka's. Which side is good follows
    from `more_is_better`.
    """

    name: str
    unit: str
    budget: float | None = None
    budget_ratio: float | None = None
    more_is_better: bool = False


ROWS = [
    Row("start on an empty folder", "ms", budget=300),
    Row("memory, idle", "MiB", budget=45),
    Row("produce 1 KiB, 1 partition", "k/s", budget_ratio=1.2, more_is_better=True),
    Row("produce 1 KiB, 1 partition, CPU", "s/M", budget=1.4),
    Row("produce 1 KiB, 4 partitions", "k/s", budget_ratio=1.2, more_is_better=True),
    Row("produce 1 KiB, 4 partitions, CPU", "s/M", budget=1.6),
    Row("produce 1 KiB, idempotent", "k/s", budget_ratio=1.2, more_is_better=True),
    Row("produce 1 KiB, idempotent, CPU", "s/M", budget=2.0),
    Row("produce 100 B", "k/s", more_is_better=True),
    Row("produce 100 B, CPU", "s/M"),
    Row("consume 1 KiB, 1 partition", "k/s", budget_ratio=1.0, more_is_better=True),
    Row("consume 1 KiB, 1 partition, CPU", "s/M", budget=0.4),
    Row("consume 1 KiB, 4 partitions", "k/s", budget_ratio=1.0, more_is_better=True),
    Row("consume 1 KiB, 4 partitions, CPU", "s/M", budget=0.4),
    Row("consume 100 B", "k/s", more_is_better=True),
    Row("unbatched produce 100 B", "k/s", more_is_better=True),
    Row("unbatched produce 100 B, CPU each", "µs", budget=45),
    Row("ack one at a time, p50", "ms", budget_ratio=1.0),
    Row("ack one at a time, p99", "ms", budget_ratio=1.0),
    Row("ack at 20 k/s, p50", "ms"),
    Row("ack at 20 k/s, p99", "ms", budget_ratio=1.0),
    Row("memory, loaded", "MiB", budget=150),
]

Figures = dict[str, float]


class Measurement:
    """One broker's figures, taken row by row."""

    def __init__(self, broker: RunningBroker, driver: Path, scale: float) -> None:
        self.broker, self.driver, self.scale = broker, driver, scale
        self.figures: Figures = {"start on an empty folder": broker.start_s * 1000}

    def load(self, mode: str, topic: str, count: int, *options: str) -> tuple[dict, float]:
        """The driver's own figures, and the CPU seconds that the broker spent meanwhile."""
        before = self.broker.cpu_s()
        names = ["-b", self.broker.bootstrap, "-t", topic, "-n", str(count)]
        done = subprocess.run(
            [str(self.driver), mode, *names, *options],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"load {mode} {topic}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1]), self.broker.cpu_s() - before

    def rate(self, name: str, mode: str, topic: str, count: int, *options: str) -> None:
        report, cpu_s = self.load(mode, topic, int(count * self.scale), *options)
        self.figures[name] = report["per_s"] / 1000
        self.figures[f"{name}, CPU"] = cpu_s / report["messages"] * MILLION

    def create_topics(self, partitions: dict[str, int]) -> None:
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        wanted = [NewTopic(topic, count, 1) for topic, count in partitions.items()]
        for answer in admin.create_topics(wanted).values():
            answer.result(30)

    def take(self) -> Figures:
        time.sleep(SETTLE_S)
        self.figures["memory, idle"] = self.broker.memory_mib()
        self.create_topics(
            {"warm": 1, "one": 1, "four": 4, "sequenced": 1, "small": 1, "single": 1, "ack": 1}
        )
        self.load("produce", "warm", int(200_000 * self.scale))
        self.load("consume", "warm", int(200_000 * self.scale))
        self.throughput()
        self.requests_and_latency()
        self.figures["memory, loaded"] = self.broker.memory_mib()
        return self.figures

    def throughput(self) -> None:
        count = 500_000
        self.rate("produce 1 KiB, 1 partition", "produce", "one", count)
        self.rate("produce 1 KiB, 4 partitions", "produce", "four", count, "-P", "4")
        self.rate("produce 1 KiB, idempotent", "produce", "sequenced", count, "-I")
        self.rate("produce 100 B", "produce", "small", 2 * count, "-s", "100")
        self.rate("consume 1 KiB, 1 partition", "consume", "one", count)
        self.rate("consume 1 KiB, 4 partitions", "consume", "four", count, "-P", "4")
        self.rate("consume 100 B", "consume", "small", 2 * count)

    def requests_and_latency(self) -> None:
        unbatched = ("-s", "100", "-B", "1", "-l", "0", "-i", "100")
        self.load("produce", "single", int(10_000 * self.scale), *unbatched)
        count = int(50_000 * self.scale)
        report, cpu_s = self.load("produce", "single", count, *unbatched)
        self.figures["unbatched produce 100 B"] = report["per_s"] / 1000
        self.figures["unbatched produce 100 B, CPU each"] = cpu_s / report["messages"] * MILLION
        self.load("latency", "ack", int(1_000 * self.scale))
        report, _ = self.load("latency", "ack", int(5_000 * self.scale))
        self.figures["ack one at a time, p50"] = report["p50_ms"]
        self.figures["ack one at a time, p99"] = report["p99_ms"]
        pace = ("-r", "20000", "-l", "1")
        report, _ = self.load("produce", "ack", int(100_000 * self.scale), *pace)
        self.figures["ack at 20 k/s, p50"] = report["p50_ms"]
        self.figures["ack at 20 k/s, p99"] = report["p99_ms"]


def measure(name: str, driver: Path, scale: float) -> Figures:
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
        port = free_port()
        command = COMMANDS[name](port, str(Path(folder) / "data"))
        broker = RunningBroker(command, port, Path(folder) / "broker.log")
        try:
            return Measurement(broker, driver, scale).take()
        finally:
            broker.stop()


def fdatasync_ms(rounds: int = 200) -> tuple[float, float]:
    """What one fdatasync of 1 KiB costs here: p50 and p99. No durable answer can be faster."""
    times_ms: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(rounds):
            os.write(file.fileno(), bytes(1024))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times_ms.append((time.perf_counter() - started) * 1000)
    times_ms.sort()
    return times_ms[rounds // 2], times_ms[rounds * 99 // 100]


# -- the tables -----------------------------------------------------------------------------------


def shown(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def ratio(ours: float | None, other: float | None) -> float | None:
    return ours / other if ours is not None and other else None


def verdict(row: Row, ours: float | None, relative: float | None) -> tuple[str, str]:
    """The budget in words, and how far we are from it."""
    if row.budget is not None:
        budget, figure, text = row.budget, ours, f"{shown(row.budget)} {row.unit}"
    elif row.budget_ratio is not None:
        budget, figure, text = row.budget_ratio, relative, f"{row.budget_ratio:g}x Kafka"
    else:
        return "", ""
    sign = "≥" if row.more_is_better else "≤"
    if figure is None or figure == 0:
        return f"{sign} {text}", "-"
    over = budget / figure if row.more_is_better else figure / budget
    if over <= 1:
        return f"{sign} {text}", "within"
    return f"{sign} {text}", f"{over:.2f}x off" + (" **(more than twice)**" if over > 2 else "")


def cached_table(kafka: Figures, godel: Figures) -> str:
    lines = [
        "| row | mode | Apache Kafka 4.3.1 | Gödel | Gödel / Kafka | budget | |",
        "|---|---|--:|--:|--:|---|---|",
    ]
    for row in ROWS:
        theirs, ours = kafka.get(row.name), godel.get(row.name)
        relative = ratio(ours, theirs)
        budget, distance = verdict(row, ours, relative)
        name = f"{row.name} ({row.unit})"
        cells = [name, "cached", shown(theirs), shown(ours), shown(relative), budget, distance]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def durable_table(cached: Figures, durable: Figures) -> str:
    lines = [
        "| row | mode | Gödel | cached | durable / cached |",
        "|---|---|--:|--:|--:|",
    ]
    for row in ROWS:
        ours, other = durable.get(row.name), cached.get(row.name)
        name = f"{row.name} ({row.unit})"
        cells = [name, "durable", shown(ours), shown(other), shown(ratio(ours, other))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def what_can_run(wanted: list[str]) -> list[str]:
    can_run = list(wanted)
    if "kafka" in can_run:
        needed = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
        if "java" in needed or (needed and not os.environ.get("KAFKA_LIBS")):
            print(f"No column for Apache Kafka: {' and '.join(needed)} missing.", file=sys.stderr)
            can_run.remove("kafka")
        else:
            os.environ["KAFKA_LIBS"] = str(kafka_libraries())
    return can_run


def medians(results: list[Figures]) -> Figures:
    return {name: statistics.median(r[name] for r in results) for name in results[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1, help="each broker so often; medians")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer records")
    parser.add_argument("--only", default="kafka,cached,durable", help="which brokers to run")
    options = parser.parse_args()
    driver = build_driver()
    results: dict[str, list[Figures]] = {}
    for name in what_can_run(options.only.split(",")) * options.rounds:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results.setdefault(name, []).append(measure(name, driver, options.scale))
    figures = {name: medians(taken) for name, taken in results.items()}
    cached = figures.get("cached", {})
    print(cached_table(figures.get("kafka", {}), cached))
    if "durable" in figures:
        p50, p99 = fdatasync_ms()
        print(f"\nfdatasync of 1 KiB here: p50 {p50:.3f} ms, p99 {p99:.3f} ms\n")
        print(durable_table(cached, figures["durable"]))


if __name__ == "__main__":
    main()
