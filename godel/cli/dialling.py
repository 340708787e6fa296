"""Whether addresses lead to brokers: those that a person names, and those that brokers advertise.

A client dials the bootstrap address once, and from then on what the brokers advertise; so each
address is resolved here, every address behind the name is dialled, and whoever answers is asked
which cluster it belongs to.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

import anyio

from godel.cli.findings import Finding, Grade
from godel.client.cluster import Cluster
from godel.client.connection import Address, Connection, ConnectionFailed, connect
from godel.errors import ApiError
from godel.protocol.messages.metadata import MetadataRequest, MetadataResponse

DIAL_MS = 5_000
ADVERTISE = "set advertised.listeners to what clients can reach (Gödel: --advertise HOST:PORT)"
REASONS = {
    "connection refused": "nothing listens there: start the broker, or correct the port",
    "no connection": "no answer at all: a firewall, or a wrong address",
    "no answer": "something listens there: another kind of server, or a broker that hangs",
    "but HTTP": "correct the port: Kafka's is another one",
    "TLS": "use a port of the broker that speaks Kafka without TLS",
}
"""What to do, by a part of what went wrong."""


class Dialled(NamedTuple):
    """What came of dialling one name: who answered, and who did not."""

    address: Address
    cluster_ids: dict[str, str | None]
    """By numeric address: the cluster that answered there."""
    failures: dict[str, str]
    """By numeric address: why nobody answered. Empty and without answers: the name is unknown."""
    unresolved: str | None = None

    @property
    def answers(self) -> bool:
        return bool(self.cluster_ids)


async def dial(cluster: Cluster, address: Address) -> Dialled:
    """Resolve a name and dial everything behind it."""
    result = Dialled(address, {}, {})
    try:
        found = await anyio.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return result._replace(unresolved=(error.strerror or str(error)).lower())
    timeout_ms = min(DIAL_MS, cluster.timeout_ms)
    for host in dict.fromkeys(str(each[4][0]) for each in found):
        try:
            connection = await connect(
                Address(host, address.port), client_id="godel-doctor", timeout_ms=timeout_ms
            )
        except ConnectionFailed as error:
            result.failures[host] = error.reason
            continue
        try:
            result.cluster_ids[host] = await _cluster_id(connection, timeout_ms)
        except (ConnectionFailed, ApiError) as error:
            result.failures[host] = str(error)
        finally:
            await connection.close()
    return result


async def _cluster_id(connection: Connection, timeout_ms: float) -> str | None:
    request = MetadataRequest(topics=[], allow_auto_topic_creation=False)
    answer = await connection.send(request, MetadataResponse, timeout_ms=timeout_ms)
    return answer.cluster_id


def judge(check: str, who: str, dialled: Dialled, expected: str | None) -> Finding:
    """What came of dialling, in words. `expected`: the cluster id that should answer."""
    host = dialled.address.host
    where = f"{who}{dialled.address}"
    if dialled.unresolved is not None:
        what = f"{where}: the name {host} does not resolve ({dialled.unresolved})"
        advice = ADVERTISE if check == "advertised" else "correct the name"
        return Finding(check, Grade.PROBLEM, what, advice)
    others = sorted({str(each) for each in dialled.cluster_ids.values() if each != expected})
    if expected is not None and others:
        what = f"{where}: another cluster answers there ({', '.join(others)})"
        return Finding(check, Grade.PROBLEM, what, "two clusters share this name or port")
    names = ", ".join([*dialled.cluster_ids, *dialled.failures])
    behind = "" if names == host else f" ({names})"
    if not dialled.answers:
        reason = next(iter(dialled.failures.values()), "nothing is behind the name")
        return Finding(check, Grade.PROBLEM, f"{where}{behind}: {reason}", _advice(check, reason))
    if dialled.failures:
        dead, reason = next(iter(dialled.failures.items()))
        what = f"{where}: answers, but not at {dead} ({reason})"
        advice = f"clients that try {dead} first lose time: listen there, or advertise a number"
        return Finding(check, Grade.WARNING, what, advice)
    return Finding(check, Grade.OK, f"{where}{behind} answers")


def judge_fenced(node_id: int, dialled: Dialled) -> Finding:
    """Of a broker that the controller does not hear of."""
    what = f"broker {node_id} at {dialled.address} belongs to the cluster, but takes no part in it"
    if dialled.answers:
        what += ", although it answers"
        advice = "it is starting, or does not reach the controller: look into its log"
    else:
        reason = dialled.unresolved or next(iter(dialled.failures.values()), "no address")
        what += f" and cannot be dialled: {reason}"
        advice = "start it; if it is gone for good, unregister it (kafka-cluster.sh unregister)"
    return Finding("advertised", Grade.PROBLEM, what, advice)


def _advice(check: str, reason: str) -> str:
    """Clients find a broker under its advertised address only, so that may be to correct."""
    found = next((advice for part, advice in REASONS.items() if part in reason), None)
    advice = found or "look into the broker's log"
    return f"{advice}; or {ADVERTISE}" if check == "advertised" else advice


def misleading(host: str, bootstrap: list[Address]) -> str | None:
    """Why an advertised host is of no use to clients, even if it can be dialled from here."""
    number = _number(host)
    if number is not None and number.is_unspecified:
        return "is no address to dial: it stands for every address of the broker's machine"
    from_elsewhere = not any(is_loopback(each.host) for each in bootstrap)
    if is_loopback(host) and from_elsewhere:
        return "sends clients to their own machine"
    return None


def is_loopback(host: str) -> bool:
    number = _number(host)
    return host == "localhost" if number is None else number.is_loopback


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
