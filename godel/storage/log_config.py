"""The settings of one log, resolved: what `storage/` needs of a topic's configuration."""

from __future__ import annotations

from dataclasses import dataclass

from godel.config.topic import TopicConfig

NEVER = 2**63 - 1
"""Kafka's "never" for counts and durations; so is every other duration too long for a timer."""
LONGEST_TIMER_MS = 2**48


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Defaults are Kafka's, but for `write_caching`, which Kafka does not have."""

    segment_bytes: int = 1 << 30
    segment_ms: int = 604_800_000
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10_485_760
    index_interval_bytes: int = 4096
    max_message_bytes: int = 1_048_588
    retention_ms: int = 604_800_000
    retention_bytes: int = -1
    is_deleted: bool = True
    """`cleanup.policy` contains `delete`: retention by time and size applies."""
    is_compacted: bool = False
    """`cleanup.policy` contains `compact`."""
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = NEVER
    delete_retention_ms: int = 86_400_000
    file_delete_delay_ms: int = 60_000
    flush_messages: int = NEVER
    flush_ms: int = NEVER
    write_caching: bool = False
    """False: every append asks for a sync. True: `flush_messages`, `flush_ms` and many bytes do."""


def log_config(config: TopicConfig) -> LogConfig:
    """What `storage/` needs of a topic's settings."""
    return LogConfig(
        segment_bytes=config.segment_bytes,
        segment_ms=_segment_ms(config),
        segment_jitter_ms=config.segment_jitter_ms,
        segment_index_bytes=config.segment_index_bytes,
        index_interval_bytes=config.index_interval_bytes,
        max_message_bytes=config.max_message_bytes,
        retention_ms=config.retention_ms,
        retention_bytes=config.retention_bytes,
        is_deleted="delete" in config.cleanup_policy,
        is_compacted=config.is_compacted,
        min_cleanable_dirty_ratio=config.min_cleanable_dirty_ratio,
        min_compaction_lag_ms=config.min_compaction_lag_ms,
        max_compaction_lag_ms=config.max_compaction_lag_ms,
        delete_retention_ms=config.delete_retention_ms,
        file_delete_delay_ms=config.file_delete_delay_ms,
        flush_messages=config.flush_messages,
        flush_ms=config.flush_ms,
        write_caching=config.write_caching,
    )


def _segment_ms(config: TopicConfig) -> int:
    """The active segment is not compacted: it must end in time for max.compaction.lag.ms."""
    if config.is_compacted:
        return min(config.segment_ms, config.max_compaction_lag_ms)
    return config.segment_ms
