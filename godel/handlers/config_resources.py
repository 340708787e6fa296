"""What has settings: a topic, a broker or a group, as the APIs of settings name them.

Kinds are the codes of Kafka's `ConfigResource.Type`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from godel.broker.broker import Broker
from godel.config.describe import BrokerLevels
from godel.errors import ApiError, ErrorCode
from godel.metadata.alterations import Alteration, alter_broker, alter_group, alter_topic
from godel.metadata.image import CLUSTER_DEFAULT

TOPIC = 2
BROKER = 4
BROKER_LOGGER = 8
CLIENT_METRICS = 16
GROUP = 32


class Change(NamedTuple):
    """What a request wants to do to one resource."""

    resource_type: int
    name: str
    alterations: Sequence[Alteration]


async def alter_each(
    broker: Broker, changes: Sequence[Change], *, validate_only: bool, replace: bool = False
) -> list[ApiError | None]:
    """Change resources one after another, each with its own outcome; None: done.

    `replace`: what was set before does not count.
    """
    times = Counter((change.resource_type, change.name) for change in changes)
    outcomes: list[ApiError | None] = []
    for change in changes:
        try:
            if times[change.resource_type, change.name] > 1:
                raise ApiError(ErrorCode.INVALID_REQUEST, "A resource is named more than once.")
            await alter(broker, *change, validate_only=validate_only, replace=replace)
            outcomes.append(None)
        except ApiError as refusal:
            outcomes.append(refusal)
    return outcomes


async def alter(
    broker: Broker,
    resource_type: int,
    name: str,
    alterations: Sequence[Alteration],
    *,
    validate_only: bool,
    replace: bool = False,
) -> None:
    """Change one resource. `replace`: what was set before does not count. Raises `ApiError`."""
    metadata = broker.metadata
    how = {"validate_only": validate_only, "replace": replace}
    if resource_type == TOPIC:
        await alter_topic(metadata, name, alterations, **how)
    elif resource_type == BROKER:
        await alter_broker(metadata, broker_id(broker, name), alterations, **how)
    elif resource_type == GROUP:
        await alter_group(metadata, name, alterations, **how)
    else:
        raise unknown_type(resource_type)


def broker_id(broker: Broker, name: str) -> int | None:
    """Which broker is meant: this one or, for "", all. Raises `ApiError` INVALID_REQUEST."""
    if not name:
        return None
    if name != str(broker.node_id):
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            f"This is broker {broker.node_id}; {name!r} must be asked for at that broker.",
        )
    return broker.node_id


def unknown_type(resource_type: int) -> ApiError:
    return ApiError(
        ErrorCode.INVALID_REQUEST, f"There are no settings of resource type {resource_type}."
    )


def broker_levels(broker: Broker) -> BrokerLevels:
    image = broker.metadata.image
    return BrokerLevels(
        static=dict(broker.metadata.static_config.given()),
        cluster=image.broker_overrides.get(CLUSTER_DEFAULT, {}),
        broker=image.broker_overrides.get(broker.node_id, {}),
        now=image.broker_config,
    )
