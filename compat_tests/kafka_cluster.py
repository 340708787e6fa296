"""Apache Kafka on several nodes of this machine; the first is the controller besides."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from compat_tests import apache_kafka
from compat_tests.brokers import HOST, BrokerProcess, free_port

SETTINGS = {
    "offsets.topic.replication.factor": "2",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
}
OPTIONS = ("--heap", "256m")


@contextmanager
def running(folder: Path, nodes: int) -> Iterator[list[BrokerProcess]]:
    """The nodes by id, which counts from 1."""
    controller = f"CONTROLLER://{HOST}:{free_port()}"
    options = (*OPTIONS, "--cluster", apache_kafka.cluster_id())
    brokers = []
    for number in range(1, nodes + 1):
        settings = {
            **SETTINGS,
            "node.id": str(number),
            "controller.quorum.bootstrap.servers": controller.removeprefix("CONTROLLER://"),
        }
        here = "PLAINTEXT://{host}:{port}"
        if number == 1:
            listeners = f"{here},{controller}"
            settings |= {"listeners": listeners, "advertised.listeners": listeners}
        else:
            settings |= {
                "process.roles": "broker",
                "listeners": here,
                "advertised.listeners": here,
            }
        command = apache_kafka.command(settings=settings, options=options)
        brokers.append(BrokerProcess(folder / f"node-{number}", command))
    try:
        with ThreadPoolExecutor(nodes) as starting:
            list(starting.map(BrokerProcess.start, brokers))
        yield brokers
    finally:
        for broker in reversed(brokers):
            broker.kill()
