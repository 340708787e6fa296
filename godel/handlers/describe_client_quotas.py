"""DescribeClientQuotas (key 48): which quotas users and client ids have (KIP-546).

Match types: 0 this name, 1 the default, 2 either. No component: every entity; strict: only those
with just the types that are named. v1: flexible.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ApiError
from godel.metadata.client_quotas import Component, matching
from godel.protocol.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)


def handle(
    context: RequestContext, request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    components = [
        Component(each.entity_type, each.match_type, each.match) for each in request.components
    ]
    try:
        found = matching(context.broker.metadata.image, components, strict=request.strict)
    except ApiError as refusal:
        return DescribeClientQuotasResponse(
            error_code=refusal.code, error_message=refusal.message, entries=None
        )
    return DescribeClientQuotasResponse(
        entries=[
            EntryData(
                entity=[EntityData(kind, name) for kind, name in entity],
                values=[ValueData(key, value) for key, value in quotas.items()],
            )
            for entity, quotas in found
        ]
    )
