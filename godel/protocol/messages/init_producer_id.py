"""InitProducerId (key 22): a producer id and epoch for an idempotent or transactional producer.

v3 lets a producer bump its own epoch (KIP-360); v6 prepares two-phase commit (KIP-939) and is not
stable in Kafka.
"""

from __future__ import annotations

from godel.protocol.message import Message, since
from godel.protocol.types import int16, int32, int64, string


class InitProducerIdRequest(Message, api_key=22, versions=(0, 6), flexible_since=2):
    """Ask for an id, or for a new epoch of the one in hand."""

    transactional_id: string | None = ""  # null: idempotent only
    transaction_timeout_ms: int32 = 0
    producer_id: int64 = since(3, default=-1)  # -1: a new one
    producer_epoch: int16 = since(3, default=-1)
    enable2_pc: bool = since(6)  # KIP-939
    keep_prepared_txn: bool = since(6)  # KIP-939


class InitProducerIdResponse(Message, api_key=22, versions=(0, 6), flexible_since=2):
    """The id and epoch to write with."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    producer_id: int64 = -1
    producer_epoch: int16 = 0
    ongoing_txn_producer_id: int64 = since(6, default=-1)
    ongoing_txn_producer_epoch: int16 = since(6, default=-1)
