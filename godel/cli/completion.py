"""Names for the shell to complete.

Topics and groups are those of the cluster, if it answers quickly; settings those that this broker
declares, which are Kafka's: nobody has to be asked for them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from typer import Context

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


def setting_names(context: Context, incomplete: str) -> list[str]:
    """Settings that begin so, of what the options before name: a topic, a group or brokers."""
    from godel.config import BrokerConfig, GroupConfig, TopicConfig

    given, command = context.params, context.command_path.split()
    of_broker = given.get("broker") is not None or given.get("brokers") or "broker" in command
    of_topic = given.get("topic") is not None or "topics" in command
    of_group = given.get("group") is not None
    is_any = not (of_broker or of_topic or of_group)
    names = {
        *(TopicConfig.SETTINGS if of_topic or is_any else ()),
        *(GroupConfig.SETTINGS if of_group or is_any else ()),
        *(
            name
            for name, declared in BrokerConfig.SETTINGS.items()
            if (of_broker or is_any) and (declared.dynamic or command[-1] == "get")
        ),
    }
    return sorted(name for name in names if name.startswith(incomplete))


def setting_assignments(context: Context, incomplete: str) -> list[str]:
    """The same, each with the sign behind which its value goes."""
    return [f"{name}=" for name in setting_names(context, incomplete)]


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
