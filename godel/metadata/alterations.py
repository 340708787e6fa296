"""Changes of settings at run time: of a topic, of brokers, of a group (KIP-226, KIP-339).

Set, delete, append and subtract on what has been overridden so far or, where all of it is replaced,
on nothing; then the whole is validated and written in one guarded transaction. Deviation: a broker
setting that we do not know is refused (Kafka stores it for plugins that this broker cannot have).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, assert_never

from godel.config import (
    BrokerConfig,
    GroupConfig,
    InvalidValue,
    Setting,
    TopicConfig,
    ValueType,
    check_group_overrides,
    check_topic_overrides,
)
from godel.errors import ApiError, ErrorCode
from godel.metadata import records
from godel.metadata.identifiers import check_name
from godel.metadata.image import CLUSTER_DEFAULT
from godel.metadata.publisher import Metadata
from godel.metadata.store import Compare, Delete, Put, StoreUnavailable
from godel.metadata.topics import ATTEMPTS, checked_size, existing, topic_record, unavailable


class Operation(IntEnum):
    """What to do with a key; Kafka's `AlterConfigOp.OpType`."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Alteration(NamedTuple):
    """One key of an alteration, as it came: the operation is not checked yet."""

    name: str
    operation: int
    value: str | None


async def alter_topic(
    metadata: Metadata,
    name: str,
    alterations: Sequence[Alteration],
    *,
    validate_only: bool,
    replace: bool = False,
) -> None:
    """Change a topic's own settings. Raises `ApiError`."""
    if not name:
        raise ApiError(ErrorCode.INVALID_REQUEST, "There are no settings for all topics at once.")
    check_name(name)
    key = records.topic_key(name)
    for _ in range(ATTEMPTS):
        image = metadata.image
        topic = existing(image, name)
        before = {} if replace else topic.overrides
        overrides = altered(before, alterations, TopicConfig.SETTINGS, topic.config.text)
        try:
            check_topic_overrides(image.broker_config, overrides)
        except InvalidValue as error:
            raise ApiError(ErrorCode.INVALID_CONFIG, str(error)) from None
        record = topic_record(topic)._replace(configs=overrides)
        put = Put(key, checked_size(records.encode_topic(record)))
        if validate_only or overrides == topic.overrides:
            return
        if await _commit(metadata, Compare(key, topic.mod_revision), put):
            return
    raise ApiError(ErrorCode.REQUEST_TIMED_OUT, "others keep changing the same topic")


async def alter_broker(
    metadata: Metadata,
    broker_id: int | None,
    alterations: Sequence[Alteration],
    *,
    validate_only: bool,
    replace: bool = False,
) -> None:
    """Change a broker's settings, or, for None, the default of all. Raises `ApiError`."""
    foreign = [
        each.name
        for each in alterations
        if each.operation != Operation.DELETE and not _is_dynamic(each.name)
    ]
    if foreign:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "These settings cannot be changed while the broker runs, or are not known:"
            f" {', '.join(foreign)}",
        )
    alone = [
        each.name
        for each in alterations
        if each.operation != Operation.DELETE and not BrokerConfig.SETTINGS[each.name].cluster_wide
    ]
    if broker_id is None and alone:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "Cannot update these configs at default cluster level, broker id must be specified:"
            f" {', '.join(alone)}",
        )
    whose = CLUSTER_DEFAULT if broker_id is None else broker_id

    def plan() -> tuple[Mapping[str, str], dict[str, str]]:
        old = metadata.image.broker_overrides.get(whose, {})
        before = {} if replace else old
        now = metadata.image.broker_config
        new = altered(before, alterations, BrokerConfig.SETTINGS, now.text)
        for name in (each.name for each in alterations if each.name in new):
            _check(BrokerConfig.SETTINGS[name], new[name])
        return old, new

    await alter_map(metadata, records.broker_config_key(broker_id), plan, validate_only)


async def alter_group(
    metadata: Metadata,
    group: str,
    alterations: Sequence[Alteration],
    *,
    validate_only: bool,
    replace: bool = False,
) -> None:
    """Change a group's settings. Raises `ApiError`."""
    if not group:
        raise ApiError(ErrorCode.INVALID_REQUEST, "There are no settings for all groups at once.")

    def plan() -> tuple[Mapping[str, str], dict[str, str]]:
        old = metadata.image.group_overrides.get(group, {})
        before = {} if replace else old
        new = altered(before, alterations, GroupConfig.SETTINGS, GroupConfig.of_parsed({}).text)
        try:
            check_group_overrides(new)
        except InvalidValue as error:
            raise ApiError(ErrorCode.INVALID_CONFIG, str(error)) from None
        return old, new

    await alter_map(metadata, records.group_config_key(group), plan, validate_only)


def altered(
    overrides: Mapping[str, str],
    alterations: Sequence[Alteration],
    settings: Mapping[str, Setting],
    current: Callable[[str], str | None],
) -> dict[str, str]:
    """The overrides afterwards, not validated yet. `current` gives the value in force.

    Raises `ApiError`: INVALID_REQUEST for a malformed request, INVALID_CONFIG for appending to or
    subtracting from what is no list.
    """
    names = [each.name for each in alterations]
    if len(set(names)) != len(names):
        raise ApiError(ErrorCode.INVALID_REQUEST, "A setting is named twice.")
    result = dict(overrides)
    for name, code, value in alterations:
        try:
            operation = Operation(code)
        except ValueError:
            raise ApiError(
                ErrorCode.INVALID_REQUEST, f"Unknown operation {code} for {name}"
            ) from None
        if operation is Operation.DELETE:
            result.pop(name, None)
            continue
        if value is None:
            raise ApiError(ErrorCode.INVALID_REQUEST, f"No value is given for {name}")
        declared = settings.get(name)
        match operation:
            case Operation.SET:
                result[name] = value.strip()
            case Operation.APPEND | Operation.SUBTRACT:
                if declared is None or declared.type is not ValueType.LIST:
                    raise ApiError(
                        ErrorCode.INVALID_CONFIG,
                        f"{name} is not a list: it can be set or deleted,"
                        " not appended to or subtracted from",
                    )
                before = result[name] if name in result else current(name)
                result[name] = _list_after(before or "", value, operation)
            case _:
                assert_never(operation)
    return result


def _list_after(before: str, value: str, operation: Operation) -> str:
    words = [word.strip() for word in before.split(",") if word.strip()]
    given = [word.strip() for word in value.split(",") if word.strip()]
    if operation is Operation.APPEND:
        words += [word for word in dict.fromkeys(given) if word not in words]
    else:
        words = [word for word in words if word not in given]
    return ",".join(words)


def _is_dynamic(name: str) -> bool:
    declared = BrokerConfig.SETTINGS.get(name)
    return declared is not None and declared.dynamic


def _check(declared: Setting, text: str) -> None:
    try:
        declared.parse(text)
    except InvalidValue as error:
        raise ApiError(ErrorCode.INVALID_REQUEST, str(error)) from None


async def alter_map(
    metadata: Metadata,
    key: bytes,
    plan: Callable[[], tuple[Mapping[str, str], dict[str, str]]],
    validate_only: bool,
) -> None:
    """Settings that are a record of their own; an empty one is deleted."""
    for _ in range(ATTEMPTS):
        try:
            entry = await metadata.store.get(key)
        except StoreUnavailable as error:
            raise unavailable(error) from error
        if entry is not None:
            await metadata.reached(entry.mod_revision)
        old, new = plan()
        value = checked_size(records.encode_configs(new))
        if validate_only or new == old:
            return
        guard = Compare(key, entry.mod_revision if entry is not None else 0)
        if await _commit(metadata, guard, Put(key, value) if new else Delete(key)):
            return
    raise ApiError(ErrorCode.REQUEST_TIMED_OUT, "others keep changing the same settings")


async def _commit(metadata: Metadata, guard: Compare, op: Put | Delete) -> bool:
    """One guarded change; when this returns the image knows what became of the key."""
    try:
        result = await metadata.store.txn((guard,), (op,))
        await metadata.reached(result.revision)
    except StoreUnavailable as error:
        raise unavailable(error) from error
    return result.succeeded
