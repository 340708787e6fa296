"""The controller's decisions about topics and producer ids."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from godel.errors import ApiError, ErrorCode
from godel.metadata.memory_store import MemoryStore
from godel.metadata.sqlite_store import SqliteStore
from godel.metadata.store import MAX_VALUE_BYTES, Compare, Put, StoreUnavailable
from godel.metadata.topics import (
    MAX_PARTITIONS_PER_REQUEST,
    CreatedTopic,
    NewTopic,
    Step,
    batches,
)
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


async def refused(broker: Controller, name: str, **wanted: Any) -> ErrorCode:
    (outcome,) = await broker.topics.create([NewTopic(name, **wanted)])
    assert isinstance(outcome, ApiError), outcome
    assert outcome.message, "it says why"
    return outcome.code


async def test_a_topic_can_be_used_when_create_returns() -> None:
    async with controller(settings={"num.partitions": "3"}) as broker:
        made = await broker.topics.create_topic("a", configs={"retention.ms": " 5 "})
        topic = broker.metadata.image.topics["a"]
        assert made == CreatedTopic("a", topic.id, 3, 1, {"retention.ms": "5"})
        assert [each.leader for each in topic.partitions] == [1, 1, 1]
        assert topic.config.retention_ms == 5


@pytest.mark.parametrize(
    ("name", "wanted", "code"),
    [
        ("", {}, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("a b", {}, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("__cluster_metadata", {}, ErrorCode.INVALID_REQUEST),
        ("there", {}, ErrorCode.TOPIC_ALREADY_EXISTS),
        ("with.dot", {}, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("x", {"partitions": 0}, ErrorCode.INVALID_PARTITIONS),
        ("x", {"partitions": -2}, ErrorCode.INVALID_PARTITIONS),
        ("x", {"replication_factor": 0}, ErrorCode.INVALID_REPLICATION_FACTOR),
        ("x", {"replication_factor": 2}, ErrorCode.INVALID_REPLICATION_FACTOR),
        ("x", {"assignments": {0: [1]}, "partitions": 1}, ErrorCode.INVALID_REQUEST),
        ("x", {"assignments": {0: [9]}}, ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("x", {"configs": {"nope": "1"}}, ErrorCode.INVALID_CONFIG),
        ("x", {"configs": {"retention.ms": None}}, ErrorCode.INVALID_CONFIG),
        ("x", {"configs": {"retention.ms": "soon"}}, ErrorCode.INVALID_CONFIG),
        ("x", {"partitions": MAX_PARTITIONS_PER_REQUEST + 1}, ErrorCode.POLICY_VIOLATION),
    ],
)
async def test_what_is_refused_and_changes_nothing(
    name: str, wanted: dict[str, Any], code: ErrorCode
) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("there")
        await broker.topics.create_topic("with_dot")
        before = broker.metadata.image
        assert await refused(broker, name, **wanted) is code
        assert broker.metadata.image is before


async def test_a_default_factor_that_cannot_be_is_refused() -> None:
    async with controller(settings={"default.replication.factor": "3"}) as broker:
        assert await refused(broker, "a") is ErrorCode.INVALID_REPLICATION_FACTOR


async def test_many_at_once_each_with_its_own_outcome() -> None:
    async with controller() as broker:
        names = [f"t{number}" for number in range(120)]
        wishes = [NewTopic(name, partitions=0 if name == "t7" else 1) for name in names]
        outcomes = await broker.topics.create(wishes)
        failed = [
            name
            for name, outcome in zip(names, outcomes, strict=True)
            if isinstance(outcome, ApiError)
        ]
        assert failed == ["t7"]
        assert len(broker.metadata.image.topics) == 119


async def test_collisions_within_one_request_and_between_two() -> None:
    async with controller() as broker:
        first, second = await broker.topics.create([NewTopic("a.b"), NewTopic("a_b")])
        assert isinstance(first, CreatedTopic)
        assert isinstance(second, ApiError)
        outcomes = await asyncio.gather(
            broker.topics.create([NewTopic("c.d")]), broker.topics.create([NewTopic("c_d")])
        )
        assert sum(isinstance(each[0], ApiError) for each in outcomes) == 1


async def test_validating_creates_nothing() -> None:
    async with controller() as broker:
        (outcome,) = await broker.topics.create([NewTopic("a", 4)], validate_only=True)
        assert isinstance(outcome, CreatedTopic)
        assert outcome.partitions == 4
        assert not broker.metadata.image.topics


async def test_leaders_and_replicas_go_round_the_brokers() -> None:
    async with controller(brokers=3) as broker:
        await broker.topics.create_topic("a", partitions=6, replication_factor=2)
        partitions = broker.metadata.image.topics["a"].partitions
        assert sorted(each.leader for each in partitions) == [1, 1, 2, 2, 3, 3]
        assert all(each.replicas[0] == each.leader for each in partitions)
        (outcome,) = await broker.topics.create([NewTopic("b", assignments={0: [3, 1], 1: [2, 3]})])
        assert isinstance(outcome, CreatedTopic)
        assert [each.replicas for each in broker.metadata.image.topics["b"].partitions] == [
            (3, 1),
            (2, 3),
        ]


async def test_deleting_frees_the_name_and_the_id() -> None:
    async with controller() as broker:
        first = await broker.topics.create_topic("a.b")
        assert await broker.topics.delete(["a.b"]) == [None]
        assert first.id not in broker.metadata.image.topic_names
        second = await broker.topics.create_topic("a_b")
        assert second.id != first.id
        (outcome,) = await broker.topics.delete(["a.b"])
        assert outcome is not None
        assert outcome.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_partitions_are_added() -> None:
    async with controller() as broker:
        made = await broker.topics.create_topic("a", partitions=2, configs={"retention.ms": "5"})
        await broker.topics.add_partitions("a", 4)
        await broker.topics.add_partitions("a", 5, [[1]])
        await broker.topics.add_partitions("a", 9, validate_only=True)
        topic = broker.metadata.image.topics["a"]
        assert [each.index for each in topic.partitions] == [0, 1, 2, 3, 4]
        assert (topic.id, topic.overrides) == (made.id, {"retention.ms": "5"})


@pytest.mark.parametrize(
    ("name", "count", "assignments", "code"),
    [
        ("nope", 3, None, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("a", 2, None, ErrorCode.INVALID_PARTITIONS),
        ("a", 1, None, ErrorCode.INVALID_PARTITIONS),
        ("a", -1, None, ErrorCode.INVALID_PARTITIONS),
        ("a", 2**31 - 1, None, ErrorCode.POLICY_VIOLATION),
        ("a", 4, [[1]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 3, [], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 3, [[7]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 3, [[1, 1]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
    ],
)
async def test_partitions_that_cannot_be_added(
    name: str, count: int, assignments: list[list[int]] | None, code: ErrorCode
) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a", partitions=2)
        with pytest.raises(ApiError) as error:
            await broker.topics.add_partitions(name, count, assignments)
        assert error.value.code is code
        assert error.value.message


async def test_producer_ids_are_never_given_twice(tmp_path: Path) -> None:
    seen: set[int] = set()
    for _ in range(2):
        store = await SqliteStore.open(tmp_path / "metadata.sqlite")
        async with controller(store) as broker:
            blocks = await asyncio.gather(
                *(broker.topics.allocate_producer_ids() for _ in range(3))
            )
            for block in blocks:
                assert not seen & set(block)
                seen |= set(block)
        await store.close()
    assert len(seen) == 6000


async def test_producer_ids_run_out_with_an_error() -> None:
    async with controller() as broker:
        await broker.metadata.store.txn((), (Put(b"producer-ids", b"%d" % (2**63 - 5)),))
        with pytest.raises(ApiError):
            await broker.topics.allocate_producer_ids()


async def test_a_store_that_fails_is_an_answer_not_a_bug() -> None:
    async def refuse(_step: str) -> None:
        raise StoreUnavailable("disk full")

    store = MemoryStore()
    async with controller(store) as broker:
        await broker.topics.create_topic("there")
        store.interfere = refuse
        assert await refused(broker, "a") is ErrorCode.KAFKA_STORAGE_ERROR
        (outcome,) = await broker.topics.delete(["there"])
        assert outcome is not None
        assert outcome.code is ErrorCode.KAFKA_STORAGE_ERROR
        with pytest.raises(ApiError, match="disk full"):
            await broker.topics.allocate_producer_ids()
        store.interfere = None


async def test_a_lost_answer_is_seen_on_the_next_try() -> None:
    async def lose(step: str) -> None:
        if step == "txn done":
            store.interfere = None
            raise StoreUnavailable("the answer was lost")

    store = MemoryStore()
    async with controller(store) as broker:
        store.interfere = lose
        assert await refused(broker, "a") is ErrorCode.KAFKA_STORAGE_ERROR
        assert await refused(broker, "a") is ErrorCode.TOPIC_ALREADY_EXISTS


async def test_somebody_elses_change_is_planned_anew() -> None:
    store = MemoryStore()
    async with controller(store) as broker, controller(store) as other:
        await broker.topics.create_topic("a")
        # Both plan before either of them sees the other's change.
        outcomes = await asyncio.gather(
            broker.topics.add_partitions("a", 2),
            other.topics.add_partitions("a", 3),
            return_exceptions=True,
        )
        assert len(broker.metadata.image.topics["a"].partitions) == 3
        assert outcomes[1] is None


async def test_a_record_too_large_for_the_store_is_refused() -> None:
    async with controller() as broker:
        configs = {"leader.replication.throttled.replicas": ",".join(["0:1"] * 400_000)}
        assert await refused(broker, "a", configs=configs) is ErrorCode.POLICY_VIOLATION


def test_transactions_are_bounded_in_number_and_bytes() -> None:
    def step(size: int) -> Step:
        return Step(Compare(b"", 0), Put(b"", b"x" * size))

    assert [len(each) for each in batches({n: step(1) for n in range(120)})] == [50, 50, 20]
    big = {n: step(MAX_VALUE_BYTES // 2) for n in range(5)}
    assert list(batches(big)) == [[0, 1], [2, 3], [4]]
    assert list(batches({})) == []
