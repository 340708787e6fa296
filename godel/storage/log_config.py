"""The settings of one log, resolved: what `storage/` needs of a topic's configuration."""

from __future__ import annotations

from dataclasses import dataclass

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
    """False: every append asks for a sync. True: only `flush_messages` and `flush_ms` do."""
