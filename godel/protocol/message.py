"""The class is the schema: `Message`, its field declarations, and what the codec reads from them.

A message is a class with annotated fields in wire order. It knows no version; each field says
which versions carry it:

    class FetchTopic(Message):
        topic: string = until(12, ignorable=True)
        topic_id: uuid = since(13, ignorable=True)
        partitions: list[FetchPartition] = field()

Every field has a default, so fields stay in wire order. A field that a version lacks reads as its
default; writing another value into such a version is an error unless the field is `ignorable`.
Annotations are resolved, and `__init__` is compiled, on first use: declaring stays cheap.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from godel.protocol.types import BOOL, Primitive

ALWAYS: Final = 1 << 15
"""Above every version: the `until` of a field that was not removed."""
NEVER: Final = 1 << 15
"""Above every version: the first flexible one of a message that never became flexible."""


class _Unset:
    """Marks "no default given", where None would be a value."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()


@dataclass(slots=True)
class Declaration:
    """What stands right of the `=` of a field."""

    default: Any = UNSET
    since: int = 0
    until: int = ALWAYS
    nullable_since: int = 0
    tag: int | None = None
    ignorable: bool = False
    classic: bool = False


def field(default: Any = UNSET, *, nullable_since: int = 0, classic: bool = False) -> Any:
    """A field of every version. `classic`: keeps its old length prefix in flexible versions."""
    return Declaration(default=default, nullable_since=nullable_since, classic=classic)


def since(
    first: int,
    *,
    until: int = ALWAYS,
    default: Any = UNSET,
    nullable_since: int = 0,
    ignorable: bool = False,
) -> Any:
    """A field of version `first` and later (up to and including `until`)."""
    return Declaration(default, first, until, nullable_since, ignorable=ignorable)


def until(
    last: int, *, default: Any = UNSET, nullable_since: int = 0, ignorable: bool = False
) -> Any:
    """A field that went away after version `last`."""
    return Declaration(default, 0, last, nullable_since, ignorable=ignorable)


def tagged(tag: int, *, since: int, default: Any = UNSET, ignorable: bool = False) -> Any:
    """An optional field in the struct's tag section (KIP-482): not written while its default."""
    return Declaration(default, since, tag=tag, ignorable=ignorable)


@typing.dataclass_transform()
class MessageType(type):
    """Turns annotated declarations into slots; keeps the declarations for `fields_of`."""

    def __new__(
        meta,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        api_key: int | None = None,
        versions: tuple[int, int] | None = None,
        flexible_since: int = NEVER,
    ) -> MessageType:
        if namespace.get("_shared") is None and any(base.__bases__ != (object,) for base in bases):
            raise TypeError(f"{name}: a message class inherits from Message only")
        declared = {
            name: namespace.pop(name)
            for name, annotation in namespace.get("__annotations__", {}).items()
            if not annotation.startswith("ClassVar")
        }
        namespace["__slots__"] = tuple(declared)
        namespace["__declared__"] = declared
        if versions is not None:
            namespace["VERSIONS"] = versions
            namespace["FLEXIBLE_SINCE"] = flexible_since
        if api_key is not None:
            namespace["API_KEY"] = api_key
        return super().__new__(meta, name, bases, namespace)


class Message(metaclass=MessageType):
    """A request, response, header, on-disk record, or a struct inside one. Mutable, comparable.

    A struct field that is not given holds its class's one shared default, which refuses changes:
    assign a new struct instead of filling it in.
    """

    API_KEY: ClassVar[int]
    VERSIONS: ClassVar[tuple[int, int]]
    """First and last version; only on classes that travel on their own."""
    FLEXIBLE_SINCE: ClassVar[int]
    """First version with compact types and tag sections (KIP-482); `NEVER` where there is none."""

    __declared__: ClassVar[dict[str, Any]]

    def __init__(self, *args: Any, **values: Any) -> None:
        cls = type(self)
        cls.__init__ = _constructor(cls)  # type: ignore[method-assign]  # compiled on first use
        cls.__init__(self, *args, **values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message) or declaring(type(other)) is not declaring(type(self)):
            return NotImplemented
        values = _values(declaring(type(self)))
        return bool(values(self) == values(other))

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        """Only what differs from the default: responses are long."""
        cls = declaring(type(self))
        shown = [
            f"{field.name}={value!r}"
            for field in fields_of(cls)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{cls.__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Array:
    """The type of a `list[...]` field. Kafka has no arrays of arrays."""

    element: Primitive | type[Message]


FieldType: TypeAlias = Primitive | Array | type[Message]


class Field(NamedTuple):
    """A declaration together with its resolved type."""

    name: str
    type: FieldType
    default: Any
    since: int
    until: int
    nullable_since: int | None
    """First version in which None is allowed; None where it never is."""
    tag: int | None
    ignorable: bool
    classic: bool

    def is_in(self, version: int) -> bool:
        return self.since <= version <= self.until

    def is_nullable(self, version: int) -> bool:
        return self.nullable_since is not None and version >= self.nullable_since


def declaring(cls: type[Message]) -> type[Message]:
    """The class that declares the fields: its read-only default is of a subclass."""
    base = cls.__base__
    return base if "_shared" in cls.__dict__ and base is not None else cls


@functools.cache
def fields_of(cls: type[Message]) -> tuple[Field, ...]:
    """The fields of `cls` in wire order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_resolve(name, hints[name], value) for name, value in cls.__declared__.items())


def _resolve(name: str, hint: Any, value: Any) -> Field:
    declared = value if isinstance(value, Declaration) else Declaration(value)
    nullable = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if nullable:
        (hint,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
    kind: FieldType
    if typing.get_origin(hint) is list:
        kind = Array(_part(typing.get_args(hint)[0]))
    else:
        kind = _part(hint)
    default = declared.default
    if isinstance(default, _Unset):
        default = zero_of(kind)
    return Field(
        name,
        kind,
        default,
        declared.since,
        declared.until,
        declared.nullable_since if nullable else None,
        declared.tag,
        declared.ignorable,
        declared.classic,
    )


def _part(hint: Any) -> Primitive | type[Message]:
    if hint is bool:
        return BOOL
    if isinstance(hint, type) and issubclass(hint, Message):
        return hint
    primitive = hint.__metadata__[0]
    assert isinstance(primitive, Primitive)
    return primitive


def zero_of(kind: FieldType) -> Any:
    """What a field of this type holds when nothing else was declared."""
    if isinstance(kind, Primitive):
        return kind.zero
    if isinstance(kind, Array):
        return []
    return shared_default(kind)


@functools.cache
def shared_default(cls: type[Message]) -> Message:
    """The one default of a struct, made read-only so that it can stand in many messages."""
    for field in fields_of(cls):
        assert not isinstance(field.type, Array), f"{cls.__name__} as a default needs its own list"

    def refuse(_self: Message, _name: str, _value: object) -> None:
        raise AttributeError(f"{cls.__name__} is a shared default: assign a new one to change it")

    def make(_cls: type[Message], *args: Any, **values: Any) -> Message:
        return cls(*args, **values)

    namespace = {
        "_shared": True,
        "__new__": make,
        "__setattr__": refuse,
        "__reduce__": lambda _: (cls, ()),
    }
    read_only = typing.cast(type[Message], MessageType(cls.__name__, (cls,), namespace))
    shared = object.__new__(read_only)
    for field in fields_of(cls):
        object.__setattr__(shared, field.name, field.default)
    return shared


@functools.cache
def _values(cls: type[Message]) -> Callable[[Message], object]:
    names = [field.name for field in fields_of(cls)]
    return operator.attrgetter(*names) if names else lambda _: ()


def _constructor(cls: type[Message]) -> Callable[..., None]:
    """`__init__` with the fields in wire order; a list that is not given is a new one each time."""
    namespace: dict[str, Any] = {"UNSET": UNSET}
    parameters, lines = ["self"], []
    for field in fields_of(cls):
        namespace[f"{field.name}_default"] = field.default
        if isinstance(field.default, list):
            parameters.append(f"{field.name}=UNSET")
            lines.append(f"self.{field.name} = [] if {field.name} is UNSET else {field.name}")
        else:
            parameters.append(f"{field.name}={field.name}_default")
            lines.append(f"self.{field.name} = {field.name}")
    source = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"])
    exec(source, namespace)
    constructor: Callable[..., None] = namespace["__init__"]
    constructor.__qualname__ = f"{cls.__name__}.__init__"
    return constructor
