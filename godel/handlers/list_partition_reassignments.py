"""ListPartitionReassignments (key 46): which partitions are on the move (KIP-455): none, ever."""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)


def handle(
    _context: RequestContext, _request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    return ListPartitionReassignmentsResponse(error_message=None)
