"""One broker under load: what was taken of it, by the names of the rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from brokers import RunningBroker, running
from confluent_kafka.admin import AdminClient, NewTopic
from driver import Load

MILLION = 1_000_000

Figures = dict[str, float]
"""By the name of the row."""

UNBATCHED = ("-s", "100", "-B", "1", "-l", "0", "-i", "100")
"""Options of the driver: a request for each record, a hundred of them under way."""


class Measurement:
    """Loads a broker, which `brokers.py` knows by this name, and notes figures."""

    def __init__(
        self, name: str, broker: RunningBroker, driver: Path, folder: Path, scale: float
    ) -> None:
        self.name, self.broker, self.driver = name, broker, driver
        self.folder, self.scale = folder, scale
        self.figures: Figures = {}

    def starts(self, name: str, *, times: int = 3) -> None:
        """Note the median of so many starts on empty folders; the first is that of the broker."""
        taken_s = [self.broker.start_s]
        for number in range(1, times):
            folder = self.folder / f"start-{number}"
            folder.mkdir()
            with running(self.name, folder) as broker:
                taken_s.append(broker.start_s)
        self.figures[name] = statistics.median(taken_s) * 1000

    def scaled(self, count: int) -> int:
        """So many records as this run takes for that many; eight producers can share them."""
        return max(int(count * self.scale) // 40 * 40, 40)

    def client(self, **more: object) -> dict[str, object]:
        """Settings of a confluent-kafka client."""
        return {"bootstrap.servers": self.broker.bootstrap, "log_level": 0} | more

    def create_topics(self, partitions: dict[str, int], **config: str) -> None:
        admin = AdminClient(self.client())
        wanted = [NewTopic(topic, count, 1, config=config) for topic, count in partitions.items()]
        for answer in admin.create_topics(wanted).values():
            answer.result(60)

    def start(self, mode: str, topic: str, count: int, *options: str) -> Load:
        return Load(self.driver, mode, self.broker.bootstrap, topic, count, *options)

    def load(
        self, mode: str, topic: str, count: int, *options: str
    ) -> tuple[dict[str, float], float]:
        """The driver's own figures, and the CPU seconds that the broker spent meanwhile."""
        before = self.broker.cpu_s()
        report = self.start(mode, topic, count, *options).report()
        return report, self.broker.cpu_s() - before

    def rate(
        self,
        name: str,
        mode: str,
        topics: Sequence[str],
        each: int,
        *options: str,
        record_bytes: int | None = None,
    ) -> None:
        """Note rate and CPU of one driver a topic, side by side, with so many records each."""
        before = self.broker.cpu_s()
        drivers = [self.start(mode, topic, each, *options) for topic in topics]
        reports = [driver.report() for driver in drivers]
        cpu_s = self.broker.cpu_s() - before
        messages = sum(report["messages"] for report in reports)
        per_s = messages / max(report["seconds"] for report in reports)
        self.note_rate(name, messages, per_s, cpu_s)
        if record_bytes is not None:
            self.figures[f"{name}, MB/s"] = per_s * record_bytes / MILLION

    def reads(
        self,
        name: str,
        topic: str,
        count: int,
        *options: str,
        times: int = 5,
        before_each: Callable[[], object] = lambda: None,
        record_bytes: int | None = None,
    ) -> None:
        """Note the median rate and the CPU of reading a topic so often: once is over too soon."""
        reports = []
        cpu_s = 0.0
        for _ in range(times):
            before_each()
            report, taken_s = self.load("consume", topic, count, *options)
            reports.append(report)
            cpu_s += taken_s
        per_s = statistics.median(report["per_s"] for report in reports)
        self.note_rate(name, sum(report["messages"] for report in reports), per_s, cpu_s)
        if record_bytes is not None:
            self.figures[f"{name}, MB/s"] = per_s * record_bytes / MILLION

    def note_rate(self, name: str, messages: float, per_s: float, cpu_s: float) -> None:
        self.figures[name] = per_s / 1000
        self.figures[f"{name}, CPU"] = cpu_s / messages * MILLION

    def unbatched(self, name: str, topic: str, count: int, *options: str) -> None:
        """Note rate and CPU of one small record a request."""
        self.load("produce", topic, self.scaled(count // 5), *UNBATCHED, *options)
        report, cpu_s = self.load("produce", topic, self.scaled(count), *UNBATCHED, *options)
        self.figures[name] = report["per_s"] / 1000
        self.figures[f"{name}, CPU each"] = cpu_s / report["messages"] * MILLION

    def percentiles(self, name: str, report: dict[str, float], *percentiles: str) -> None:
        for percentile in percentiles:
            key = f"p{percentile.replace('.', '')}_ms"
            self.figures[f"{name}, p{percentile}"] = report[key]
