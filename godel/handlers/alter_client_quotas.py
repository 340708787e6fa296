"""AlterClientQuotas (key 49): set and remove quotas of users and client ids (KIP-546).

Each entity has its own outcome. v1: flexible. How quotas are enforced: `server/throttle.py`.
Deviation: controller_mutation_rate, connection_creation_rate and quotas of ip addresses are refused
with INVALID_REQUEST, for nothing here would enforce them; so is a value that is not a number.
"""

from __future__ import annotations

from collections import Counter

from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.metadata.client_quotas import QuotaChange, alter_quotas, checked_entity
from godel.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlteredEntryData,
    EntityData,
    EntryData,
)


async def handle(
    context: RequestContext, request: AlterClientQuotasRequest
) -> AlterClientQuotasResponse:
    times = Counter(named(entry) for entry in request.entries)
    by_entity = {named(entry): entry for entry in request.entries}
    return AlterClientQuotasResponse(
        entries=[
            await altered(context, entry, times[parts], validate_only=request.validate_only)
            for parts, entry in by_entity.items()
        ]
    )


def named(entry: EntryData) -> frozenset[tuple[str, str | None]]:
    """An entity as the request names it; the order of its parts says nothing."""
    return frozenset((part.entity_type, part.entity_name) for part in entry.entity)


async def altered(
    context: RequestContext, entry: EntryData, times: int, *, validate_only: bool
) -> AlteredEntryData:
    parts = {part.entity_type: part.entity_name for part in entry.entity}
    answer = AlteredEntryData(
        error_message=None, entity=[EntityData(kind, name) for kind, name in parts.items()]
    )
    changes = [QuotaChange(op.key, None if op.remove else op.value) for op in entry.ops]
    try:
        if times > 1:
            raise ApiError(ErrorCode.INVALID_REQUEST, "The entity is named twice.")
        await alter_quotas(
            context.broker.metadata,
            checked_entity(parts.items()),
            changes,
            validate_only=validate_only,
        )
    except ApiError as refusal:
        answer.error_code, answer.error_message = refusal.code, refusal.message
    return answer
