"""A topic's settings and how they follow from the broker's.

An override of the topic beats the broker's value; `broker_name` names that, and its `fallbacks`
(log.retention.minutes and the like) stand in for it. Kafka's `LogConfig`.
"""

from collections.abc import Mapping
from typing import Any

from godel.config.broker import BrokerConfig
from godel.config.log_defaults import (
    CLEANUP_POLICIES,
    COMPRESSION_TYPES,
    HOUR_MS,
    TIMESTAMP_TYPES,
)
from godel.config.setting import (
    MAX_LONG,
    Config,
    InvalidValue,
    Value,
    ValueType,
    setting,
)

INT = ValueType.INT
THROTTLED = r"\*|[0-9]+:[0-9]+"
WEEK_MS = 168 * HOUR_MS


class TopicConfig(Config):
    """What holds for one topic. Made by `topic_config`, which knows the broker's values."""

    cleanup_policy: tuple[str, ...] = setting(
        "cleanup.policy",
        ("delete",),
        "What becomes of old segments: delete, compact, both, or, when empty, nothing.",
        broker_name="log.cleanup.policy",
        choices=CLEANUP_POLICIES,
    )
    retention_ms: int = setting(
        "retention.ms",
        WEEK_MS,
        "How long records are kept; -1 for ever.",
        broker_name="log.retention.ms",
        minimum=-1,
    )
    retention_bytes: int = setting(
        "retention.bytes",
        -1,
        "How many bytes of a partition are kept; -1 all.",
        broker_name="log.retention.bytes",
    )
    segment_bytes: int = setting(
        "segment.bytes",
        1_073_741_824,
        "The size at which a segment is full.",
        type=INT,
        broker_name="log.segment.bytes",
        minimum=1_048_576,
    )
    segment_ms: int = setting(
        "segment.ms",
        WEEK_MS,
        "The age at which a segment is closed though not full.",
        broker_name="log.roll.ms",
        minimum=1,
    )
    segment_jitter_ms: int = setting(
        "segment.jitter.ms",
        0,
        "At most how much earlier, by chance, a segment is closed.",
        broker_name="log.roll.jitter.ms",
        minimum=0,
    )
    segment_index_bytes: int = setting(
        "segment.index.bytes",
        10_485_760,
        "The largest index; a full one closes its segment.",
        type=INT,
        broker_name="log.index.size.max.bytes",
        minimum=4,
    )
    index_interval_bytes: int = setting(
        "index.interval.bytes",
        4096,
        "How many bytes of log lie between two index entries.",
        type=INT,
        broker_name="log.index.interval.bytes",
        minimum=0,
    )
    max_message_bytes: int = setting(
        "max.message.bytes",
        1_048_588,
        "The largest record batch taken.",
        type=INT,
        broker_name="message.max.bytes",
        minimum=0,
    )
    message_timestamp_type: str = setting(
        "message.timestamp.type",
        "CreateTime",
        "Whose clock stamps a record: the producer's or, on append, ours.",
        broker_name="log.message.timestamp.type",
        choices=TIMESTAMP_TYPES,
    )
    message_timestamp_before_max_ms: int = setting(
        "message.timestamp.before.max.ms",
        MAX_LONG,
        "How far in the past a producer's timestamp may lie.",
        broker_name="log.message.timestamp.before.max.ms",
        minimum=0,
    )
    message_timestamp_after_max_ms: int = setting(
        "message.timestamp.after.max.ms",
        HOUR_MS,
        "How far in the future a producer's timestamp may lie.",
        broker_name="log.message.timestamp.after.max.ms",
        minimum=0,
    )
    compression_type: str = setting(
        "compression.type",
        "producer",
        "The codec batches are stored in; `producer` keeps them as they came.",
        broker_name="compression.type",
        choices=COMPRESSION_TYPES,
    )
    compression_gzip_level: int = setting(
        "compression.gzip.level",
        -1,
        "The level of gzip.",
        type=INT,
        broker_name="compression.gzip.level",
        minimum=-1,
        maximum=9,
    )
    compression_lz4_level: int = setting(
        "compression.lz4.level",
        9,
        "The level of lz4.",
        type=INT,
        broker_name="compression.lz4.level",
        minimum=1,
        maximum=17,
    )
    compression_zstd_level: int = setting(
        "compression.zstd.level",
        3,
        "The level of zstd.",
        type=INT,
        broker_name="compression.zstd.level",
        minimum=-131072,
        maximum=22,
    )
    min_insync_replicas: int = setting(
        "min.insync.replicas",
        1,
        "Replicas that must have a write before acks=all is answered.",
        type=INT,
        broker_name="min.insync.replicas",
        minimum=1,
    )
    flush_messages: int = setting(
        "flush.messages",
        MAX_LONG,
        "Sync after this many records, also with write.caching.",
        broker_name="log.flush.interval.messages",
        minimum=1,
    )
    flush_ms: int = setting(
        "flush.ms",
        MAX_LONG,
        "Sync when unsynced records are this old, also with write.caching.",
        broker_name="log.flush.interval.ms",
        minimum=0,
    )
    write_caching: bool = setting(
        "write.caching",
        False,
        "Answer acks=all before the data is synced to disk, as Kafka does; a power cut loses it.",
        broker_name="write.caching",
    )
    file_delete_delay_ms: int = setting(
        "file.delete.delay.ms",
        60_000,
        "How long a deleted file stays, renamed, before it is removed.",
        broker_name="log.segment.delete.delay.ms",
        minimum=0,
    )
    delete_retention_ms: int = setting(
        "delete.retention.ms",
        86_400_000,
        "How long a compacted log keeps tombstones.",
        broker_name="log.cleaner.delete.retention.ms",
        minimum=0,
    )
    min_cleanable_dirty_ratio: float = setting(
        "min.cleanable.dirty.ratio",
        0.5,
        "The share of uncompacted bytes from which a log is compacted.",
        broker_name="log.cleaner.min.cleanable.ratio",
        minimum=0,
        maximum=1,
    )
    min_compaction_lag_ms: int = setting(
        "min.compaction.lag.ms",
        0,
        "How long a record stays uncompacted at least.",
        broker_name="log.cleaner.min.compaction.lag.ms",
        minimum=0,
    )
    max_compaction_lag_ms: int = setting(
        "max.compaction.lag.ms",
        MAX_LONG,
        "How long a record stays uncompacted at most.",
        broker_name="log.cleaner.max.compaction.lag.ms",
        minimum=1,
    )
    preallocate: bool = setting(
        "preallocate",
        False,
        "Reserve a segment's space at its start.",
        broker_name="log.preallocate",
        effect=False,
    )
    unclean_leader_election_enable: bool = setting(
        "unclean.leader.election.enable",
        False,
        "Whether a replica that lags may become leader.",
        broker_name="unclean.leader.election.enable",
        effect=False,
    )
    leader_replication_throttled_replicas: tuple[str, ...] = setting(
        "leader.replication.throttled.replicas",
        (),
        "Replicas whose sending is slowed down, as PARTITION:BROKER, or * for all.",
        pattern=THROTTLED,
        pattern_text="* or PARTITION:BROKER",
        effect=False,
    )
    follower_replication_throttled_replicas: tuple[str, ...] = setting(
        "follower.replication.throttled.replicas",
        (),
        "Replicas whose receiving is slowed down, as PARTITION:BROKER, or * for all.",
        pattern=THROTTLED,
        pattern_text="* or PARTITION:BROKER",
        effect=False,
    )
    remote_storage_enable: bool = setting(
        "remote.storage.enable",
        False,
        "Keep old segments elsewhere; this broker cannot.",
        only=False,
        effect=False,
    )
    remote_log_copy_disable: bool = setting(
        "remote.log.copy.disable", False, "Stop copying segments elsewhere.", effect=False
    )
    remote_log_delete_on_disable: bool = setting(
        "remote.log.delete.on.disable",
        False,
        "Delete what lies elsewhere when copying is turned off.",
        effect=False,
    )
    local_retention_ms: int = setting(
        "local.retention.ms",
        -2,
        "How long segments stay here that lie elsewhere too; -2 as retention.ms.",
        minimum=-2,
        effect=False,
    )
    local_retention_bytes: int = setting(
        "local.retention.bytes",
        -2,
        "How many bytes stay here that lie elsewhere too; -2 as retention.bytes.",
        minimum=-2,
        effect=False,
    )

    @property
    def is_compacted(self) -> bool:
        return "compact" in self.cleanup_policy


def topic_config(broker: BrokerConfig, overrides: Mapping[str, str]) -> TopicConfig:
    """The broker's values, then the topic's own. The overrides have been validated before."""
    return TopicConfig.of_parsed(broker_values(broker)).replaced(overrides)


def broker_values(broker: BrokerConfig) -> dict[str, Any]:
    """What the broker's settings say about topics, by attribute."""
    values: dict[str, Any] = {}
    for declared in TopicConfig.SETTINGS.values():
        if declared.broker_name is not None:
            values[declared.attribute] = broker.effective(declared.broker_name)
    return values


def check_topic_overrides(broker: BrokerConfig, overrides: Mapping[str, str | None]) -> None:
    """Refuse what a topic cannot be given. Raises `InvalidValue`."""
    parsed: dict[str, Value] = {}
    for name, text in overrides.items():
        declared = TopicConfig.SETTINGS.get(name)
        if declared is None:
            raise InvalidValue(f"Unknown topic config name: {name}")
        if text is None:
            raise InvalidValue(f"Null value not supported for topic configs: {name}")
        parsed[declared.attribute] = declared.parse(text)
    values = {**broker_values(broker), **parsed}
    shortest, longest = values["min_compaction_lag_ms"], values["max_compaction_lag_ms"]
    if shortest > longest:
        raise InvalidValue(
            f"conflict topic config setting min.compaction.lag.ms ({shortest})"
            f" > max.compaction.lag.ms ({longest})"
        )
