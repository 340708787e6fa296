"""Every message class that travels on its own, found in `godel.protocol.messages`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from godel.protocol import messages
from godel.protocol.message import Array, Message, fields_of
from godel.protocol.types import Primitive

MODULES = [
    importlib.import_module(f"{messages.__name__}.{found.name}")
    for found in pkgutil.iter_modules(messages.__path__)
]
ROOTS: list[type[Message]] = [
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, Message)
    and value.__module__ == module.__name__
    and hasattr(value, "VERSIONS")
]
EACH_ROOT = pytest.mark.parametrize("cls", ROOTS, ids=lambda cls: cls.__name__)


def all_versions(cls: type[Message]) -> range:
    return range(cls.VERSIONS[0], cls.VERSIONS[1] + 1)


VERSIONS = [(cls, version) for cls in ROOTS for version in all_versions(cls)]


def structs_of(cls: type[Message]) -> Iterator[type[Message]]:
    """The class and every struct inside it."""
    yield cls
    for field in fields_of(cls):
        part = field.type.element if isinstance(field.type, Array) else field.type
        if not isinstance(part, Primitive):
            yield from structs_of(part)


def at_version(message: Message, version: int) -> Message:
    """What is left of a message after a trip through `version`."""
    values = {}
    for field in fields_of(type(message)):
        value = getattr(message, field.name)
        if not field.is_in(version):
            value = field.default
        elif value is None and not field.is_nullable(version):
            value = [] if isinstance(field.type, Array) else field.default
            value = getattr(field.type, "zero", "") if value is None else value
        elif isinstance(value, Message):
            value = at_version(value, version)
        elif isinstance(value, list):
            value = [at_version(e, version) if isinstance(e, Message) else e for e in value]
        values[field.name] = value
    return type(message)(**values)
