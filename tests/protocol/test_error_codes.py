"""Where responses state errors: in themselves, in arrays, in arrays of arrays."""

from __future__ import annotations

from godel.protocol.error_codes import error_visitor
from godel.protocol.message import Message
from godel.protocol.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from godel.protocol.messages.heartbeat import HeartbeatResponse
from godel.protocol.messages.offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)
from godel.protocol.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)


def codes(response: Message) -> list[int]:
    visit_errors = error_visitor(type(response))
    assert visit_errors is not None
    found: list[int] = []
    visit_errors(response, found.append)
    return found


def test_a_code_of_the_response_itself() -> None:
    assert codes(HeartbeatResponse(error_code=27)) == [27]
    assert codes(HeartbeatResponse()) == []


def test_codes_of_partitions_by_topic() -> None:
    partitions = [PartitionProduceResponse(error_code=code) for code in (0, 3, 0, 19)]
    topics = [
        TopicProduceResponse(partition_responses=partitions[:3]),
        TopicProduceResponse(partition_responses=partitions[3:]),
    ]
    assert codes(ProduceResponse(responses=topics)) == [3, 19]


def test_codes_at_several_levels() -> None:
    partitions = [PartitionData(error_code=1), PartitionData()]
    response = FetchResponse(
        error_code=70, responses=[FetchableTopicResponse(partitions=partitions)]
    )
    assert codes(response) == [70, 1]


def test_codes_deep_inside() -> None:
    partitions = [OffsetFetchResponsePartitions(error_code=3)]
    topics = [OffsetFetchResponseTopics(partitions=partitions)]
    groups = [
        OffsetFetchResponseGroup(topics=topics),
        OffsetFetchResponseGroup(topics=[], error_code=16),
    ]
    assert sorted(codes(OffsetFetchResponse(groups=groups))) == [3, 16]


def test_a_message_that_states_no_error() -> None:
    assert error_visitor(ProduceRequest) is None
