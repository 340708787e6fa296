"""A topic for the length of a measurement or a trial, deleted again whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio

from godel.cli.exits import NOT_FOUND_CODES, explained
from godel.cli.output import warn
from godel.client.cluster import Cluster
from godel.client.connection import ConnectionFailed
from godel.client.topics import BROKER_DEFAULT, create_topics, delete_topics
from godel.errors import ApiError

PATIENCE_MS = 10_000
"""How long the end of a command may be held up by deleting."""


@asynccontextmanager
async def scratch_topic(
    cluster: Cluster,
    purpose: str,
    *,
    partitions: int = BROKER_DEFAULT,
    configs: Mapping[str, str] | None = None,
) -> AsyncIterator[str]:
    """The name of a new topic. Raises `ApiError` where the cluster refuses to make it."""
    name = f"godel-{purpose}-{cluster.randomness.uuid_bytes().hex()[:8]}"
    try:
        made = await create_topics(cluster, [name], partitions=partitions, configs=configs or {})
        for _, outcome in made:
            if outcome.error is not None:
                raise outcome.error
        yield name
    finally:
        await _clean_up(cluster, name)


async def _clean_up(cluster: Cluster, name: str) -> None:
    """Also when somebody has pressed Ctrl-C, and never instead of the error that came before."""
    failure: str | None = f"no answer in {PATIENCE_MS // 1000} seconds"
    with anyio.move_on_after(PATIENCE_MS / 1000, shield=True):
        try:
            (outcome,) = await delete_topics(cluster, [name])
        except (ApiError, ConnectionFailed) as error:
            failure = explained(error)[0]
        else:
            failure = None
            if outcome.error is not None and outcome.error.code not in NOT_FOUND_CODES:
                failure = explained(outcome.error)[0]
    if failure is not None:
        warn(f"topic {name} may still be there: {failure}")
