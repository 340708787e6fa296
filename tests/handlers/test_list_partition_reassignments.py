"""ListPartitionReassignments over the wire."""

from __future__ import annotations

import pytest

from godel.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)
from tests.wire import Client


@pytest.mark.parametrize("asked", [None, [], [("t", [0, 9])], [("nope", [0])]])
def test_nothing_is_ever_on_the_move(
    client: Client, asked: list[tuple[str, list[int]]] | None
) -> None:
    client.create("t")
    topics = None
    if asked is not None:
        topics = [ListPartitionReassignmentsTopics(*each) for each in asked]
    response = client.send(ListPartitionReassignmentsRequest(topics=topics))
    assert response == ListPartitionReassignmentsResponse(error_message=None)
