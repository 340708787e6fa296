"""When the active segment of a log ends and another begins.

    segment.bytes          with the batch it would be larger than that
    segment.ms             the batch is later than that after its first one, less the jitter
    segment.index.bytes    one of its indexes may take no further entry
    2**31 offsets          its indexes could not name the batch

Source: Kafka's `LogSegment.shouldRoll`.
"""

from __future__ import annotations

from godel.clock import Clock, Randomness
from godel.storage.log_config import LogConfig
from godel.storage.offset_index import MAX_RELATIVE_OFFSET
from godel.storage.segment import Segment


class Rolling:
    """Of one `Log`, which owns this, asks before each batch and does the rolling.

    Owns the jitter of the active segment (`segment.jitter.ms`): logs that were made together are
    not to be rolled, and synced, together.
    """

    __slots__ = ("_age_limit_ms", "_clock", "_config", "_randomness")

    def __init__(self, config: LogConfig, *, clock: Clock, randomness: Randomness | None) -> None:
        self._config = config
        self._clock = clock
        self._randomness = randomness
        self._age_limit_ms = self._draw_age_limit_ms()

    def configure(self, config: LogConfig) -> None:
        """Take new settings over, from the next batch on."""
        self._config = config
        self._age_limit_ms = self._draw_age_limit_ms()

    def rolled(self) -> None:
        """Another segment is the active one."""
        self._age_limit_ms = self._draw_age_limit_ms()

    def _draw_age_limit_ms(self) -> int:
        config = self._config
        longest_jitter_ms = min(config.segment_jitter_ms, config.segment_ms)
        if longest_jitter_ms > 0 and self._randomness is not None:
            return config.segment_ms - self._randomness.below(longest_jitter_ms)
        return config.segment_ms

    def is_due(
        self, segment: Segment, size_bytes: int, last_offset: int, timestamp_ms: int
    ) -> bool:
        """Whether a batch is for the next segment. This one has batches: it always takes one.

        The age is counted from batch to batch where they have timestamps. Raises OSError,
        `CorruptBatch`.
        """
        config = self._config
        if (
            segment.file.size + size_bytes > config.segment_bytes
            or last_offset - segment.base_offset > MAX_RELATIVE_OFFSET
        ):
            return True
        first_timestamp = segment.first_timestamp
        if first_timestamp is None:
            first_timestamp = segment.load_first_timestamp()
        if first_timestamp >= 0 and timestamp_ms >= 0:
            is_old = timestamp_ms - first_timestamp > self._age_limit_ms
        else:
            is_old = self._clock.now_ms() - segment.created_ms > self._age_limit_ms
        return is_old or segment.indexes.is_full(config.segment_index_bytes)
