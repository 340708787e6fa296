"""What the coordinators are told of who asks."""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.coordinator.decision import Caller


def caller_of(context: RequestContext) -> Caller:
    """Kafka keeps a member's host as Java prints an address: with a slash before it."""
    return Caller(context.version, context.client_id or "", f"/{context.client_host}")
