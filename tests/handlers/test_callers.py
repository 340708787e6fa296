"""What the coordinators are told of who asks."""

from __future__ import annotations

from godel.coordinator.decision import Caller
from godel.handlers.callers import caller_of
from tests.handlers.group_surroundings import GroupBroker


def test_a_caller() -> None:
    broker = GroupBroker(has_offsets_topic=False)
    assert caller_of(broker.context(5)) == Caller(5, "client", "/127.0.0.1")
    assert caller_of(broker.context(5, client_id=None)).client_id == ""
