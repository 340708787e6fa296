"""InitProducerId (key 22): hand out a producer id for idempotent writes (KIP-98).

v2: flexible. v3: producer_id and producer_epoch of a producer that wants its epoch bumped
(KIP-360); without a transactional id a new id is handed out whatever it says, as Kafka does.
v4: PRODUCER_FENCED. v5: TRANSACTION_ABORTABLE. v6 is unstable in Kafka and not advertised.

Deviation: a transactional id is answered INVALID_REQUEST until transactions exist.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.broker.producer_ids import ProducerIds
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

NO_PRODUCER_ID = -1
NO_EPOCH = -1


def handle(
    context: RequestContext, request: InitProducerIdRequest
) -> InitProducerIdResponse | Awaitable[InitProducerIdResponse]:
    if request.transactional_id is not None or not names_both_or_none(request):
        return refused(ErrorCode.INVALID_REQUEST)
    producer_ids = context.broker.producer_ids
    if producer_ids.available:
        return InitProducerIdResponse(producer_id=producer_ids.take(), producer_epoch=0)
    return after_allocation(producer_ids)


def names_both_or_none(request: InitProducerIdRequest) -> bool:
    """Whether a producer that names its id names its epoch, too."""
    return (request.producer_id == NO_PRODUCER_ID) == (request.producer_epoch == NO_EPOCH)


async def after_allocation(producer_ids: ProducerIds) -> InitProducerIdResponse:
    try:
        producer_id = await producer_ids.allocate_and_take()
    except ApiError as refusal:
        return refused(refusal.code)
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def refused(code: ErrorCode) -> InitProducerIdResponse:
    """No id and, unlike the field's default, no epoch: Kafka answers -1 for both."""
    return InitProducerIdResponse(error_code=code, producer_epoch=NO_EPOCH)
