"""DescribeCluster over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.describe_cluster import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.describe_cluster import (
    DescribeClusterRequest,
    DescribeClusterResponse,
)
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


def describe(broker: Controller, version: int, **asked: int | bool) -> DescribeClusterResponse:
    response = handle(context(broker, version), DescribeClusterRequest(**asked))  # type: ignore[arg-type]  # test only
    return decode(DescribeClusterResponse, encode(response, version), version)


@pytest.mark.parametrize("version", range(3))
async def test_brokers_controller_and_id(version: int) -> None:
    async with controller(brokers=3) as broker:
        answer = describe(broker, version)
        assert [(each.broker_id, each.host, each.port) for each in answer.brokers] == [
            (1, "localhost", 9092),
            (2, "localhost", 9092),
            (3, "localhost", 9093),
        ]
        assert (answer.error_code, answer.controller_id) == (0, 1)
        assert answer.cluster_id == broker.metadata.image.cluster_id
        assert answer.cluster_authorized_operations == -2147483648


async def test_operations_are_for_the_asking() -> None:
    async with controller() as broker:
        asked = describe(broker, 2, include_cluster_authorized_operations=True)
        assert asked.cluster_authorized_operations == 8096


@pytest.mark.parametrize(
    ("endpoint_type", "code"),
    [(2, ErrorCode.MISMATCHED_ENDPOINT_TYPE), (7, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)],
)
async def test_only_brokers_can_be_asked(endpoint_type: int, code: ErrorCode) -> None:
    async with controller() as broker:
        answer = describe(broker, 2, endpoint_type=endpoint_type)
        assert (answer.error_code, answer.brokers) == (code, [])
        assert answer.error_message
