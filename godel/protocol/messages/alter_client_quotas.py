"""AlterClientQuotas (key 49): set and remove quotas of entities (KIP-546)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import float64, int16, int32, string


class AlterClientQuotasRequest(Message, api_key=49, versions=(0, 1), flexible_since=1):
    """What to change."""

    entries: list[EntryData] = field()
    validate_only: bool = False


class EntryData(Message):
    """The changes of one entity."""

    entity: list[EntityData] = field()
    ops: list[OpData] = field()


class EntityData(Message):
    """A part of an entity; without a name the default of its type."""

    entity_type: string = ""
    entity_name: string | None = ""


class OpData(Message):
    """One quota."""

    key: string = ""
    value: float64 = 0.0
    remove: bool = False


class AlterClientQuotasResponse(Message, api_key=49, versions=(0, 1), flexible_since=1):
    """What became of it."""

    throttle_time_ms: int32 = 0
    entries: list[AlteredEntryData] = field()


class AlteredEntryData(Message):
    """The outcome for one entity."""

    error_code: int16 = 0
    error_message: string | None = ""
    entity: list[EntityData] = field()
