"""Apache Kafka on one node, from its published jars, started with godel-broker's own flags.

`python -m compat_tests.apache_kafka --data FOLDER --listen HOST:PORT [--advertise HOST:PORT]
[--version VERSION] [--cluster ID] [--heap SIZE] [--set KEY=VALUE]...` formats the folder the first
time and then becomes the broker's JVM. `make compat-reference` holds the tests against it, others
read what it has written.
What differs from Kafka's defaults: one replica of the internal topics, no delay of the first
rebalance, and an authorizer that allows everything until somebody makes an ACL.
"""

from __future__ import annotations

import argparse
import base64
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat_tests.brokers import HOST, free_port
from compat_tests.java import jars

SETTINGS = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
JVM = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def properties(folder: Path, arguments: argparse.Namespace) -> dict[str, str]:
    address = f"{HOST}:{free_port()}"
    controller = f"CONTROLLER://{address}"
    advertised = arguments.advertise or arguments.listen
    return {
        **SETTINGS,
        "log.dirs": str(folder),
        "listeners": f"PLAINTEXT://{arguments.listen},{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised},{controller}",
        **quorum(address, arguments),
        **dict(setting.split("=", 1) for setting in arguments.set),
    }


def quorum(address: str, arguments: argparse.Namespace) -> dict[str, str]:
    """As each version's own examples have it: the voters in the settings, or in the log."""
    if arguments.version == jars.OLDER:
        return {"controller.quorum.voters": f"{SETTINGS['node.id']}@{address}"}
    return {"controller.quorum.bootstrap.servers": address}


def cluster_id() -> str:
    """A UUID as Kafka writes it, beginning with A: a hyphen would look like a flag."""
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def command(
    version: str = jars.NEWEST,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> str:
    """For brokers.BrokerProcess."""
    words = [sys.executable, "-m", __name__, "--version", version, *options]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    return f"{shlex.join(words)} --data {{data}} --listen {{host}}:{{port}}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.apache_kafka")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--advertise")
    parser.add_argument("--version", choices=(jars.OLDER, jars.NEWEST), default=jars.NEWEST)
    parser.add_argument("--cluster", metavar="ID", default=cluster_id())
    parser.add_argument("--heap", metavar="SIZE", default="1g", help="as in 256m")
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    folder = arguments.data.resolve()
    settings = folder.with_name(folder.name + ".properties")
    java = (*JVM, f"-Xmx{arguments.heap}", "-cp", f"{jars.libraries(arguments.version)}{os.sep}*")
    if not settings.exists():  # else it is a restart: the folder knows the controller's port
        given = properties(folder, arguments)
        settings.write_text("".join(f"{key}={value}\n" for key, value in given.items()))
        form = ["format", "-t", arguments.cluster, "-c", str(settings)]
        if arguments.version != jars.OLDER and "controller" in given["process.roles"]:
            form.append("--standalone")
        subprocess.run([*java, "kafka.tools.StorageTool", *form], check=True)
    os.execvp("java", [*java, "kafka.Kafka", str(settings)])


if __name__ == "__main__":
    main()
