"""`godel broker`: the brokers of a cluster, their features, log directories and live settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from godel.cli.configs import Configs, Unset, change, settings_changed
from godel.cli.output import Column, Section, columns, size
from godel.cli.session import DryRun, Session, command
from godel.client.brokers import (
    LogDirectory,
    Node,
    api_versions,
    describe_cluster,
    log_directories,
    nodes,
)
from godel.client.cluster import Cluster, error_code
from godel.client.configs import Kind, Resource
from godel.client.outcomes import NotFound

app = typer.Typer(
    no_args_is_help=True, help="Show brokers, and change the settings of running ones."
)

Ids = Annotated[
    list[int] | None, typer.Argument(metavar="ID", help="Brokers; all when none is named.")
]

NODE = columns("id", "host", ">port", "rack", "controller")
DESCRIBED = columns("cluster", "id", "host", "port", "rack", "controller")
FEATURES = columns("feature", ">level", ">supported")
DIRECTORIES = [
    Column("path", title="log_dir"),
    *columns(">partitions"),
    Column("bytes", text=size, right=True, title="size"),
    Column("usable_bytes", text=size, right=True, title="usable"),
    Column("total_bytes", text=size, right=True, title="total"),
    Column("status"),
]


def node_row(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "host": node.host,
        "port": node.port,
        "rack": node.rack,
        "controller": node.is_controller,
    }


def directory_row(directory: LogDirectory) -> dict[str, Any]:
    def known(size_bytes: int) -> int | None:
        return None if size_bytes < 0 else size_bytes

    code = directory.error_code
    return {
        "path": directory.path,
        "partitions": len(directory.sizes),
        "bytes": sum(directory.sizes.values()),
        "usable_bytes": known(directory.usable_bytes),
        "total_bytes": known(directory.total_bytes),
        "status": error_code(code).name if code else "ok",
    }


@command(app, "list", "godel broker list", "godel broker list --output json")
def list_(session: Session) -> None:
    """List the brokers of the cluster."""
    metadata = session.run(describe_cluster)
    session.rows([node_row(each) for each in nodes(metadata)], *NODE)


@command(app, "describe", "godel broker describe", "godel broker describe 1 --output yaml")
def describe(session: Session, ids: Ids = None) -> None:
    """Show brokers: where they are, the features they run, their log directories."""

    async def work(cluster: Cluster) -> list[dict[str, Any]]:
        metadata = await describe_cluster(cluster)
        known = {node.id: node for node in nodes(metadata)}
        for number in ids or ():
            if number not in known:
                raise NotFound("broker", str(number), [str(each) for each in known])
        return [
            {"cluster": metadata.cluster_id} | await description(cluster, known[number])
            for number in ids or known
        ]

    sections = [Section("features", FEATURES), Section("log_dirs", DIRECTORIES)]
    session.descriptions(session.run(work), DESCRIBED, sections)


async def description(cluster: Cluster, node: Node) -> dict[str, Any]:
    offered = await api_versions(cluster, node.id)
    levels = {each.name: each.max_version_level for each in offered.finalized_features}
    return node_row(node) | {
        "features": [
            {
                "feature": each.name,
                "level": levels.get(each.name, 0),
                "supported": f"{each.min_version}-{each.max_version}",
            }
            for each in sorted(offered.supported_features, key=lambda each: each.name)
        ],
        "log_dirs": [directory_row(each) for each in await log_directories(cluster, node.id)],
    }


@command(
    app,
    "edit",
    "godel broker edit --config log.retention.ms=3600000",
    "godel broker edit 1 --unset log.retention.ms --dry-run",
)
def edit(
    session: Session,
    broker: Annotated[
        int | None, typer.Argument(metavar="ID", help="One broker; all when none is named.")
    ] = None,
    *,
    config: Configs = None,
    unset: Unset = None,
    dry_run: DryRun = False,
) -> None:
    """Change settings of running brokers: all of them or none."""
    changes = settings_changed(config, unset)
    if not changes:
        raise typer.BadParameter("nothing to change: give --config or --unset")
    whose = Resource(Kind.BROKER, "" if broker is None else str(broker))
    change(session, whose, changes, done="changed", dry_run=dry_run)
