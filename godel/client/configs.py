"""Settings of topics, brokers and groups: read them, set and unset them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from godel.client.cluster import Cluster, check
from godel.client.outcomes import NotFound
from godel.client.topics import all_topics
from godel.errors import ErrorCode
from godel.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)
from godel.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


class Kind(IntEnum):
    """What has settings, by the number on the wire."""

    TOPIC = 2
    BROKER = 4
    GROUP = 32


class Operation(IntEnum):
    """What may be done to one setting (KIP-339)."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Resource(NamedTuple):
    """A topic, a group, a broker by its id, or with an empty name all brokers."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        if self.kind is Kind.BROKER and not self.name:
            return "all brokers"
        return f"{self.kind.name.lower()} {self.name}"


SOURCES = {
    1: "topic",
    2: "broker, live",
    3: "all brokers, live",
    4: "broker, at start",
    5: "default",
    6: "logger",
    7: "client metrics",
    8: "group",
}
OWN = {Kind.TOPIC: (1,), Kind.BROKER: (2, 3), Kind.GROUP: (8,)}
"""The sources of what was set for the resource itself, and can be unset."""

TYPES = dict(enumerate(
    ("unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password")
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """One setting of a resource."""

    name: str
    value: str | None
    """None: unset, or not shown because it is sensitive."""
    source: str
    is_own: bool
    """Set for this very resource."""
    is_read_only: bool
    is_sensitive: bool
    type: str
    synonyms: tuple[tuple[str, str | None, str], ...]
    """Name, value and source of everything that stands behind it, the strongest first."""
    documentation: str | None


async def describe_configs(
    cluster: Cluster, resource: Resource, names: Sequence[str] | None = None
) -> list[Config]:
    """The settings of a resource, all or these, by name. Raises `NotFound` for a topic."""
    request = DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=resource.kind,
                resource_name=resource.name,
                configuration_keys=None if names is None else list(names),
            )
        ],
        include_synonyms=True,
        include_documentation=True,
    )
    if resource.kind is Kind.BROKER and resource.name:
        node_id = int(resource.name)
        answer = await cluster.ask_node(node_id, request, DescribeConfigsResponse)
    else:
        answer = await cluster.ask_any(request, DescribeConfigsResponse)
    (result,) = answer.results
    await _check(cluster, resource, result.error_code, result.error_message)
    configs = [_config(resource.kind, each) for each in result.configs]
    return sorted(configs, key=lambda config: config.name)


async def alter_configs(
    cluster: Cluster,
    resource: Resource,
    changes: Mapping[str, tuple[Operation, str | None]],
    *,
    dry_run: bool = False,
) -> None:
    """Change settings of a resource: all of them or none. Raises `ApiError`, `NotFound`."""
    request = IncrementalAlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=resource.kind,
                resource_name=resource.name,
                configs=[
                    AlterableConfig(name=name, config_operation=operation, value=value)
                    for name, (operation, value) in changes.items()
                ],
            )
        ],
        validate_only=dry_run,
    )
    if resource.kind is Kind.BROKER and resource.name:
        node_id = int(resource.name)
        answer = await cluster.ask_node(node_id, request, IncrementalAlterConfigsResponse)
    else:
        answer = await cluster.ask_controller(request, IncrementalAlterConfigsResponse)
    (result,) = answer.responses
    if result.error_code in (ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_REQUEST):
        await _check_names(cluster, resource, changes)
    await _check(cluster, resource, result.error_code, result.error_message)


async def _check_names(cluster: Cluster, resource: Resource, names: Iterable[str]) -> None:
    """Raises `NotFound` for a name that the resource has no setting of."""
    if resource == Resource(Kind.BROKER, ""):  # of all brokers, only what is set is described
        brokers = (await cluster.metadata([])).brokers
        resource = Resource(Kind.BROKER, str(brokers[0].node_id))
    known = [config.name for config in await describe_configs(cluster, resource)]
    for name in names:
        if name not in known:
            raise NotFound("setting", name, known)


async def _check(cluster: Cluster, resource: Resource, code: int, message: str | None) -> None:
    if code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        known = [topic.name for topic in await all_topics(cluster)]
        raise NotFound("topic", resource.name, known)
    check(code, message)


def _config(kind: Kind, described: DescribeConfigsResourceResult) -> Config:
    return Config(
        name=described.name,
        value=described.value,
        source=SOURCES.get(described.config_source, "unknown"),
        is_own=described.config_source in OWN[kind],
        is_read_only=described.read_only,
        is_sensitive=described.is_sensitive,
        type=TYPES.get(described.config_type, "unknown"),
        synonyms=tuple(
            (each.name, each.value, SOURCES.get(each.source, "unknown"))
            for each in described.synonyms
        ),
        documentation=described.documentation,
    )
