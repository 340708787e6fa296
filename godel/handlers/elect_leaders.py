"""ElectLeaders (key 43): make the preferred, or else any, replica the leader (KIP-183, KIP-460).

v1: the kind of election (0 preferred, 1 unclean) and a top-level error. v2: flexible. Every
partition has one replica, which leads it, so no election is ever needed. Topics null means all;
then, as in Kafka, partitions that need no election are left out.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.metadata.image import MetadataImage
from godel.protocol.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

ELECTIONS = (0, 1)
TOP_LEVEL_ERROR_SINCE = 1


def handle(context: RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse:
    image = context.broker.metadata.image
    response = ElectLeadersResponse()
    wrong_type = None
    if request.election_type not in ELECTIONS:
        message = f"There is no election of type {request.election_type}."
        wrong_type = ApiError(ErrorCode.INVALID_REQUEST, message)
        response.error_code = wrong_type.code
    if request.topic_partitions is None:
        if wrong_type is None:
            response.replica_election_results = [
                ReplicaElectionResult(topic=name) for name in image.topics
            ]
        return response
    for topic in request.topic_partitions:
        refusals = [wrong_type or refusal(image, topic.topic, each) for each in topic.partitions]
        results = [
            PartitionResult(index, each.code, each.message)
            for index, each in zip(topic.partitions, refusals, strict=True)
        ]
        response.replica_election_results.append(ReplicaElectionResult(topic.topic, results))
    return response


def refusal(image: MetadataImage, name: str, index: int) -> ApiError:
    """Why there is no election."""
    topic = image.topics.get(name)
    if topic is None:
        return ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
    if not 0 <= index < len(topic.partitions):
        message = f"The topic {name!r} has no partition {index}."
        return ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    return ApiError(ErrorCode.ELECTION_NOT_NEEDED, "The partition's only replica leads it.")
