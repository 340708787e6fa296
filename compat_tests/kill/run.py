"""One run: a broker, producers, members of two groups and an observer; kills; then the reckoning.

    start all -> kill and start the broker again, at random -> producers finish -> one more kill
    -> the groups get to the end -> all end -> everything is read back -> the journals are checked

What happens when follows from the seed, as far as a machine with other work to do allows.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from compat_tests.brokers import HOST, BrokerProcess, godel_command
from compat_tests.confluent_kafka.client import ConfluentKafka
from compat_tests.kill.history import Journal
from compat_tests.kill.observer import Onlooker
from compat_tests.kill.values import identify
from compat_tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
PORTS = range(29800, 29900)
"""Below the ports that the kernel gives to connecting clients: a client that knocks while the
broker is away would otherwise end up connected to itself now and then, and keep the port."""

TOPIC, PARTITIONS = "kills", 6
SEGMENT_BYTES = 1_048_576
READY_S, FINISH_S = 30.0, 90.0
KILLED_WHILE_STARTING, LONGEST_START_S = 0.2, 0.6
SHORTEST_LIFE_S = 0.1
LONG_LIFE_S = (7.5, 9.5)
"""After a member was replaced. A session that nobody keeps up ends only if the broker lives so
long: it begins anew with every broker, and until it ends the group has to wait for its member."""

PRODUCERS = (
    # client, acks, idempotent, retries
    ("confluent-kafka", "all", True, True),
    ("confluent-kafka", "all", False, True),
    ("confluent-kafka", "1", False, False),
    ("kafka-python", "all", True, True),
    ("kafka-python", "1", False, True),
    ("kafka-python", "all", False, False),
)
GROUPS = {
    "librdkafka": ("confluent-kafka", "cooperative-sticky"),
    "pure-python": ("kafka-python", "range"),
}
MEMBERS_EACH = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """`kills` counts those while load is on; one more follows when the producers are done."""

    seed: int
    kills: int
    longest_life_s: float = 2.5
    per_second: int = 200
    settings: Sequence[str] = ()
    is_hasty: bool = False
    replace_members_every: int = 8
    no_progress_s: float = 40.0


def free_port() -> int:
    """Where to begin to look differs: another run's broker may be away just now."""
    first = os.getpid() % len(PORTS)
    for port in (*PORTS[first:], *PORTS[:first]):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port of {PORTS.start} to {PORTS.stop - 1} is free")


class KillableBroker(BrokerProcess):
    """A broker that may also be killed before it has come up."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._port = free_port()
        settings = "".join(f" --set {shlex.quote(each)}" for each in plan.settings)
        command = godel_command()
        if plan.is_hasty:
            program = f"{shlex.quote(sys.executable)} -m compat_tests.kill.hasty_broker"
            command = program + command[command.index(" --data") :]
        super().__init__(folder, command.replace("{port}", str(self._port)) + settings)
        self.port = self._port
        self.bootstrap = f"{HOST}:{self.port}"

    def start_and_kill(self, after_s: float) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True, cwd=ROOT
            )
        time.sleep(after_s)
        self.kill()


class Worker:
    """A process that keeps a journal."""

    def __init__(self, module: str, folder: Path, name: str, **options: object) -> None:
        self.name = name
        self.journal = folder / f"{name}.jsonl"
        self.errors = folder / f"{name}.errors"
        options = {"name": name, "journal": str(self.journal), **options}
        command = [sys.executable, "-W", "ignore", "-m", f"compat_tests.kill.{module}"]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, json.dumps(options)], cwd=ROOT, stderr=errors, stdout=errors
            )

    def has_begun(self) -> bool:
        """Whether there is more in its journal than who it is."""
        return self.journal.exists() and self.journal.read_bytes().count(b"\n") > 1

    def ask_to_end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, deadline: float) -> str | None:
        """What is wrong with how it ended."""
        try:
            status = self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            return "it did not end when it was asked to"
        if status:
            return f"it ended with {status}: {self.errors.read_text(errors='replace')[-500:]}"
        return None


class Run:
    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.say = say
        self.random = random.Random(plan.seed)
        self.journals = folder / "journals"
        self.journals.mkdir(parents=True)
        self.journal = Journal(self.journals / "run.jsonl", role="run", name="run")
        self.broker = KillableBroker(folder, plan)
        self.producers: list[Worker] = []
        self.members: dict[str, list[Worker]] = {group: [] for group in GROUPS}
        self.observer: Worker | None = None
        self._member_number = 0

    def __call__(self) -> None:
        """All of it; the journals are what it leaves."""
        try:
            self._begin()
            life_s = (SHORTEST_LIFE_S, self.plan.longest_life_s)
            for number in range(1, self.plan.kills + 1):
                time.sleep(self.random.uniform(*life_s))
                self._kill()
                life_s = (SHORTEST_LIFE_S, self.plan.longest_life_s)
                if number % self.plan.replace_members_every == self.plan.replace_members_every // 2:
                    self._replace_member()
                    life_s = LONG_LIFE_S
                if number % 10 == 0 or number == self.plan.kills:
                    self.say(f"{number} kills")
            self._end(self.producers)
            self._kill()
            self._wait_for_groups()
            self._end([each for members in self.members.values() for each in members])
            assert self.observer is not None
            self._end([self.observer])
            self._read_back()
            self.broker.stop()
        finally:
            self._leave_nothing()

    def _begin(self) -> None:
        self.broker.start()
        ConfluentKafka(self.broker.bootstrap).create_topic(
            TOPIC, PARTITIONS, configs={"segment.bytes": str(SEGMENT_BYTES)}
        )
        for number, (client, acks, idempotent, retries) in enumerate(PRODUCERS):
            self.producers.append(
                self._worker(
                    "producer",
                    f"p{number}",
                    client=client,
                    acks=acks,
                    idempotent=idempotent,
                    retries=retries,
                    seed=self.plan.seed,
                    per_second=self.plan.per_second,
                )
            )
        for group in GROUPS:
            for _ in range(MEMBERS_EACH):
                self._add_member(group)
        self.observer = self._worker("observer", "observer", groups=list(GROUPS))
        members = [each for members in self.members.values() for each in members]
        for worker in (*self.producers, *members, self.observer):
            eventually(worker.has_begun, f"a sign of {worker.name}", timeout_s=READY_S)

    def _worker(self, module: str, name: str, **options: object) -> Worker:
        return Worker(
            module,
            self.journals,
            name,
            bootstrap=self.broker.bootstrap,
            topic=TOPIC,
            partitions=PARTITIONS,
            **options,
        )

    def _add_member(self, group: str) -> None:
        self._member_number += 1
        client, assignor = GROUPS[group]
        name = f"m{self._member_number}"
        self.members[group].append(
            self._worker("member", name, client=client, group=group, assignor=assignor)
        )

    def _replace_member(self) -> None:
        """One member of some group ends, politely or not, and another one comes."""
        group = self.random.choice(list(GROUPS))
        member = self.members[group].pop(0)
        if self.random.random() < 0.5:
            member.kill()
        else:
            self._end([member])
        self._add_member(group)

    def _kill(self) -> None:
        """Kill the broker and have it back; sometimes it is killed again while it starts."""
        killed_at = time.monotonic()
        self.broker.kill()
        dead_at = time.monotonic()
        was_starting = self.random.random() < KILLED_WHILE_STARTING
        start_s = self.random.uniform(0.0, LONGEST_START_S)
        if was_starting:
            self.broker.start_and_kill(start_s)
            dead_at = time.monotonic()
        began_at = time.monotonic()
        self.broker.start()
        self.journal.note(
            "kill",
            killed_at=killed_at,
            dead_at=dead_at,
            began_at=began_at,
            was_starting=was_starting,
        )

    def _end(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.ask_to_end()
        deadline = time.monotonic() + FINISH_S
        for worker in workers:
            wrong = worker.wait(deadline)
            if wrong is not None:
                self.journal.note("trouble", why=f"{worker.name}: {wrong}")

    def _wait_for_groups(self) -> None:
        """Give each group time to commit up to the end, as long as it gets on."""
        for group in GROUPS:
            onlooker = Onlooker(self.broker.bootstrap, group, TOPIC, PARTITIONS)
            before, since = None, time.monotonic()
            while time.monotonic() - since < self.plan.no_progress_s:
                try:
                    ends = onlooker.ends()
                except KafkaException:
                    continue  # the broker has just come back
                committed = onlooker.committed(self.journal)
                if committed == ends:
                    break
                if committed is not None and committed != before:
                    before, since = committed, time.monotonic()
                time.sleep(0.1)
            onlooker.consumer.close()

    def _read_back(self) -> None:
        """Write down every record there is."""
        reader = Onlooker(self.broker.bootstrap, "not-used", TOPIC, PARTITIONS)
        consumer, ends = reader.consumer, reader.ends()
        consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in ends])
        for partition in ends:
            self.journal.note("partition", partition=partition)
        unread = {partition for partition, end in ends.items() if end > 0}
        deadline = time.monotonic() + FINISH_S
        while unread and time.monotonic() < deadline:
            for message in consumer.consume(2000, timeout=0.5):
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        unread.discard(message.partition())
                        continue
                    self.journal.note("trouble", why=f"reading back: {message.error().str()}")
                    continue
                sent = identify(message.key(), message.value())
                more = {"record": str(sent)} if sent else {"excerpt": repr(message.value())[:100]}
                at = {"partition": message.partition(), "offset": message.offset()}
                self.journal.note("log", **{"record": None, **at, **more})
        if unread:
            self.journal.note("trouble", why=f"reading back: no end of partitions {unread}")
        consumer.close()

    def _leave_nothing(self) -> None:
        self.broker.kill()
        members = [each for members in self.members.values() for each in members]
        for worker in (*self.producers, *members, self.observer):
            if worker is not None and worker.process.poll() is None:
                worker.kill()
        self.journal.close()
