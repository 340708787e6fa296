"""Changes of client quotas, and which of them a filter describes (KIP-546).

Source of the rules: Kafka's `ClientQuotaControlManager`, compared with a running 4.3 broker. Only
what `security/quotas.py` enforces can be set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from godel.errors import ApiError, ErrorCode
from godel.metadata import records
from godel.metadata.alterations import alter_map
from godel.metadata.image import MetadataImage
from godel.metadata.publisher import Metadata
from godel.security.quotas import (
    CLIENT_ID,
    CONSUMER_BYTE_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    USER,
    Entity,
)

IP = "ip"
INTEGERS = (PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE)
KEYS = (*INTEGERS, REQUEST_PERCENTAGE)
NOT_ENFORCED = ("controller_mutation_rate", "connection_creation_rate")

MAX_LONG = 2.0**63
MAX_ENTITIES = 10_000
EXACT, DEFAULT, SPECIFIED = 0, 1, 2
ROUNDING = 1e-6


class QuotaChange(NamedTuple):
    """One quota of an entity; None: remove it."""

    key: str
    value: float | None


class Component(NamedTuple):
    """What a filter asks of one type of entity."""

    entity_type: str
    match_type: int
    match: str | None


def checked_entity(parts: Iterable[tuple[str, str | None]]) -> Entity:
    """Raises `ApiError` INVALID_REQUEST."""
    by_type = dict(parts)
    if not by_type:
        raise _invalid("Invalid empty client quota entity")
    for kind, name in by_type.items():
        if kind not in (USER, CLIENT_ID, IP):
            raise _invalid(f"Unhandled client quota entity type: {kind}")
        if name == "":
            raise _invalid(f"Empty {kind} not supported")
    if IP in by_type:
        if len(by_type) > 1:
            raise _invalid("An ip cannot be combined with a user or client-id.")
        raise _invalid("Quotas of ip addresses are not enforced by this broker yet.")
    return tuple(sorted(by_type.items()))


async def alter_quotas(
    metadata: Metadata, entity: Entity, changes: Sequence[QuotaChange], *, validate_only: bool
) -> None:
    """Set and remove quotas of one entity. Raises `ApiError`."""
    if len({change.key for change in changes}) != len(changes):
        raise _invalid("A quota is named twice.")
    for change in changes:
        if change.value is not None:
            check_quota(change.key, change.value)

    def plan() -> tuple[Mapping[str, str], dict[str, str]]:
        image = metadata.image
        old = records.quota_texts(image.client_quotas.get(entity, {}))
        new = dict(old)
        for key, value in changes:
            if value is None:
                new.pop(key, None)
            else:
                new[key] = repr(value)
        if new and not old and len(image.client_quotas) >= MAX_ENTITIES:
            raise ApiError(
                ErrorCode.POLICY_VIOLATION, f"quotas are set for {MAX_ENTITIES} entities already"
            )
        return old, new

    await alter_map(metadata, records.client_quota_key(entity), plan, validate_only)


def check_quota(key: str, value: float) -> None:
    """Raises `ApiError` INVALID_REQUEST for one that is not enforced or makes no sense."""
    if key in NOT_ENFORCED:
        raise _invalid(f"{key} is not enforced by this broker yet")
    if key not in KEYS:
        raise _invalid(f"Invalid configuration key {key}")
    if not value > 0:  # nor not a number
        raise _invalid(f"Quota {key} must be greater than 0")
    if key in INTEGERS:
        if value >= MAX_LONG:
            raise _invalid(f"Proposed value for {key} is too large for a LONG.")
        if abs(value - round(value)) > ROUNDING:
            raise _invalid(f"{key} cannot be a fractional value.")


def matching(
    image: MetadataImage, components: Sequence[Component], *, strict: bool
) -> Iterator[tuple[Entity, Mapping[str, float]]]:
    """The entities that have what every component asks for; strict: and nothing besides.

    Raises `ApiError` before anything is given.
    """
    wanted = _checked_filter(components)
    return (
        (entity, quotas)
        for entity, quotas in image.client_quotas.items()
        if _matches(dict(entity), wanted, strict=strict)
    )


def _checked_filter(components: Sequence[Component]) -> dict[str, Component]:
    wanted: dict[str, Component] = {}
    for component in components:
        kind, match_type, match = component
        if not kind:
            raise _invalid("Invalid empty entity type.")
        if kind not in (USER, CLIENT_ID, IP):
            raise ApiError(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
        if kind in wanted:
            raise _invalid(f"Entity type {kind} cannot appear more than once in the filter.")
        if match_type not in (EXACT, DEFAULT, SPECIFIED):
            raise _invalid(f"Unknown match type {match_type}")
        if (match is None) is (match_type == EXACT):
            raise _invalid("A name belongs to match type 0, and only there.")
        wanted[kind] = component
    if IP in wanted and len(wanted) > 1:
        raise _invalid("An ip cannot be combined with a user or client-id.")
    return wanted


def _matches(
    parts: Mapping[str, str | None], wanted: Mapping[str, Component], *, strict: bool
) -> bool:
    if strict and len(parts) != len(wanted):
        return False
    return all(
        kind in parts and (match_type == SPECIFIED or parts[kind] == match)
        for kind, match_type, match in wanted.values()
    )


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)
