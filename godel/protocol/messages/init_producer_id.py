"""InitProducerId messages."""

from __future__ import annotations

from godel.protocol.message import Message, since
from godel.protocol.types import int16, int32, int64, string


class InitProducerIdRequest(Message, api_key=22, versions=(0, 6), flexible_since=2):
    """TODO."""

    transactional_id: string | None = ""
    transaction_timeout_ms: int32 = 0
    producer_id: int64 = since(3, default=-1)
    producer_epoch: int16 = since(3, default=-1)
    enable2_pc: bool = since(6)
    keep_prepared_txn: bool = since(6)


class InitProducerIdResponse(Message, api_key=22, versions=(0, 6), flexible_since=2):
    """TODO."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    producer_id: int64 = -1
    producer_epoch: int16 = 0
    ongoing_txn_producer_id: int64 = since(6, default=-1)
    ongoing_txn_producer_epoch: int16 = since(6, default=-1)
