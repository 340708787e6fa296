"""`godel api`: which APIs a broker offers, beside what this program speaks."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Annotated, Any

import typer

from godel.cli.kafka_apis import KAFKA_APIS
from godel.cli.session import Session, command
from godel.client.brokers import api_versions, nodes
from godel.client.cluster import Cluster
from godel.client.outcomes import NotFound
from godel.protocol import messages
from godel.protocol.message import Message

app = typer.Typer()

NAMES = {api.key: api.name for api in KAFKA_APIS}
"""Of those that are not spoken here."""


def spoken() -> dict[int, type[Message]]:
    """The requests of our codec by their API key."""
    found: dict[int, type[Message]] = {}
    for module in pkgutil.iter_modules(messages.__path__):
        for kind in vars(import_module(f"{messages.__name__}.{module.name}")).values():
            if getattr(kind, "API_KEY", None) is not None and kind.__name__.endswith("Request"):
                found[kind.API_KEY] = kind
    return found


@command(app, "api", "godel api", "godel api --broker 1 --output json")
def api(
    session: Session,
    *,
    broker: Annotated[
        int | None,
        typer.Option("--broker", metavar="ID", help="This one; else the first of the cluster."),
    ] = None,
) -> None:
    """List the APIs of a broker: its versions, ours, and the one that is used between us."""

    async def work(cluster: Cluster) -> dict[int, tuple[int, int]]:
        known = [node.id for node in nodes(await cluster.metadata([]))]
        chosen = known[0] if broker is None else broker
        if chosen not in known:
            raise NotFound("broker", str(chosen), [str(each) for each in known])
        offered = await api_versions(cluster, chosen)
        return {each.api_key: (each.min_version, each.max_version) for each in offered.api_keys}

    theirs, ours = session.run(work), spoken()
    rows = [row(key, theirs.get(key), ours.get(key)) for key in sorted(theirs.keys() | ours)]
    session.rows(rows, ">key", "name", "broker", "godel", ">used")


def row(key: int, theirs: tuple[int, int] | None, kind: type[Message] | None) -> dict[str, Any]:
    used = None
    if theirs is not None and kind is not None:
        first, last = max(theirs[0], kind.VERSIONS[0]), min(theirs[1], kind.VERSIONS[1])
        used = last if first <= last else None
    return {
        "key": key,
        "name": NAMES.get(key) if kind is None else kind.__name__.removesuffix("Request"),
        "broker": None if theirs is None else f"{theirs[0]}-{theirs[1]}",
        "godel": None if kind is None else f"{kind.VERSIONS[0]}-{kind.VERSIONS[1]}",
        "used": used,
    }
