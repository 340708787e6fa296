"""Which records may be deleted; the answers stand in tests/handlers/test_delete_records.py."""

from __future__ import annotations

import pytest

from godel.broker.record_deletion import HIGH_WATERMARK, delete_records
from godel.errors import ApiError, ErrorCode
from godel.server.node import Node
from godel.testing import Broker
from tests.wire import Client, batch


def test_what_consumers_do_not_see_yet_stays() -> None:
    """The record is in the log, but as if its sync were still under way."""
    with Broker() as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))

        def delete(node: Node) -> tuple[int, ErrorCode]:
            partition = node.broker.partition("t", 0)
            partition.high_watermark -= 1
            with pytest.raises(ApiError) as refused:
                delete_records(partition, 1)
            return delete_records(partition, HIGH_WATERMARK), refused.value.code

        assert broker.run(delete) == (0, ErrorCode.OFFSET_OUT_OF_RANGE)
