"""Names for the shell to complete: topics and groups of the cluster, if it answers quickly."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from godel.client.cluster import Cluster

PATIENCE_MS = 800


def topic_names(incomplete: str) -> list[str]:
    """Topics that begin so."""

    async def ask(cluster: Cluster) -> list[str]:
        from godel.client.topics import all_topics

        return [topic.name for topic in await all_topics(cluster) if not topic.is_internal]

    return _begun(incomplete, ask)


def group_names(incomplete: str) -> list[str]:
    """Groups that begin so."""

    async def ask(cluster: Cluster) -> list[str]:
        from godel.client.groups import list_groups

        return [group.id for group in await list_groups(cluster)]

    return _begun(incomplete, ask)


def _begun(incomplete: str, ask: Callable[[Cluster], Awaitable[list[str]]]) -> list[str]:
    """A shell that waits for a Tab is not told of errors: it gets no names."""
    from contextlib import suppress

    from godel.cli.session import Session

    names: list[str] = []
    with suppress(Exception):
        session = Session.of(
            output=None,
            bootstrap=os.environ.get("GODEL_BOOTSTRAP"),
            profile_name=os.environ.get("GODEL_PROFILE"),
            timeout_s=PATIENCE_MS / 1000,
        )
        names = session.run(ask)
    return [name for name in names if name.startswith(incomplete)]
