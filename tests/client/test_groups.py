"""Groups and their offsets as the client asks for them."""

from __future__ import annotations

import pytest

from godel.client.cluster import Cluster
from godel.client.groups import (
    commit_offsets,
    committed_offsets,
    delete_groups,
    delete_offsets,
    describe_group,
    list_groups,
    remove_members,
)
from godel.client.outcomes import NotFound
from godel.errors import ErrorCode
from godel.types import TopicPartition
from tests.wire import Client

pytestmark = pytest.mark.anyio

FIRST, SECOND = TopicPartition("flights", 0), TopicPartition("flights", 1)


@pytest.fixture(autouse=True)
def _topic(outside: Client) -> None:
    outside.create("flights", partitions=2)


async def test_offsets_are_committed_read_and_deleted(cluster: Cluster) -> None:
    outcomes = await commit_offsets(cluster, "board", {FIRST: 5, SECOND: 0}, metadata="by hand")
    assert [each.error for each in outcomes] == [None, None]
    found = await committed_offsets(cluster, "board")
    assert {where: each.offset for where, each in found.items()} == {FIRST: 5, SECOND: 0}
    assert found[FIRST].metadata == "by hand"
    (deleted,) = await delete_offsets(cluster, "board", [SECOND])
    assert deleted.error is None
    assert list(await committed_offsets(cluster, "board")) == [FIRST]


async def test_a_group_without_offsets_has_none(cluster: Cluster) -> None:
    assert await committed_offsets(cluster, "nobody") == {}


async def test_groups_are_listed_described_and_deleted(cluster: Cluster) -> None:
    await commit_offsets(cluster, "board", {FIRST: 5})
    (listed,) = await list_groups(cluster)
    assert (listed.id, listed.state, listed.coordinator) == ("board", "Empty", 1)
    assert await list_groups(cluster, ["Stable"]) == []
    group = await describe_group(cluster, "board")
    assert (group.state, group.members) == ("Empty", ())
    (deleted,) = await delete_groups(cluster, ["board"])
    assert deleted.error is None
    with pytest.raises(NotFound):
        await describe_group(cluster, "board")
    (again,) = await delete_groups(cluster, ["board"])
    assert again.error is not None
    assert again.error.code is ErrorCode.GROUP_ID_NOT_FOUND


async def test_a_member_that_is_not_there_cannot_be_removed(cluster: Cluster) -> None:
    await commit_offsets(cluster, "board", {FIRST: 5})
    (outcome,) = await remove_members(cluster, "board", [("nobody", None)], reason="a test")
    assert outcome.error is not None
    assert outcome.error.code is ErrorCode.UNKNOWN_MEMBER_ID
