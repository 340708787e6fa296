"""The controller's decisions about topics: create, delete, add partitions; and producer-id blocks.

Each is: validate against the image, one guarded transaction on the store, wait until the image
shows it. Changes are made one after another, because whether a name collides (`a.b`, `a_b`) is no
guard of a single key. Source of the rules: Kafka's `ReplicationControlManager`, compared with a
running 4.3 broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import anyio

from godel.config import InvalidValue, check_topic_overrides
from godel.errors import ApiError, ErrorCode
from godel.metadata import assignment, records
from godel.metadata.identifiers import (
    CLUSTER_METADATA,
    check_name,
    collision_form,
    may_collide,
    new_id,
)
from godel.metadata.image import MetadataImage, TopicImage
from godel.metadata.publisher import Metadata
from godel.metadata.store import (
    MAX_VALUE_BYTES,
    Compare,
    Delete,
    Op,
    Put,
    StoreUnavailable,
    TxnResult,
)
from godel.types import TopicId

Wish = TypeVar("Wish")

TIMEOUT_MS = 30_000
ATTEMPTS = 10
TOPICS_PER_TRANSACTION = 50
MAX_PARTITIONS_PER_REQUEST = 10_000
PRODUCER_ID_BLOCK = 1000
MAX_PRODUCER_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic that somebody wants. -1: the broker's default. Assignments replace both counts."""

    name: str
    partitions: int = -1
    replication_factor: int = -1
    assignments: Mapping[int, Sequence[int]] = field(default_factory=dict)
    configs: Mapping[str, str | None] = field(default_factory=dict)


class CreatedTopic(NamedTuple):
    """What was made, or, for a mere validation, would be."""

    name: str
    id: TopicId
    partitions: int
    replication_factor: int
    overrides: Mapping[str, str]


class Step(NamedTuple):
    """One topic's part of a transaction."""

    guard: Compare
    op: Op


class Topics:
    """Changes the topics in the store. Holds no state but the order of changes."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._changing = anyio.Lock()

    # -- create -------------------------------------------------------------------------------

    async def create_topic(
        self,
        name: str,
        *,
        partitions: int = -1,
        replication_factor: int = -1,
        configs: Mapping[str, str | None] | None = None,
        timeout_ms: float = TIMEOUT_MS,
    ) -> CreatedTopic:
        """One topic; it can be used when this returns. Raises `ApiError`."""
        wish = NewTopic(name, partitions, replication_factor, {}, configs or {})
        (outcome,) = await self.create([wish], timeout_ms=timeout_ms)
        if isinstance(outcome, ApiError):
            raise outcome
        return outcome

    async def create(
        self,
        wishes: Sequence[NewTopic],
        *,
        validate_only: bool = False,
        timeout_ms: float = TIMEOUT_MS,
    ) -> list[CreatedTopic | ApiError]:
        """Topics, each with its own outcome, in the order of the wishes. Names differ."""
        asked = sum(max(wish.partitions, len(wish.assignments), 1) for wish in wishes)
        if asked > MAX_PARTITIONS_PER_REQUEST:
            too_many = ApiError(
                ErrorCode.POLICY_VIOLATION,
                f"{asked} partitions in one request; at most {MAX_PARTITIONS_PER_REQUEST}",
            )
            return [too_many for _ in wishes]
        made: dict[str, CreatedTopic] = {}
        forms: dict[str, str] = {}

        def plan(image: MetadataImage, wish: NewTopic) -> Step:
            self._check_new(image, wish, forms)
            record = self._new_record(image, wish)
            value = checked_size(records.encode_topic(record))
            made[wish.name] = CreatedTopic(
                wish.name,
                record.id,
                len(record.partitions),
                len(record.partitions[0].replicas),
                record.configs,
            )
            key = records.topic_key(wish.name)
            return Step(Compare(key, 0), Put(key, value))

        failures = await self._change(
            wishes, plan, validate_only=validate_only, timeout_ms=timeout_ms
        )
        return [
            made[wish.name] if failure is None else failure
            for wish, failure in zip(wishes, failures, strict=True)
        ]

    def _check_new(self, image: MetadataImage, wish: NewTopic, forms: dict[str, str]) -> None:
        """Name and settings. `forms` collects what this request makes, to find collisions."""
        check_name(wish.name)
        if wish.name == CLUSTER_METADATA:
            raise ApiError(
                ErrorCode.INVALID_REQUEST, f"The topic {CLUSTER_METADATA} cannot be created"
            )
        if wish.name in image.topics:
            raise ApiError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{wish.name}' already exists.")
        form = collision_form(wish.name)
        if may_collide(wish.name):
            other = image.collision_names.get(form, forms.get(form, wish.name))
            if other != wish.name:
                raise ApiError(
                    ErrorCode.INVALID_TOPIC_EXCEPTION,
                    f"Topic '{wish.name}' collides with the existing topic '{other}': in the"
                    " names of metrics '.' and '_' are the same",
                )
        try:
            check_topic_overrides(image.broker_config, wish.configs)
        except InvalidValue as error:
            raise ApiError(ErrorCode.INVALID_CONFIG, str(error)) from None
        forms[form] = wish.name

    def _new_record(self, image: MetadataImage, wish: NewTopic) -> records.TopicRecord:
        brokers = self._brokers(image)
        if wish.assignments:
            assignment.check_counts(wish.partitions, wish.replication_factor)
            replicas = assignment.checked_new(wish.assignments, brokers)
        else:
            config = image.broker_config
            count = wish.partitions if wish.partitions != -1 else config.num_partitions
            factor = wish.replication_factor
            factor = factor if factor != -1 else config.default_replication_factor
            assignment.check_factor(factor, brokers)
            assignment.check_partition_count(count)
            replicas = assignment.spread(count, factor, brokers, first=len(image.topics))
        overrides = {name: text.strip() for name, text in wish.configs.items() if text is not None}
        return records.TopicRecord(
            new_id(self._metadata.randomness), partitions_of(replicas), overrides
        )

    def _brokers(self, image: MetadataImage) -> tuple[int, ...]:
        return tuple(sorted(image.brokers)) or (self._metadata.node_id,)

    # -- delete -------------------------------------------------------------------------------

    async def delete(
        self, names: Sequence[str], *, timeout_ms: float = TIMEOUT_MS
    ) -> list[ApiError | None]:
        """Delete topics; the image has none of them when this returns. None: done."""

        def plan(image: MetadataImage, name: str) -> Step:
            topic = existing(image, name)
            key = records.topic_key(name)
            return Step(Compare(key, topic.mod_revision), Delete(key))

        return await self._change(names, plan, validate_only=False, timeout_ms=timeout_ms)

    # -- partitions ---------------------------------------------------------------------------

    async def add_partitions(
        self,
        name: str,
        count: int,
        assignments: Sequence[Sequence[int]] | None = None,
        *,
        validate_only: bool = False,
        timeout_ms: float = TIMEOUT_MS,
    ) -> None:
        """Raise the number of partitions to `count`. Raises `ApiError`."""

        def plan(image: MetadataImage, wanted: str) -> Step:
            topic = existing(image, wanted)
            added = self._added(image, topic, count, assignments)
            record = topic_record(topic)
            record = record._replace(partitions=record.partitions + added)
            key = records.topic_key(wanted)
            value = checked_size(records.encode_topic(record))
            return Step(Compare(key, topic.mod_revision), Put(key, value))

        (failure,) = await self._change(
            [name], plan, validate_only=validate_only, timeout_ms=timeout_ms
        )
        if failure is not None:
            raise failure

    def _added(
        self,
        image: MetadataImage,
        topic: TopicImage,
        count: int,
        assignments: Sequence[Sequence[int]] | None,
    ) -> tuple[records.PartitionRecord, ...]:
        present = len(topic.partitions)
        if count <= present:
            raise ApiError(
                ErrorCode.INVALID_PARTITIONS,
                f"Topic '{topic.name}' has {present} partition(s); {count} is not an increase.",
            )
        added = count - present
        if added > MAX_PARTITIONS_PER_REQUEST:
            raise ApiError(
                ErrorCode.POLICY_VIOLATION,
                f"{added} partitions in one request; at most {MAX_PARTITIONS_PER_REQUEST}",
            )
        brokers = self._brokers(image)
        factor = len(topic.partitions[0].replicas)
        if assignments is None:
            assignment.check_factor(factor, brokers)
            return partitions_of(
                assignment.spread(added, factor, brokers, first=len(image.topics) + present)
            )
        if len(assignments) != added:
            raise ApiError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"{added} partition(s) are to be added, but {len(assignments)} assigned.",
            )
        return partitions_of(
            [assignment.checked(each, brokers, factor=factor) for each in assignments]
        )

    # -- producer ids -------------------------------------------------------------------------

    async def allocate_producer_ids(self, count: int = PRODUCER_ID_BLOCK) -> range:
        """Ids that nobody had before and nobody gets again. Raises `ApiError`."""
        store = self._metadata.store
        key = records.PRODUCER_IDS_KEY
        try:
            for _ in range(ATTEMPTS):
                entry = await store.get(key)
                first = records.decode_number(key, entry.value) if entry is not None else 0
                if first > MAX_PRODUCER_ID - count:
                    raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR, "no producer ids are left")
                guard = Compare(key, entry.mod_revision if entry is not None else 0)
                put = Put(key, records.encode_number(first + count))
                if (await store.txn((guard,), (put,))).succeeded:
                    return range(first, first + count)
        except StoreUnavailable as error:
            raise unavailable(error) from error
        raise ApiError(ErrorCode.REQUEST_TIMED_OUT, "too many brokers ask for producer ids")

    # -- how every change goes ----------------------------------------------------------------

    async def _change(
        self,
        wishes: Sequence[Wish],
        plan: Callable[[MetadataImage, Wish], Step],
        *,
        validate_only: bool,
        timeout_ms: float,
    ) -> list[ApiError | None]:
        """Plan each wish and carry it out, many per transaction; None where it went well."""
        outcomes: list[ApiError | None] = [None] * len(wishes)
        async with self._changing:
            pending = list(range(len(wishes)))
            for _ in range(ATTEMPTS):
                steps: dict[int, Step] = {}
                for index in pending:
                    try:
                        steps[index] = plan(self._metadata.image, wishes[index])
                    except ApiError as refusal:
                        outcomes[index] = refusal
                if validate_only or not steps:
                    return outcomes
                pending = await self._commit(steps, outcomes, timeout_ms)
                if not pending:
                    return outcomes
            for index in pending:
                outcomes[index] = ApiError(
                    ErrorCode.REQUEST_TIMED_OUT, "others keep changing the same topic"
                )
        return outcomes

    async def _commit(
        self, steps: Mapping[int, Step], outcomes: list[ApiError | None], timeout_ms: float
    ) -> list[int]:
        """Carry the steps out; return those whose guard did not hold, to be planned anew."""
        lost: list[int] = []
        for batch in batches(steps):
            try:
                result = await self._transact([steps[index] for index in batch])
                await self._metadata.reached(result.revision, timeout_ms)
            except StoreUnavailable as error:
                for index in batch:
                    outcomes[index] = unavailable(error)
                continue
            except ApiError as late:
                for index in batch:
                    outcomes[index] = late
                continue
            if not result.succeeded:
                lost += batch
        return lost

    async def _transact(self, steps: Sequence[Step]) -> TxnResult:
        return await self._metadata.store.txn(
            [step.guard for step in steps], [step.op for step in steps]
        )


def batches(steps: Mapping[int, Step]) -> Iterator[list[int]]:
    """Which steps go into one transaction: bounded in number and in bytes."""
    batch: list[int] = []
    size_bytes = 0
    for index, (_, op) in steps.items():
        step_bytes = len(op.value) if isinstance(op, Put) else 0
        full = len(batch) == TOPICS_PER_TRANSACTION or size_bytes + step_bytes > MAX_VALUE_BYTES
        if batch and full:
            yield batch
            batch, size_bytes = [], 0
        batch.append(index)
        size_bytes += step_bytes
    if batch:
        yield batch


def existing(image: MetadataImage, name: str) -> TopicImage:
    """Raises `ApiError` UNKNOWN_TOPIC_OR_PARTITION."""
    topic = image.topics.get(name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
    return topic


def topic_record(topic: TopicImage) -> records.TopicRecord:
    """What is stored of a topic. Its epochs may have the floor in them: that changes nothing."""
    partitions = tuple(
        records.PartitionRecord(each.leader, each.leader_epoch, each.replicas)
        for each in topic.partitions
    )
    return records.TopicRecord(topic.id, partitions, topic.overrides)


def partitions_of(
    replicas: Sequence[tuple[int, ...]],
) -> tuple[records.PartitionRecord, ...]:
    """New partitions, led by their first replica."""
    return tuple(records.PartitionRecord(each[0], 0, each) for each in replicas)


def checked_size(value: bytes) -> bytes:
    """Raises `ApiError` POLICY_VIOLATION for a record that the store would not take."""
    if len(value) > MAX_VALUE_BYTES:
        raise ApiError(
            ErrorCode.POLICY_VIOLATION,
            f"the settings or partitions take {len(value)} bytes; at most {MAX_VALUE_BYTES}",
        )
    return value


def unavailable(error: StoreUnavailable) -> ApiError:
    """What a client is told when the metadata store does not work."""
    return ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(error))
