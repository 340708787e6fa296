"""Groups: list, describe and delete them, read, set and delete their committed offsets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from godel.client.assignment import decode_assignment, decode_subscription
from godel.client.cluster import Cluster, check, error_code
from godel.client.outcomes import NotFound, Outcome
from godel.client.topics import by_topic
from godel.errors import ApiError, DecodeError, ErrorCode
from godel.protocol.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from godel.protocol.messages.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from godel.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
)
from godel.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from godel.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from godel.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
)
from godel.types import TopicPartition

CONSUMER_PROTOCOL = "consumer"
DEAD = "Dead"
NAMED_TOPICS = 9
"""The last version of OffsetCommit and OffsetFetch that names topics instead of giving their id."""


class ListedGroup(NamedTuple):
    """A group in a list."""

    id: str
    protocol_type: str
    state: str
    type: str
    coordinator: int


class Member(NamedTuple):
    """A member of a group."""

    id: str
    instance_id: str | None
    client_id: str
    host: str
    topics: tuple[str, ...]
    assigned: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its members."""

    id: str
    state: str
    protocol_type: str
    assignor: str
    members: tuple[Member, ...]


class Committed(NamedTuple):
    """A committed offset."""

    offset: int
    leader_epoch: int
    metadata: str


async def list_groups(cluster: Cluster, states: Sequence[str] = ()) -> list[ListedGroup]:
    """The groups of all brokers, by id; only those in one of the states, if some are given."""
    metadata = await cluster.metadata([])
    groups: list[ListedGroup] = []
    for broker in metadata.brokers:
        node_id = broker.node_id

        async def attempt(node_id: int = node_id) -> ListGroupsResponse:
            request = ListGroupsRequest(states_filter=list(states))
            answer = await cluster.ask_node(node_id, request, ListGroupsResponse)
            check(answer.error_code)
            return answer

        for each in (await cluster.retried(attempt)).groups:
            groups.append(
                ListedGroup(
                    each.group_id, each.protocol_type, each.group_state, each.group_type, node_id
                )
            )
    return sorted(groups)


async def describe_group(cluster: Cluster, group: str) -> Group:
    """A group. Raises `NotFound`."""

    async def attempt() -> DescribedGroup:
        request = DescribeGroupsRequest(groups=[group])
        answer = await cluster.ask_coordinator(group, request, DescribeGroupsResponse)
        (described,) = answer.groups
        if described.error_code != ErrorCode.GROUP_ID_NOT_FOUND:
            check(described.error_code, described.error_message)
        return described

    described = await cluster.retried(attempt)
    if described.group_state == DEAD:
        raise NotFound("group", group, [each.id for each in await list_groups(cluster)])
    return Group(
        id=described.group_id,
        state=described.group_state,
        protocol_type=described.protocol_type,
        assignor=described.protocol_data,
        members=tuple(
            Member(
                each.member_id,
                each.group_instance_id,
                each.client_id,
                each.client_host.removeprefix("/"),
                _subscribed(each.member_metadata),
                _assigned(each.member_assignment),
            )
            for each in sorted(described.members, key=lambda each: each.member_id)
        ),
    )


def _subscribed(raw: bytes) -> tuple[str, ...]:
    """A member of another kind than a consumer says what we cannot read: nothing."""
    try:
        return tuple(decode_subscription(raw).topics) if raw else ()
    except DecodeError:
        return ()


def _assigned(raw: bytes) -> tuple[TopicPartition, ...]:
    try:
        return tuple(sorted(decode_assignment(raw))) if raw else ()
    except DecodeError:
        return ()


async def committed_offsets(cluster: Cluster, group: str) -> dict[TopicPartition, Committed]:
    """Every offset that a group has committed."""

    async def attempt() -> dict[TopicPartition, Committed]:
        request = OffsetFetchRequest(
            group_id=group,
            topics=None,
            groups=[OffsetFetchRequestGroup(group_id=group, topics=None)],
        )
        version = await _offset_fetch_version(cluster, group, request)
        if version < 8:
            request.groups = []
        else:
            request.group_id, request.topics = "", []
        answer = await cluster.ask_coordinator(
            group, request, OffsetFetchResponse, at_most=NAMED_TOPICS
        )
        check(answer.error_code)
        found: dict[TopicPartition, Committed] = {}
        for topic in answer.topics:
            for each in topic.partitions:
                check(each.error_code)
                found[TopicPartition(topic.name, each.partition_index)] = Committed(
                    each.committed_offset, each.committed_leader_epoch, each.metadata or ""
                )
        for answered in answer.groups:
            check(answered.error_code)
            for of_topic in answered.topics:
                for one in of_topic.partitions:
                    check(one.error_code)
                    found[TopicPartition(of_topic.name, one.partition_index)] = Committed(
                        one.committed_offset, one.committed_leader_epoch, one.metadata or ""
                    )
        return {where: each for where, each in sorted(found.items()) if each.offset >= 0}

    return await cluster.retried(attempt)


async def _offset_fetch_version(cluster: Cluster, group: str, request: OffsetFetchRequest) -> int:
    connection = await cluster.coordinator(group)
    return connection.version_of(request, OffsetFetchResponse, NAMED_TOPICS)


async def commit_offsets(
    cluster: Cluster,
    group: str,
    offsets: Mapping[TopicPartition, int],
    *,
    metadata: str = "",
    member_id: str = "",
    generation: int = -1,
) -> list[Outcome]:
    """Commit offsets, as a member or, for a group without members, as anybody."""
    return await cluster.retried(
        lambda: _commit(cluster, group, offsets, metadata, (member_id, generation))
    )


async def _commit(
    cluster: Cluster,
    group: str,
    offsets: Mapping[TopicPartition, int],
    metadata: str,
    member: tuple[str, int],
) -> list[Outcome]:
    request = OffsetCommitRequest(
        group_id=group,
        member_id=member[0],
        generation_id_or_member_epoch=member[1],
        topics=[
            OffsetCommitRequestTopic(
                name=name,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=each.partition,
                        committed_offset=offsets[each],
                        committed_metadata=metadata,
                    )
                    for each in partitions
                ],
            )
            for name, partitions in by_topic(offsets).items()
        ],
    )
    answer = await cluster.ask_coordinator(
        group, request, OffsetCommitResponse, at_most=NAMED_TOPICS
    )
    outcomes = []
    for topic in answer.topics:
        for each in topic.partitions:
            code = error_code(each.error_code)
            if code.retriable and code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                raise ApiError(code)
            outcomes.append(Outcome.of(f"{topic.name}-{each.partition_index}", code))
    return outcomes


async def delete_groups(cluster: Cluster, groups: Sequence[str]) -> list[Outcome]:
    """Delete groups that have no members, with their offsets."""
    outcomes = []
    for group in groups:

        async def attempt(group: str = group) -> Outcome:
            request = DeleteGroupsRequest(groups_names=[group])
            answer = await cluster.ask_coordinator(group, request, DeleteGroupsResponse)
            (result,) = answer.results
            if error_code(result.error_code).retriable:
                check(result.error_code)
            return Outcome.of(group, result.error_code)

        outcomes.append(await cluster.retried(attempt))
    return outcomes


async def delete_offsets(
    cluster: Cluster, group: str, partitions: Iterable[TopicPartition]
) -> list[Outcome]:
    """Delete committed offsets (KIP-496) of topics that no member subscribes to."""
    request = OffsetDeleteRequest(
        group_id=group,
        topics=[
            OffsetDeleteRequestTopic(
                name=name,
                partitions=[
                    OffsetDeleteRequestPartition(partition_index=each.partition) for each in places
                ],
            )
            for name, places in by_topic(partitions).items()
        ],
    )

    async def attempt() -> OffsetDeleteResponse:
        answer = await cluster.ask_coordinator(group, request, OffsetDeleteResponse)
        check(answer.error_code)
        return answer

    answer = await cluster.retried(attempt)
    return [
        Outcome.of(f"{topic.name}-{each.partition_index}", each.error_code)
        for topic in answer.topics
        for each in topic.partitions
    ]


async def remove_members(
    cluster: Cluster, group: str, members: Sequence[tuple[str, str | None]], *, reason: str
) -> list[Outcome]:
    """Make members leave: each by its id and, for a static one, its instance id (KIP-345)."""
    request = LeaveGroupRequest(
        group_id=group,
        members=[MemberIdentity(member_id, instance, reason) for member_id, instance in members],
    )

    async def attempt() -> LeaveGroupResponse:
        answer = await cluster.ask_coordinator(group, request, LeaveGroupResponse)
        check(answer.error_code)
        return answer

    answer = await cluster.retried(attempt)
    return [
        Outcome.of(each.member_id or each.group_instance_id or "", each.error_code)
        for each in answer.members
    ]
