"""Every message class, field by field and version by version, against Kafka's own schemas.

The schemas of Kafka 4.4 lie beside the repository (`../shared/kafka-messages`) where that exists;
otherwise those that kafka-python carries serve, which may end a version earlier.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from godel.protocol import codec
from godel.protocol.message import Array, Field, FieldType, Message, fields_of, zero_of
from godel.protocol.types import RECORDS, Primitive
from tests.protocol.catalogue import EACH_ROOT, ROOTS, structs_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "kafka-messages"
PACKAGED = importlib.resources.files("kafka.protocol.schemas") / "resources"
COMMENT = re.compile(r'(?m)^\s*//.*$|(?<=[\s,}\]"])//[^"\n]*$')
SPINE_KEYS = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 22, 23, 32, 37, 42, 44, 60}
ADMINISTRATION_KEYS = {21, 33, 34, 35, 43, 45, 46, 47, 48, 49, 55, 57, 61, 74, 75}
RENAMED = {
    "TopicDataResponse": "TopicData",
    "PartitionDataResponse": "PartitionData",
    "AlteredEntryData": "EntryData",
}
"""Where Kafka gives different structs of a request and its response one name."""


class Schema(NamedTuple):
    content: dict[str, Any]
    is_current: bool
    """Whether it is of the release that the classes follow."""


@cache
def schema_of(name: str) -> Schema | None:
    for path in sorted(SHARED.rglob(f"{name}.json")):
        return Schema(json.loads(COMMENT.sub("", path.read_text())), is_current=True)
    packaged = PACKAGED / f"{name}.json"
    if packaged.is_file():
        return Schema(json.loads(COMMENT.sub("", packaged.read_text())), is_current=False)
    return None


def versions(text: str) -> range:
    """ "3+", "1-4", "2" or "none" as a range."""
    if text == "none":
        return range(0)
    first, _, last = text.removesuffix("+").partition("-")
    return range(int(first), 1 << 15 if text.endswith("+") else int(last or first) + 1)


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def type_name(kind: FieldType) -> str:
    if isinstance(kind, Array):
        return "[]" + type_name(kind.element)
    return kind.name if isinstance(kind, Primitive) else kafka_name(kind)


def kafka_name(cls: type[Message]) -> str:
    return RENAMED.get(cls.__name__, cls.__name__)


def default_of(written: dict[str, Any], field: Field) -> Any:
    if "default" not in written:
        return field.default if field.type is RECORDS else zero_of(field.type)
    default = written["default"]
    if default in ("null", None):
        return None
    if isinstance(field.type, Array):
        assert default == "", written
        return []
    assert isinstance(field.type, Primitive)
    if field.type.name == "bool":
        return default in ("true", True)
    if field.type.name == "string":
        return default
    return int(default, 0) if isinstance(default, str) else default


def structs(schema: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Fields by struct name."""
    found = {common["name"]: common["fields"] for common in schema.get("commonStructs", [])}

    def walk(name: str, fields: list[dict[str, Any]]) -> None:
        found[name] = fields
        for field in fields:
            if "fields" in field:
                walk(field["type"].removeprefix("[]"), field["fields"])

    walk(schema["name"], schema["fields"])
    return found


def differences(
    cls: type[Message], known: dict[str, list[dict[str, Any]]], version: int, *, flexible: bool
) -> Iterator[str]:
    """How the struct, as it is in one version, differs from Kafka's."""
    written = [field for field in known[kafka_name(cls)] if version in versions(field["versions"])]
    ours = [field for field in fields_of(cls) if field.is_in(version)]
    names = [snake_case(field["name"]) for field in written]
    if names != [field.name for field in ours]:
        yield f"{cls.__name__} v{version}: {names} != {[field.name for field in ours]}"
        return
    for theirs, field in zip(written, ours, strict=True):
        is_tagged = version in versions(theirs.get("taggedVersions", "none"))
        expected = (
            theirs["type"],
            version in versions(theirs.get("nullableVersions", "none")),
            theirs["tag"] if is_tagged else None,
            default_of(theirs, field),
            version in versions(theirs.get("flexibleVersions", "0+")) if flexible else True,
        )
        actual = (
            type_name(field.type),
            field.is_nullable(version),
            field.tag,
            field.default,
            not field.classic if flexible else True,
        )
        if repr(actual) != repr(expected):
            yield f"{cls.__name__}.{field.name} v{version}: {actual} != {expected}"
        part = field.type.element if isinstance(field.type, Array) else field.type
        if not isinstance(part, Primitive):
            yield from differences(part, known, version, flexible=flexible)


@EACH_ROOT
def test_class_says_what_kafkas_schema_says(cls: type[Message]) -> None:
    schema = schema_of(cls.__name__)
    if schema is None:
        pytest.skip("no schema here: kafka-python has none for on-disk records")
    content = schema.content
    valid = versions(content["validVersions"])
    if schema.is_current:
        assert cls.VERSIONS == (valid.start, valid.stop - 1)
    else:
        assert cls.VERSIONS[0] == valid.start
        assert cls.VERSIONS[1] >= valid.stop - 1
    if content["type"] in ("request", "response"):
        assert cls.API_KEY == content["apiKey"]
    known = structs(content)
    for version in range(valid.start, min(valid.stop - 1, cls.VERSIONS[1]) + 1):
        flexible = version in versions(content["flexibleVersions"])
        assert codec.is_flexible(cls, version) == flexible
        assert list(differences(cls, known, version, flexible=flexible)) == []


@EACH_ROOT
def test_fields_are_ignorable_where_kafka_says_so(cls: type[Message]) -> None:
    """Only asked of fields that some version lacks: of the others it says nothing."""
    schema = schema_of(cls.__name__)
    if schema is None:
        pytest.skip("no schema here: kafka-python has none for on-disk records")
    known = structs(schema.content)
    for struct in structs_of(cls):
        written = {snake_case(field["name"]): field for field in known[kafka_name(struct)]}
        for field in fields_of(struct):
            is_partial = field.since or field.until < cls.VERSIONS[1] or field.tag is not None
            if is_partial and field.name in written:
                expected = written[field.name].get("ignorable") in (True, "true")
                assert field.ignorable == expected, f"{struct.__name__}.{field.name}"


def test_all_keys_have_both_messages() -> None:
    for suffix in ("Request", "Response"):
        keys = [cls.API_KEY for cls in ROOTS if cls.__name__.endswith(suffix)]
        assert sorted(keys) == sorted(SPINE_KEYS | ADMINISTRATION_KEYS)


def test_struct_names_are_not_shared_between_different_structs_of_a_module() -> None:
    for cls in ROOTS:
        names: dict[str, type[Message]] = {}
        for struct in structs_of(cls):
            assert names.setdefault(struct.__name__, struct) is struct
