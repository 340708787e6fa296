"""Makes a data directory of what Apache Kafka has written, and leaves that as it is.

Batches are taken over byte by byte: offsets, timestamps, producers and transactions stay. What
Kafka did not get to write down before it was killed is found by checking every batch, as a start of
the broker after a crash does. Topics keep their ids and settings, groups their offsets (they are in
`__consumer_offsets`), the cluster and the node their ids. Leader epochs begin above all there were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.config import (
    BrokerConfig,
    InvalidValue,
    check_group_overrides,
    check_topic_overrides,
)
from godel.errors import ApiError
from godel.metadata import records
from godel.metadata.client_quotas import check_quota, checked_entity
from godel.metadata.identifiers import id_text, new_id
from godel.metadata.store import MAX_OPERATIONS, MetadataStore, Put
from godel.operations.broker_directories import Identity
from godel.operations.findings import Finding, Tally, note, problem
from godel.operations.gathering import OnProgress, Source, copy_partition, log_bytes, settle
from godel.operations.kafka_directory import KafkaData, read_kafka_directories
from godel.operations.kafka_metadata import KafkaMetadata, KafkaTopic
from godel.operations.new_directory import LogPosition, NewDirectory
from godel.records.transactions import OpenTransactions
from godel.storage import layout
from godel.storage.data_directory import DataDirectoryError
from godel.storage.files import Files, join
from godel.storage.leader_epoch_checkpoint import read_leader_epochs
from godel.storage.partition_metadata import write_partition_metadata
from godel.storage.producer_snapshot import DamagedSnapshot, read_producers
from godel.storage.sidecar_files import SidecarFiles
from godel.types import TopicPartition

OpenStore = Callable[[], Awaitable[MetadataStore]]
"""Makes the metadata store of the new directory."""

DEFAULT_NODE_ID = 1
PRODUCER_IDS_AHEAD = 1_000_000
"""Without the quorum's counter: so many ids may have been given out beyond those that are known."""

REMOTE = "remote.storage.enable"


async def import_kafka(
    files: Files,
    paths: Sequence[str],
    target: str,
    open_store: OpenStore,
    *,
    tally: Tally,
    clock: Clock,
    randomness: Randomness,
    log: FilteringBoundLogger,
    expect: OnProgress,
    on_progress: OnProgress,
) -> Identity:
    """Fill `target`, which is empty. `tally`: what was met. Raises `DataDirectoryError`, OSError.

    What stands in the way is found before anything is written.
    """
    with locked(files, paths):
        data = read_kafka_directories(files, paths, randomness)
        tally.add(data.findings)
        expect(sum(log_bytes(files, source.folder) for source in data.sources.values()))
        identity = Identity(
            data.cluster_id or id_text(new_id(randomness)),
            DEFAULT_NODE_ID if data.node_id is None else data.node_id,
        )
        directory = NewDirectory.begin(files, target)
        try:
            ids = {topic.name: topic_id for topic_id, topic in data.metadata.topics.items()}
            for partition, source in data.sources.items():
                folder = directory.folder(partition)
                if not copy_partition(files, source.folder, folder, on_progress):
                    raise DataDirectoryError(f"{source.folder} is gone; is Apache Kafka running?")
                write_partition_metadata(files, folder, ids[partition.topic])
            logs = await settle(files, directory, data.sources, tally=tally, clock=clock, log=log)
            tally.add(undecided(files, directory, data.sources, logs))
            store = await open_store()
            try:
                await write_metadata(
                    store, records_of(files, data, directory, identity, tally=tally)
                )
            finally:
                await store.close()
            directory.finish(identity, logs)
        finally:
            directory.close()
    return identity


@contextmanager
def locked(files: Files, paths: Sequence[str]) -> Iterator[None]:
    """Keep Apache Kafka off the directories, as far as it has ever been on them."""
    with ExitStack() as held:
        for path in paths:
            lock = join(path, layout.LOCK)
            if not files.exists(lock):
                continue
            try:
                held.callback(files.lock_out_kafka(lock).close)
            except BlockingIOError:
                raise DataDirectoryError(
                    f"{path} is in use by Apache Kafka; stop it first"
                ) from None
        yield


async def write_metadata(store: MetadataStore, puts: Sequence[Put]) -> None:
    """Into an empty store. Raises `StoreUnavailable`."""
    for start in range(0, len(puts), MAX_OPERATIONS):
        await store.txn((), puts[start : start + MAX_OPERATIONS])


def undecided(
    files: Files,
    directory: NewDirectory,
    sources: Mapping[TopicPartition, Source],
    logs: Mapping[TopicPartition, LogPosition],
) -> Iterator[Finding]:
    """Transactions that are open, and that this broker has no way to end. Raises OSError."""
    for partition, log in sorted(logs.items()):
        begun = log.open_transactions
        if begun is None:  # what is left of one may be in the snapshot only
            begun = newest_open_transactions(files, directory.folder(partition), log.end_offset)
        if begun:
            whose = ", ".join(f"producer {one} from offset {at}" for one, at in begun.items())
            what = (
                f"a transaction is open that nobody can end after the import ({whose}): readers of "
                "committed records get no farther; start Apache Kafka once more until it has ended "
                "it (after the producer's transaction.timeout.ms, or by kafka-transactions.sh "
                "abort), stop it and import again into an empty directory"
            )
            yield problem(sources[partition].folder, what)


def newest_open_transactions(files: Files, folder: str, end_offset: int) -> Mapping[int, int]:
    """What the newest producer snapshot says of them. Raises OSError."""
    parsed = filter(None, map(layout.parse_segment_file, files.list_files(folder)))
    offsets = {one.base_offset for one in parsed if one.suffix == layout.PRODUCER_SNAPSHOT}
    _, producers = SidecarFiles(files, folder, offsets).latest_producers(end_offset) or (0, ())
    begun = {one.producer_id: one.current_transaction_first_offset for one in producers}
    return OpenTransactions(begun).first_offsets


# -- what is taken over ---------------------------------------------------------------------------


def records_of(
    files: Files, data: KafkaData, directory: NewDirectory, identity: Identity, *, tally: Tally
) -> list[Put]:
    """The metadata of the new directory, whose partitions are there already."""
    metadata = data.metadata
    puts = [Put(records.CLUSTER_KEY, records.encode_cluster(identity.cluster_id))]
    floor = 0  # for all partitions: an unclean start raises them together
    for topic_id, topic in metadata.topics.items():
        partitions = tuple(
            records.PartitionRecord(identity.node_id, 0, (identity.node_id,))
            for number in range(len(topic.partitions))
        )
        for number in range(len(topic.partitions)):
            floor = max(floor, next_epoch(files, topic, number, directory))
        configs = topic_configs(topic.name, metadata.configs.get(topic.name, {}), tally)
        record = records.TopicRecord(topic_id, partitions, configs)
        puts.append(Put(records.topic_key(topic.name), records.encode_topic(record)))
    puts.append(Put(records.epoch_floor_key(identity.node_id), records.encode_number(floor)))
    puts += other_configs(metadata, tally)
    puts += quotas(metadata, tally)
    first_id = metadata.next_producer_id
    if not data.has_quorum:
        first_id = largest_producer_id(files, directory, data.sources) + PRODUCER_IDS_AHEAD
    puts.append(Put(records.PRODUCER_IDS_KEY, records.encode_number(first_id)))
    for what, count in sorted(metadata.left_out.items()):
        tally.add([note("the quorum's log", f"{what} are not imported ({count} records)")])
    return puts


def next_epoch(files: Files, topic: KafkaTopic, number: int, directory: NewDirectory) -> int:
    """Above all that clients may have seen of the partition. Raises OSError."""
    folder = directory.folder(TopicPartition(topic.name, number))
    epochs = read_leader_epochs(files, folder) if files.exists(folder) else []
    return max(topic.partitions[number].leader_epoch, *(one.epoch for one in epochs), -1) + 1


def topic_configs(name: str, configs: Mapping[str, str], tally: Tally) -> dict[str, str]:
    """Those of a topic's settings that this broker takes."""
    taken: dict[str, str] = {}
    for key, value in sorted(configs.items()):
        try:
            check_topic_overrides(BrokerConfig(), taken | {key: value})
        except InvalidValue as refusal:
            tally.add([not_taken(f"topic {name}", key, value, str(refusal))])
        else:
            taken[key] = value
    return taken


def not_taken(whose: str, key: str, value: str, why: str) -> Finding:
    """A tiered topic has records that are not in its folders; any other setting can be missed."""
    what = f"the setting {key}={value} is left out: {why}"
    if (key, value) == (REMOTE, "true"):
        return problem(whose, f"{what}; records that are only in remote storage are not imported")
    return note(whose, what)


def other_configs(metadata: KafkaMetadata, tally: Tally) -> Iterator[Put]:
    """The settings of brokers and groups."""
    for whose, configs in sorted(metadata.broker_configs.items()):
        taken: dict[str, str] = {}
        for key, value in configs.items():
            why = broker_setting_problem(key, value, is_default=not whose)
            if why is None:
                taken[key] = value
            else:
                tally.add([not_taken(f"broker {whose or 'default'}", key, value, why)])
        if taken:
            broker_key = records.broker_config_key(int(whose) if whose else None)
            yield Put(broker_key, records.encode_configs(taken))
    for group, configs in sorted(metadata.group_configs.items()):
        try:
            check_group_overrides(configs)
        except InvalidValue as refusal:
            tally.add([note(f"group {group}", f"its settings are left out: {refusal}")])
        else:
            yield Put(records.group_config_key(group), records.encode_configs(configs))


def quotas(metadata: KafkaMetadata, tally: Tally) -> Iterator[Put]:
    """Those that this broker enforces."""
    for entity, limits in metadata.client_quotas.items():
        taken: dict[str, float] = {}
        for key, limit in limits.items():
            try:
                checked_entity(entity)
                check_quota(key, limit)
            except ApiError as refusal:
                whose = ", ".join(f"{kind} {name or 'default'}" for kind, name in entity)
                tally.add([note(whose, f"the quota {key}={limit} is left out: {refusal}")])
            else:
                taken[key] = limit
        if taken:
            value = records.encode_configs(records.quota_texts(taken))
            yield Put(records.client_quota_key(entity), value)


def broker_setting_problem(key: str, value: str, *, is_default: bool) -> str | None:
    """Why a setting that was changed while Kafka ran is not taken over."""
    declared = BrokerConfig.SETTINGS.get(key)
    if declared is None or not declared.dynamic or (is_default and not declared.cluster_wide):
        return "it cannot be changed while this broker runs; set it in its configuration"
    try:
        declared.parse(value)
    except InvalidValue as refusal:
        return str(refusal)
    return None


def largest_producer_id(
    files: Files, directory: NewDirectory, partitions: Mapping[TopicPartition, object]
) -> int:
    """Of all that are known; -1 for none. Raises OSError."""
    largest = -1
    for partition in partitions:
        folder = directory.folder(partition)
        for name in files.list_files(folder):
            parsed = layout.parse_segment_file(name)
            if parsed is not None and parsed.suffix == layout.PRODUCER_SNAPSHOT:
                try:
                    entries = read_producers(files, folder, parsed.base_offset)
                except DamagedSnapshot:
                    continue
                largest = max(largest, *(entry.producer_id for entry in entries), -1)
    return largest
