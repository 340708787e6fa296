"""The broker's settings that are the defaults of topics: what a log does when no topic says more.

Their topic names and the way an override beats them stand in `topic.py`.
"""

from godel.config.setting import MAX_LONG, Config, ValueType, setting

INT = ValueType.INT
LONG = ValueType.LONG
HOUR_MS = 3_600_000
MINUTE_MS = 60_000

COMPRESSION_TYPES = ("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd")
TIMESTAMP_TYPES = ("CreateTime", "LogAppendTime")
CLEANUP_POLICIES = ("compact", "delete")


class LogDefaults(Config):
    """Part of `BrokerConfig`."""

    min_insync_replicas: int = setting(
        "min.insync.replicas",
        1,
        "Replicas that must have a write before acks=all is answered.",
        type=INT,
        minimum=1,
        dynamic=True,
    )
    compression_type: str = setting(
        "compression.type",
        "producer",
        "The codec batches are stored in; `producer` keeps them as they came.",
        choices=COMPRESSION_TYPES,
        dynamic=True,
    )
    compression_gzip_level: int = setting(
        "compression.gzip.level",
        -1,
        "The level of gzip.",
        type=INT,
        minimum=-1,
        maximum=9,
        dynamic=True,
    )
    compression_lz4_level: int = setting(
        "compression.lz4.level",
        9,
        "The level of lz4.",
        type=INT,
        minimum=1,
        maximum=17,
        dynamic=True,
    )
    compression_zstd_level: int = setting(
        "compression.zstd.level",
        3,
        "The level of zstd.",
        type=INT,
        minimum=-131072,
        maximum=22,
        dynamic=True,
    )
    message_max_bytes: int = setting(
        "message.max.bytes",
        1_048_588,
        "The largest record batch taken.",
        type=INT,
        minimum=0,
        dynamic=True,
    )
    log_message_timestamp_type: str = setting(
        "log.message.timestamp.type",
        "CreateTime",
        "Whose clock stamps a record: the producer's or, on append, ours.",
        choices=TIMESTAMP_TYPES,
        dynamic=True,
    )
    log_message_timestamp_before_max_ms: int = setting(
        "log.message.timestamp.before.max.ms",
        MAX_LONG,
        "How far in the past a producer's timestamp may lie.",
        minimum=0,
        dynamic=True,
    )
    log_message_timestamp_after_max_ms: int = setting(
        "log.message.timestamp.after.max.ms",
        HOUR_MS,
        "How far in the future a producer's timestamp may lie.",
        minimum=0,
        dynamic=True,
    )

    # Segments.
    log_segment_bytes: int = setting(
        "log.segment.bytes",
        1_073_741_824,
        "The size at which a segment is full.",
        type=INT,
        minimum=1_048_576,
        dynamic=True,
    )
    log_roll_ms: int | None = setting(
        "log.roll.ms",
        None,
        "The age at which a segment is closed though not full.",
        type=LONG,
        minimum=1,
        fallbacks=(("log.roll.hours", HOUR_MS),),
        dynamic=True,
    )
    log_roll_hours: int = setting(
        "log.roll.hours", 168, "log.roll.ms in hours.", type=INT, minimum=1
    )
    log_roll_jitter_ms: int | None = setting(
        "log.roll.jitter.ms",
        None,
        "At most how much earlier, by chance, a segment is closed.",
        type=LONG,
        minimum=0,
        fallbacks=(("log.roll.jitter.hours", HOUR_MS),),
        dynamic=True,
    )
    log_roll_jitter_hours: int = setting(
        "log.roll.jitter.hours", 0, "log.roll.jitter.ms in hours.", type=INT, minimum=0
    )
    log_index_size_max_bytes: int = setting(
        "log.index.size.max.bytes",
        10_485_760,
        "The largest index; a full one closes its segment.",
        type=INT,
        minimum=4,
        dynamic=True,
    )
    log_index_interval_bytes: int = setting(
        "log.index.interval.bytes",
        4096,
        "How many bytes of log lie between two index entries.",
        type=INT,
        minimum=0,
        dynamic=True,
    )
    log_preallocate: bool = setting(
        "log.preallocate",
        False,
        "Reserve a segment's space at its start.",
        effect=False,
        dynamic=True,
    )
    log_segment_delete_delay_ms: int = setting(
        "log.segment.delete.delay.ms",
        60_000,
        "How long a deleted file stays, renamed, before it is removed.",
        minimum=0,
        dynamic=True,
    )

    # Durability.
    log_flush_interval_messages: int = setting(
        "log.flush.interval.messages",
        MAX_LONG,
        "Sync after this many records, also with write.caching.",
        minimum=1,
        dynamic=True,
    )
    log_flush_interval_ms: int | None = setting(
        "log.flush.interval.ms",
        None,
        "Sync when unsynced records are this old, also with write.caching.",
        type=LONG,
        fallbacks=(("log.flush.scheduler.interval.ms", 1),),
        minimum=0,
        dynamic=True,
    )
    log_flush_scheduler_interval_ms: int = setting(
        "log.flush.scheduler.interval.ms",
        MAX_LONG,
        "Stands in for log.flush.interval.ms.",
        minimum=0,
    )
    log_flush_offset_checkpoint_interval_ms: int = setting(
        "log.flush.offset.checkpoint.interval.ms",
        60_000,
        "How often the recovery points are written down.",
        type=INT,
        minimum=0,
    )
    log_flush_start_offset_checkpoint_interval_ms: int = setting(
        "log.flush.start.offset.checkpoint.interval.ms",
        60_000,
        "How often the log starts are written down.",
        type=INT,
        minimum=0,
        effect=False,
    )
    replica_high_watermark_checkpoint_interval_ms: int = setting(
        "replica.high.watermark.checkpoint.interval.ms",
        5000,
        "How often the high watermarks are written down.",
        effect=False,
    )

    # Retention and compaction.
    log_cleanup_policy: tuple[str, ...] = setting(
        "log.cleanup.policy",
        ("delete",),
        "What becomes of old segments: delete, compact, both, or, when empty, nothing.",
        choices=CLEANUP_POLICIES,
        dynamic=True,
    )
    log_retention_ms: int | None = setting(
        "log.retention.ms",
        None,
        "How long records are kept; -1 for ever.",
        type=LONG,
        minimum=-1,
        fallbacks=(("log.retention.minutes", MINUTE_MS), ("log.retention.hours", HOUR_MS)),
        dynamic=True,
    )
    log_retention_minutes: int | None = setting(
        "log.retention.minutes",
        None,
        "log.retention.ms in minutes.",
        type=INT,
        minimum=-1,
        fallbacks=(("log.retention.hours", 60),),
    )
    log_retention_hours: int = setting(
        "log.retention.hours", 168, "log.retention.ms in hours.", type=INT, minimum=-1
    )
    log_retention_bytes: int = setting(
        "log.retention.bytes", -1, "How many bytes of a partition are kept; -1 all.", dynamic=True
    )
    log_retention_check_interval_ms: int = setting(
        "log.retention.check.interval.ms",
        300_000,
        "How often retention looks for old segments.",
        minimum=1,
    )
    log_initial_task_delay_ms: int = setting(
        "log.initial.task.delay.ms",
        30_000,
        "How long after the start the first maintenance runs.",
        minimum=0,
    )
    log_cleaner_enable: bool = setting(
        "log.cleaner.enable",
        True,
        "Compact the logs of topics with cleanup.policy=compact.",
    )
    log_cleaner_threads: int = setting(
        "log.cleaner.threads",
        1,
        "Compactions at a time: one, or with 0 none; more count as one.",
        type=INT,
        minimum=0,
        dynamic=True,
    )
    log_cleaner_backoff_ms: int = setting(
        "log.cleaner.backoff.ms",
        15_000,
        "How long compaction rests when there is nothing to do.",
        minimum=0,
        dynamic=True,
    )
    log_cleaner_dedupe_buffer_size: int = setting(
        "log.cleaner.dedupe.buffer.size",
        134_217_728,
        "Bytes of memory for the keys of a pass of compaction, 256 for each.",
        minimum=1,
        dynamic=True,
    )
    log_cleaner_io_max_bytes_per_second: float = setting(
        "log.cleaner.io.max.bytes.per.second",
        1.7976931348623157e308,
        "How much compaction reads and writes in a second at most.",
        minimum=1,
        dynamic=True,
    )
    log_cleaner_min_cleanable_ratio: float = setting(
        "log.cleaner.min.cleanable.ratio",
        0.5,
        "The share of uncompacted bytes from which a log is compacted.",
        minimum=0,
        maximum=1,
        dynamic=True,
    )
    log_cleaner_min_compaction_lag_ms: int = setting(
        "log.cleaner.min.compaction.lag.ms",
        0,
        "How long a record stays uncompacted at least.",
        minimum=0,
        dynamic=True,
    )
    log_cleaner_max_compaction_lag_ms: int = setting(
        "log.cleaner.max.compaction.lag.ms",
        MAX_LONG,
        "How long a record stays uncompacted at most.",
        minimum=1,
        dynamic=True,
    )
    log_cleaner_delete_retention_ms: int = setting(
        "log.cleaner.delete.retention.ms",
        86_400_000,
        "How long a compacted log keeps tombstones.",
        minimum=0,
        dynamic=True,
    )
