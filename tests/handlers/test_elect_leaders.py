"""ElectLeaders over the wire, in every version: with one replica there is nothing to elect."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    TopicPartitions,
)
from tests.wire import Client

UNKNOWN = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def codes(response: ElectLeadersResponse) -> dict[str, list[tuple[int, int]]]:
    found = {}
    for topic in response.replica_election_results:
        assert all(each.error_message for each in topic.partition_result)
        found[topic.topic] = [(p.partition_id, p.error_code) for p in topic.partition_result]
    return found


@pytest.mark.parametrize(("version", "kind"), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)])
def test_the_only_replica_leads(client: Client, version: int, kind: int) -> None:
    client.create("t", partitions=2)
    wanted = [TopicPartitions("t", [0, 2, -1, 1]), TopicPartitions("nope", [0])]
    response = client.send(ElectLeadersRequest(kind, wanted), version)
    assert response.error_code == 0
    needless = ErrorCode.ELECTION_NOT_NEEDED
    assert codes(response) == {
        "t": [(0, needless), (2, UNKNOWN), (-1, UNKNOWN), (1, needless)],
        "nope": [(0, UNKNOWN)],
    }
    assert codes(client.send(ElectLeadersRequest(kind, None), version)) == {"t": []}
    assert codes(client.send(ElectLeadersRequest(kind, []), version)) == {}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", [2, -1])
def test_kinds_that_there_are_not(client: Client, version: int, kind: int) -> None:
    client.create("t")
    wanted = [TopicPartitions("t", [0])]
    response = client.send(ElectLeadersRequest(kind, wanted), version)
    assert response.error_code == ErrorCode.INVALID_REQUEST
    assert codes(response) == {"t": [(0, ErrorCode.INVALID_REQUEST)]}
    response = client.send(ElectLeadersRequest(kind, None), version)
    assert (response.error_code, codes(response)) == (ErrorCode.INVALID_REQUEST, {})
