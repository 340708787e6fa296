"""The encode half of the codec compiler: (message class, version) -> source of a flat function.

Everything nested is inlined into one function that appends to `out`. In its source `o1` is a
struct, `a1` an array, `b` the bytes of a string and `n` a length as it goes on the wire. A run of
fixed-width fields, with the one-byte length that follows it, is one `struct` call. Records end the
buffer in hand: it goes to `parts`, the records follow as they are, and a new buffer begins.

Range checks are left to `struct`; only when it (or anything else) refuses does `blame` walk the
message to name the field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from godel.errors import EncodeError
from godel.protocol import message, wire
from godel.protocol.message import Array, Field, FieldType, Message
from godel.protocol.types import RECORDS, STRING, UUID, Primitive


class EncodeCompiler:
    """Writes the function for one class and version. Use once."""

    def __init__(self, root: type[Message], version: int, *, flexible: bool) -> None:
        self.root = root
        self.version = version
        self.flexible = flexible
        self.lines: list[str] = []
        self.depth = 2
        self.serial = 0
        self.run: list[tuple[str, str]] = []
        """Pending fixed-width writes: `struct` code and the expression of the value."""
        self.names: dict[str, Any] = {
            "UNENCODABLE": wire.UNENCODABLE,
            "pack": struct.pack,
            "varint": wire.varint,
            "string_varint": wire.string_varint,
            "write_tags": wire.write_tags,
            "measured": wire.measured,
            "unsupported": wire.unsupported,
            "blame": blame,
            "root": root,
        }

    def compile(self) -> str:
        """Source of `encode(message, out)`: what to write, of which `out` is the first."""
        self.struct(self.root, "o0")
        self.flush()
        splits = any("parts." in line for line in self.lines)
        head = ["def encode(o0, out):"]
        tail = ["        return [out]"]
        if splits:
            head.append("    parts = []")
            tail = ["        if out:", "            parts.append(out)", "        return parts"]
        tail += [
            "    except UNENCODABLE as error:",
            f"        raise blame(root, o0, {self.version}, error) from error",
        ]
        return "\n".join([*head, "    try:", *self.lines, *tail, ""])

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def packed(self, run: list[tuple[str, str]]) -> str:
        """The statement that writes a run."""
        codes = "".join(code for code, _ in run)
        values = [value for _, value in run]
        if codes == "B":
            return f"out.append({values[0]})"
        name = "write_" + codes.replace("?", "t")
        self.names[name] = struct.Struct(">" + codes).pack
        return f"out += {name}({', '.join(values)})"

    def flush(self) -> None:
        if self.run:
            self.emit(self.packed(self.run))
            self.run = []

    def variable(self, letter: str) -> str:
        self.serial += 1
        return f"{letter}{self.serial}"

    def constant(self, cls: type[Message], field: Field) -> str:
        """The field's default as an expression."""
        if isinstance(field.default, list | str | int | float | None):
            return repr(field.default)
        name = f"{cls.__name__}_{field.name}_default"
        self.names[name] = field.default
        return name

    def differs(self, cls: type[Message], field: Field, value: str) -> str:
        """Condition: the field is not its default."""
        if field.default is None:
            return f"{value} is not None"
        constant = self.constant(cls, field)
        if isinstance(field.default, Message):
            return f"{value} is not {constant} and {value} != {constant}"
        if isinstance(field.default, list) and field.nullable_since is None:
            return value
        if isinstance(field.default, bool):
            return f"not {value}" if field.default else value
        return f"{value} != {constant}"

    def struct(self, cls: type[Message], made: str) -> None:
        """Inline one struct, held by variable `made`."""
        tagged = []
        for field in message.fields_of(cls):
            value = f"{made}.{field.name}"
            if not field.is_in(self.version) or (field.tag is not None and not self.flexible):
                if not field.ignorable:
                    self.emit(f"if {self.differs(cls, field, value)}:")
                    name = f"{cls.__name__}.{field.name}"
                    self.emit(f"    raise unsupported({name!r}, {self.version})")
            elif field.tag is not None:
                tagged.append(field)
            else:
                self.value(field, value, field.type)
        if tagged:
            self.tags(cls, made, sorted(tagged, key=lambda field: field.tag or 0))
        elif self.flexible:
            self.run.append(("B", "0"))

    def value(self, field: Field, value: str, kind: FieldType) -> None:
        nullable = field.is_nullable(self.version)
        if isinstance(kind, Array):
            self.array(kind, value, nullable=nullable)
        elif not isinstance(kind, Primitive):
            self.single_struct(kind, value, nullable=nullable)
        elif kind.format:
            self.fixed(kind, value)
        else:
            self.sized(kind, value, nullable=nullable, compact=self.flexible and not field.classic)

    def fixed(self, kind: Primitive, value: str) -> None:
        if kind is UUID:  # struct would pad or cut it
            self.emit(f"if len({value}) != 16:")
            self.emit("    raise ValueError('a uuid has 16 bytes')")
        self.run.append((kind.format, value))

    def single_struct(self, cls: type[Message], value: str, *, nullable: bool) -> None:
        """A struct that is not in an array. A nullable one follows a byte: negative is null."""
        made = self.variable("o")
        self.emit(f"{made} = {value}")
        if not nullable:
            self.struct(cls, made)
            return
        self.flush()
        self.emit(f"if {made} is None:")
        self.emit("    out.append(255)")
        self.emit("else:")
        self.depth += 1
        self.run.append(("b", "1"))
        self.struct(cls, made)
        self.flush()
        self.depth -= 1

    def length(self, code: str, long_form: str, *, compact: bool) -> None:
        """Write the pending run and `n`."""
        if not compact:
            self.run.append((code, "n"))
            self.flush()
            return
        self.emit("if n < 128:")
        self.emit("    " + self.packed([*self.run, ("B", "n")]))
        self.emit("else:")
        if self.run:
            self.emit("    " + self.packed(self.run))
        self.emit(f"    out += {long_form}(n)")
        self.run = []

    def sized(self, kind: Primitive, value: str, *, nullable: bool, compact: bool) -> None:
        """A string, bytes or records."""
        plus_one = " + 1" if compact else ""
        empty = "()" if kind is RECORDS else "b''"
        indent = ""
        if nullable:
            self.emit(f"b = {value}")
            self.emit("if b is None:")
            self.emit(f"    n, b = {0 if compact else -1}, {empty}")
            self.emit("else:")
            value, indent = "b", "    "
        if kind is RECORDS:
            self.emit(f"{indent}n, b = measured({value})")
            if compact:
                self.emit(f"{indent}n += 1")
        else:
            suffix = ".encode()" if kind is STRING else ""
            if value + suffix != "b":
                self.emit(f"{indent}b = {value}{suffix}")
            self.emit(f"{indent}n = len(b){plus_one}")
        is_string = kind is STRING
        long_form = "string_varint" if is_string else "varint"
        self.length("h" if is_string else "i", long_form, compact=compact)
        if kind is RECORDS:
            self.emit("if b:")
            self.emit("    parts.append(out)")
            self.emit("    parts += b")
            self.emit("    out = bytearray()")
        else:
            self.emit("out += b")

    def array(self, kind: Array, value: str, *, nullable: bool) -> None:
        made = self.variable("a")
        plus_one = " + 1" if self.flexible else ""
        self.emit(f"{made} = {value}")
        if nullable:
            self.emit(f"if {made} is None:")
            self.emit(f"    n, {made} = {0 if self.flexible else -1}, ()")
            self.emit("else:")
            self.emit(f"    n = len({made}){plus_one}")
        else:
            self.emit(f"n = len({made}){plus_one}")
        self.length("i", "varint", compact=self.flexible)
        element = kind.element
        if isinstance(element, Primitive) and len(element.format) == 1:
            short = "write_short_" + element.format.replace("?", "t")
            self.names[short] = [s.pack for s in wire.short_arrays(element.format)]
            self.emit(f"n = len({made})")
            self.emit(f"if n < {wire.SHORT_ARRAY}:")
            self.emit(f"    out += {short}[n](*{made})")
            self.emit("else:")
            self.emit(f"    out += pack(f'>{{n}}{element.format}', *{made})")
            return
        item = self.variable("o")
        self.emit(f"for {item} in {made}:")
        self.depth += 1
        before = len(self.lines)
        if not isinstance(element, Primitive):
            self.struct(element, item)
        elif element.format:
            self.fixed(element, item)
        else:
            self.sized(element, item, nullable=False, compact=self.flexible)
        self.flush()
        if len(self.lines) == before:  # a struct without any field in this version
            self.emit("pass")
        self.depth -= 1

    def tags(self, cls: type[Message], made: str, fields: list[Field]) -> None:
        """The tag section. Mostly all fields have their defaults: then it is a zero byte."""
        conditions = [self.differs(cls, field, f"{made}.{field.name}") for field in fields]
        run, self.run = self.run, []
        self.emit(f"if {' or '.join(conditions)}:")
        self.depth += 1
        if run:
            self.emit(self.packed(run))
        outer, values = self.variable("outer"), self.variable("values")
        self.emit(f"{outer} = out")
        self.emit(f"{values} = []")
        for field, condition in zip(fields, conditions, strict=True):
            if len(fields) > 1:
                self.emit(f"if {condition}:")
                self.depth += 1
            self.emit("out = bytearray()")
            self.value(field, f"{made}.{field.name}", field.type)
            self.flush()
            self.emit(f"{values}.append(({field.tag}, out))")
            self.depth -= len(fields) > 1
        self.emit(f"out = {outer}")
        self.emit(f"write_tags(out, {values})")
        self.depth -= 1
        self.emit("else:")
        self.emit("    " + self.packed([*run, ("B", "0")]))


def blame(root: type[Message], value: Message, version: int, cause: Exception) -> Exception:
    """The `EncodeError` that names the field; the cause itself when no field is to blame."""
    for path, kind, part, nullable in _leaves(root.__name__, root, value, version):
        reason = _objection(kind, part, nullable=nullable)
        if reason is not None:
            return EncodeError(f"{path} v{version}: {reason}")
    return cause


def _leaves(
    path: str, kind: FieldType, value: Any, version: int, *, nullable: bool = False
) -> Iterator[tuple[str, FieldType, Any, bool]]:
    """Every value of the message in wire order, as (path, type, value, may be None)."""
    yield path, kind, value, nullable
    if value is None:
        return
    if isinstance(kind, Array):
        for number, element in enumerate(value):
            yield from _leaves(f"{path}[{number}]", kind.element, element, version)
    elif not isinstance(kind, Primitive):
        for field in message.fields_of(kind):
            if field.is_in(version):
                part = getattr(value, field.name)
                name, optional = f"{path}.{field.name}", field.is_nullable(version)
                yield from _leaves(name, field.type, part, version, nullable=optional)


def _objection(kind: FieldType, value: Any, *, nullable: bool) -> str | None:
    """Why the value cannot be written as this type."""
    if value is None:
        return None if nullable else "None where the field cannot be null"
    if isinstance(kind, Array):
        return None if hasattr(value, "__len__") and hasattr(value, "__iter__") else "not a list"
    if not isinstance(kind, Primitive):
        return None if isinstance(value, kind) else f"{value!r} is not a {kind.__name__}"
    try:
        if kind is STRING:
            wire.string_varint(len(value.encode()) + 1)
        elif kind is UUID and len(value) != 16:
            raise ValueError("a uuid has 16 bytes")
        elif kind.format:
            struct.pack(">" + kind.format, value)
        elif kind is RECORDS:
            struct.pack(">i", wire.measured(value)[0])
        else:
            struct.pack(">i", memoryview(value).nbytes)
    except wire.UNENCODABLE as error:
        return f"{value!r} is not a {kind.name} ({error})"
    return None
