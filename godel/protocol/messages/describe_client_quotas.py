"""DescribeClientQuotas (key 48): which quotas entities have (KIP-546)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import float64, int8, int16, int32, string


class DescribeClientQuotasRequest(Message, api_key=48, versions=(0, 1), flexible_since=1):
    """Which entities to describe: those that match every component."""

    components: list[ComponentData] = field()
    strict: bool = False


class ComponentData(Message):
    """What is asked of one type."""

    entity_type: string = ""
    match_type: int8 = 0  # 0 this name, 1 the default, 2 any
    match: string | None = ""


class DescribeClientQuotasResponse(Message, api_key=48, versions=(0, 1), flexible_since=1):
    """The entities with their quotas; none at all with an error."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
    entries: list[EntryData] | None = field()


class EntryData(Message):
    """One entity."""

    entity: list[EntityData] = field()
    values: list[ValueData] = field()


class EntityData(Message):
    """A part of an entity; without a name the default of its type."""

    entity_type: string = ""
    entity_name: string | None = ""


class ValueData(Message):
    """One quota."""

    key: string = ""
    value: float64 = 0.0
