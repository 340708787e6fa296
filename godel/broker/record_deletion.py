"""Which records a client may delete: DeleteRecords on one partition (KIP-107).

Not of internal topics, nor of topics that are only compacted, and nothing that consumers do not see
yet. Kafka's `Partition.deleteRecordsOnLeader`.
"""

from __future__ import annotations

from godel.broker.partition import Partition
from godel.errors import ApiError, ErrorCode
from godel.metadata.identifiers import is_internal

HIGH_WATERMARK = -1
"""As an offset: everything that consumers see."""


def delete_records(partition: Partition, before_offset: int) -> int:
    """Delete what lies before an offset; return where the partition begins now.

    Raises `ApiError`. An offset that is deleted already is a success.
    """
    if is_internal(partition.id.topic):
        raise ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION)
    policy = partition.config.cleanup_policy
    if "compact" in policy and "delete" not in policy:
        raise ApiError(ErrorCode.POLICY_VIOLATION)
    high_watermark = partition.high_watermark
    if before_offset == HIGH_WATERMARK:
        before_offset = high_watermark
    if not 0 <= before_offset <= high_watermark:
        raise ApiError(ErrorCode.OFFSET_OUT_OF_RANGE)
    if before_offset > partition.log_start_offset:
        partition.truncate_prefix(before_offset)
    return partition.log_start_offset
