"""What stands in the metadata store, key by key, as JSON.

    cluster               {"id"}                        written once
    topics/NAME           {"id", "partitions", "configs"}
    configs/broker/ID     {key: value}                  "configs/broker/" is the cluster's default
    configs/group/NAME    {key: value}
    client-quotas/ENTITY  {key: value}                  ENTITY: [[type, name or null], ...]
    epoch-floors/ID       N     the leader epoch that each unclean start of a broker raises
    producer-ids          N     the first producer id that no block contains
    brokers/ID            {"host", "port", "rack"}      the broker's session

Partitions are runs of equal ones, `[count, leader, leader_epoch, [replicas]]`, so that a topic of
a thousand partitions is a small value. A partition's effective leader epoch is the larger of its
own and its leader's floor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

from godel.metadata.identifiers import id_text, parse_id
from godel.security.quotas import Entity
from godel.types import TopicId

CLUSTER_KEY = b"cluster"
PRODUCER_IDS_KEY = b"producer-ids"
TOPICS = b"topics/"
BROKER_CONFIGS = b"configs/broker/"
GROUP_CONFIGS = b"configs/group/"
CLIENT_QUOTAS = b"client-quotas/"
EPOCH_FLOORS = b"epoch-floors/"
BROKERS = b"brokers/"

MAX_PARTITIONS = 200_000
"""Of one topic; a record that claims more is not believed."""


class CorruptRecord(Exception):
    """A value in the store that is not what its key says."""


class PartitionRecord(NamedTuple):
    """One partition as stored: the leader epoch is its own, without the floor."""

    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]


class TopicRecord(NamedTuple):
    """A topic as stored."""

    id: TopicId
    partitions: tuple[PartitionRecord, ...]
    configs: Mapping[str, str]


class BrokerRecord(NamedTuple):
    """Where clients find a broker."""

    host: str
    port: int
    rack: str | None


def topic_key(name: str) -> bytes:
    return TOPICS + name.encode()


def broker_config_key(broker_id: int | None) -> bytes:
    """None: the cluster's default."""
    return BROKER_CONFIGS + (b"" if broker_id is None else b"%d" % broker_id)


def group_config_key(group: str) -> bytes:
    return GROUP_CONFIGS + group.encode()


def client_quota_key(entity: Entity) -> bytes:
    return CLIENT_QUOTAS + _encode(entity)


def epoch_floor_key(broker_id: int) -> bytes:
    return EPOCH_FLOORS + b"%d" % broker_id


def encode_topic(record: TopicRecord) -> bytes:
    runs = [
        [len(list(group)), each.leader, each.leader_epoch, list(each.replicas)]
        for each, group in groupby(record.partitions)
    ]
    return _encode({"id": id_text(record.id), "partitions": runs, "configs": dict(record.configs)})


def decode_topic(key: bytes, value: bytes) -> TopicRecord:
    """Raises `CorruptRecord`."""
    try:
        stored = json.loads(value)
        partitions: list[PartitionRecord] = []
        for count, leader, leader_epoch, replicas in stored["partitions"]:
            if not 0 < count <= MAX_PARTITIONS - len(partitions):
                raise ValueError(f"{count} partitions in a run")
            record = PartitionRecord(int(leader), int(leader_epoch), tuple(map(int, replicas)))
            partitions += [record] * count
        return TopicRecord(parse_id(stored["id"]), tuple(partitions), _texts(stored["configs"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(key, error) from error


def encode_configs(configs: Mapping[str, str]) -> bytes:
    return _encode(dict(configs))


def decode_configs(key: bytes, value: bytes) -> dict[str, str]:
    """Raises `CorruptRecord`."""
    try:
        return _texts(json.loads(value))
    except (ValueError, TypeError) as error:
        raise _corrupt(key, error) from error


def quota_texts(quotas: Mapping[str, float]) -> dict[str, str]:
    return {key: repr(value) for key, value in quotas.items()}


def decode_client_quotas(key: bytes, value: bytes) -> dict[str, float]:
    """Raises `CorruptRecord`."""
    try:
        return {name: float(text) for name, text in decode_configs(key, value).items()}
    except ValueError as error:
        raise _corrupt(key, error) from error


def entity_in(key: bytes) -> Entity:
    """The entity whose quotas stand under the key. Raises `CorruptRecord`."""
    try:
        parts = json.loads(key[len(CLIENT_QUOTAS) :])
        return tuple((str(kind), None if name is None else str(name)) for kind, name in parts)
    except (ValueError, TypeError) as error:
        raise _corrupt(key, error) from error


def encode_broker(record: BrokerRecord) -> bytes:
    return _encode(record._asdict())


def decode_broker(key: bytes, value: bytes) -> BrokerRecord:
    """Raises `CorruptRecord`."""
    try:
        stored = json.loads(value)
        return BrokerRecord(str(stored["host"]), int(stored["port"]), stored["rack"])
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(key, error) from error


def encode_cluster(cluster_id: str) -> bytes:
    return _encode({"id": cluster_id})


def decode_cluster(key: bytes, value: bytes) -> str:
    """Raises `CorruptRecord`."""
    try:
        return str(json.loads(value)["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(key, error) from error


def encode_number(number: int) -> bytes:
    return b"%d" % number


def decode_number(key: bytes, value: bytes) -> int:
    """Raises `CorruptRecord`."""
    try:
        return int(value)
    except ValueError as error:
        raise _corrupt(key, error) from error


def name_in(key: bytes, prefix: bytes) -> str:
    """What follows the prefix. Raises `CorruptRecord`."""
    try:
        return key[len(prefix) :].decode()
    except UnicodeDecodeError as error:
        raise _corrupt(key, error) from error


def number_in(key: bytes, prefix: bytes) -> int:
    """The number that follows the prefix. Raises `CorruptRecord`."""
    return decode_number(key, key[len(prefix) :])


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _texts(stored: Any) -> dict[str, str]:
    if not isinstance(stored, dict):
        raise TypeError("not an object")
    return {str(name): str(value) for name, value in stored.items()}


def _corrupt(key: bytes, error: Exception) -> CorruptRecord:
    return CorruptRecord(f"metadata record {key!r} cannot be read: {error!r}")
