"""What one setting is: its name, type, default, bounds and sentence, declared once.

`setting()` is the default of a pydantic field and carries the declaration; `Config` is the base of
the three models. Loading, DescribeConfigs, validation of AlterConfigs and the documentation all
read the same `Setting`. Parsing follows Kafka's `ConfigDef` (types and their codes).

The modules of the models do not postpone the evaluation of annotations: pydantic needs the types,
and would have to compile the text of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias, assert_never, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value: TypeAlias = bool | int | float | str | tuple[str, ...] | None

MAX_INT = 2**31 - 1
MAX_LONG = 2**63 - 1


class ValueType(IntEnum):
    """Kafka's type of a value; the number is what DescribeConfigs says."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class InvalidValue(Exception):
    """A value that a setting does not take; the text says why and fits into an answer."""


INTEGER_LIMITS = {
    ValueType.SHORT: (-(2**15), 2**15 - 1),
    ValueType.INT: (-(2**31), MAX_INT),
    ValueType.LONG: (-(2**63), MAX_LONG),
}


class Setting(NamedTuple):
    """One declared setting. `attribute` is the name with dots as underscores."""

    name: str
    type: ValueType
    default: Value
    doc: str
    broker_name: str | None = None
    """Topic and group settings: the broker setting that gives the default."""
    fallbacks: tuple[tuple[str, int], ...] = ()
    """Broker settings that stand in while this one is unset, each with the factor to our unit."""
    dynamic: bool = False
    """Broker settings: may be changed while the broker runs (KIP-226)."""
    cluster_wide: bool = True
    """Broker settings that are dynamic: may be changed for all brokers at once."""
    sensitive: bool = False
    effect: bool = True
    """False: accepted, stored and shown, but nothing in this broker follows it."""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    """What each word of a list looks like; `pattern_text` says it to people."""
    pattern_text: str = ""
    only: Value = None
    """The single value that this broker can honour, where Kafka knows more."""

    @property
    def synonyms(self) -> tuple[str, ...]:
        """This name and those that stand in for it, the strongest first."""
        return (self.name, *(name for name, _ in self.fallbacks))

    @property
    def attribute(self) -> str:
        return self.name.replace(".", "_")

    @property
    def default_text(self) -> str | None:
        return self.format(self.default)

    def parse(self, text: str) -> Value:
        """The value that a text stands for. Raises `InvalidValue` with Kafka's kind of message."""
        value = self._convert(text.strip())
        self.check(value)
        return value

    def _convert(self, text: str) -> Value:
        match self.type:
            case ValueType.BOOLEAN:
                if text.lower() not in ("true", "false"):
                    raise self._invalid(text, "Expected value to be either true or false")
                return text.lower() == "true"
            case ValueType.INT | ValueType.LONG | ValueType.SHORT:
                return self._integer(text)
            case ValueType.DOUBLE:
                try:
                    return float(text.replace("_", "?"))
                except ValueError:
                    raise self._invalid(text, "Not a number of type DOUBLE") from None
            case ValueType.LIST:
                return tuple(part.strip() for part in text.split(",")) if text else ()
            case ValueType.STRING | ValueType.CLASS | ValueType.PASSWORD:
                return text
            case _:
                assert_never(self.type)

    def _integer(self, text: str) -> int:
        digits = text[1:] if text[:1] in ("-", "+") else text
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            raise self._invalid(text, f"Not a number of type {self.type.name}")
        value = int(text)
        low, high = INTEGER_LIMITS[self.type]
        if not low <= value <= high:
            raise self._invalid(text, f"Not a number of type {self.type.name}")
        return value

    def check(self, value: Value) -> None:
        """Bounds and choices. Raises `InvalidValue`."""
        if value is None:
            return
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check_bounds(value)
        if self.choices is not None:
            for word in value if isinstance(value, tuple) else (value,):
                if word not in self.choices:
                    allowed = ", ".join(self.choices)
                    raise self._invalid(word, f"String must be one of: {allowed}")
        if self.pattern is not None and isinstance(value, tuple):
            for word in value:
                if re.fullmatch(self.pattern, word) is None:
                    raise self._invalid(word, f"Each entry must be {self.pattern_text}")
        if self.only is not None and value != self.only:
            raise self._invalid(value, f"This broker supports only {self.format(self.only)} here")

    def _check_bounds(self, value: float) -> None:
        if value != value:  # not a number
            raise self._invalid(value, "Not a number")
        if isinstance(value, int) and self.type in INTEGER_LIMITS:
            low, high = INTEGER_LIMITS[self.type]
            if not low <= value <= high:
                raise self._invalid(value, f"Not a number of type {self.type.name}")
        if self.minimum is not None and value < self.minimum:
            raise self._invalid(value, f"Value must be at least {self.minimum}")
        if self.maximum is not None and value > self.maximum:
            raise self._invalid(value, f"Value must be no more than {self.maximum}")

    def _invalid(self, value: object, why: str) -> InvalidValue:
        shown = "[hidden]" if self.sensitive else value
        return InvalidValue(f"Invalid value {shown} for configuration {self.name}: {why}")

    def format(self, value: Value) -> str | None:
        """The text of a value, as DescribeConfigs gives it."""
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ",".join(value)
        return str(value)


def setting(
    name: str,
    default: Value,
    doc: str,
    *,
    type: ValueType | None = None,
    broker_name: str | None = None,
    fallbacks: tuple[tuple[str, int], ...] = (),
    dynamic: bool = False,
    cluster_wide: bool = True,
    sensitive: bool = False,
    effect: bool = True,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    pattern: str | None = None,
    pattern_text: str = "",
    only: Value = None,
) -> Any:
    """Declare a setting as a model's field. The type follows the default where it is not said."""
    declared = Setting(
        name=name,
        type=_type_of(default) if type is None else type,
        default=default,
        doc=doc,
        broker_name=broker_name,
        fallbacks=fallbacks,
        dynamic=dynamic,
        cluster_wide=cluster_wide,
        sensitive=sensitive,
        effect=effect,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        pattern=pattern,
        pattern_text=pattern_text,
        only=only,
    )
    # Pydantic wants a dictionary of JSON values here; nobody asks these models for a JSON schema.
    return Field(default, json_schema_extra=cast("dict[str, Any]", {"setting": declared}))


def _type_of(default: Value) -> ValueType:
    match default:
        case bool():
            return ValueType.BOOLEAN
        case int():
            return ValueType.LONG
        case float():
            return ValueType.DOUBLE
        case tuple():
            return ValueType.LIST
        case str():
            return ValueType.STRING
        case None:
            raise TypeError("a setting without a default value says its type")
        case _:
            assert_never(default)


class Config(BaseModel):
    """A frozen set of settings. Build a changed one with `replaced`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), defer_build=True
    )

    SETTINGS: ClassVar[dict[str, Setting]] = {}
    """Every setting of the model by Kafka's name, in order of declaration."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        settings: dict[str, Setting] = {}
        for attribute, field in cls.model_fields.items():
            declared = cast("dict[str, Any]", field.json_schema_extra)["setting"]
            assert declared.attribute == attribute, declared.name
            settings[declared.name] = declared
        cls.SETTINGS = settings

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        settings = type(self).model_fields
        for attribute in self.model_fields_set:
            declared = cast("dict[str, Any]", settings[attribute].json_schema_extra)["setting"]
            try:
                declared.check(getattr(self, attribute))
            except InvalidValue as error:
                raise ValueError(str(error)) from None
        return self

    @classmethod
    def of_parsed(cls, values: Mapping[str, Any]) -> Self:
        """The model of values, by attribute, that their settings have parsed.

        Nothing is left for pydantic to check, so it need not build what checks: 20 ms of a start,
        most of them for a search for plugins in all that is installed.
        """
        return cls.model_construct(**values)

    def value(self, name: str) -> Value:
        """A setting's value by Kafka's name."""
        return cast("Value", getattr(self, name.replace(".", "_")))

    def text(self, name: str) -> str | None:
        """A setting's value by Kafka's name, as DescribeConfigs gives it."""
        return self.SETTINGS[name].format(self.value(name))

    def effective(self, name: str) -> Value:
        """A setting's value, or, while it is unset, that of the first one that stands in."""
        value = self.value(name)
        if value is not None:
            return value
        for other, factor in self.SETTINGS[name].fallbacks:
            value = self.value(other)
            if isinstance(value, int):
                return value * factor if value >= 0 else value
        return None

    def given(self) -> Iterator[tuple[str, str]]:
        """What was set rather than left at its default, as texts by name."""
        for name, declared in self.SETTINGS.items():
            if declared.attribute in self.model_fields_set:
                text = declared.format(self.value(name))
                if text is not None:
                    yield name, text

    def replaced(self, overrides: Mapping[str, str]) -> Self:
        """The same with other values, given as texts that have been validated before.

        A text that no longer parses (written by a newer release) is left aside: a broker that
        refuses to run because of it would help nobody.
        """
        values = {name: getattr(self, name) for name in self.model_fields_set}
        for name, text in overrides.items():
            declared = self.SETTINGS.get(name)
            if declared is None:
                continue
            try:
                values[declared.attribute] = declared.parse(text)
            except InvalidValue:
                continue
        return self.of_parsed(values)
