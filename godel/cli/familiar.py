"""What people type who know Kafka's own tools, rpk or kcat, and what it is here: for hints."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "cluster": "godel broker list",
    "config": "godel configs list",
    "dump": "godel export",
    "health": "godel doctor",
    "help": "godel --help",
    "lag": "godel groups describe GROUP",
    "metadata": "godel topics list",
    "offsets": "godel groups offsets GROUP",
    "partitions": "godel topics partitions",
    "perf": "godel bench",
    "reset-offsets": "godel groups edit GROUP",
    "seek": "godel groups edit GROUP",
    "status": "godel doctor",
    "trim-prefix": "godel topics records TOPIC --before OFFSET",
    "version": "godel --version",
}
"""Commands of other names."""

OPTIONS: Mapping[str, str] = {
    # Kafka's shell scripts
    "--add-config": "godel configs set KEY=VALUE",
    "--all-groups": "godel groups list",
    "--alter": "godel topics edit, or godel configs set",
    "--bootstrap-server": "--bootstrap HOST:PORT",
    "--command-config": "--profile NAME",
    "--consumer.config": "--profile NAME",
    "--producer.config": "--profile NAME",
    "--create": "godel topics create TOPIC",
    "--delete": "godel topics delete TOPIC, or godel groups delete GROUP",
    "--delete-config": "godel configs unset KEY",
    "--describe": "godel topics describe TOPIC, or godel groups describe GROUP",
    "--entity-name": "--topic, --group or --broker",
    "--entity-type": "--topic, --group or --broker",
    "--duration": "--for DURATION",
    "--formatter": "--format, or --output json",
    "--from-beginning": "so it is without --from",
    "--isolation-level": "--read-committed",
    "--list": "godel topics list, or godel groups list",
    "--max-messages": "-n N",
    "--offset": "--from OFFSET",
    "--property": "--format for consume, --key-separator for produce",
    "--replication-factor": "--replicas N",
    "--reset-offsets": "godel groups edit GROUP",
    "--timeout-ms": "--timeout SECONDS",
    "--under-replicated-partitions": "--under-replicated",
    "--unavailable-partitions": "--unavailable",
    "--zookeeper": "--bootstrap HOST:PORT",
    # rpk
    "--brokers": "--bootstrap HOST:PORT",
    "--num": "-n N",
    "-X": "--bootstrap HOST:PORT, or --profile NAME",
    # kcat
    "-C": "godel consume TOPIC",
    "-F": "--profile NAME",
    "-L": "godel topics list, or godel broker list",
    "-P": "godel produce TOPIC",
    "-Q": "godel topics partitions",
    "-V": "godel --version",
    "-e": "--until end",
}
"""Options of other names."""

NAMED = "what it is about is named without an option"
BY_POSITION: Mapping[str, str] = {
    "--topic": f"{NAMED}: TOPIC",
    "-t": f"{NAMED}: TOPIC",
    "--group": f"{NAMED}: GROUP",
    "-g": f"{NAMED}: GROUP",
}
"""Options that other tools need for what are arguments here."""

MEANT = {("consume", "--output"): "--from beginning|end|OFFSET|TIME; -o is how records are written"}
"""Options that mean something else in other tools, by the command in which that happens."""


def known_as(word: str) -> str | None:
    """What a command or an option of another tool is called here."""
    return COMMANDS.get(word) or OPTIONS.get(word) or BY_POSITION.get(word)
