"""The decode half of the codec compiler: (message class, version) -> source of a flat function.

Everything nested is inlined into one function. In its source `data` is the frame, `p` the position,
`n` the last length read, `k` a number of tagged fields, `left` the elements the message may still
have; `o1` is a struct and `a1` an array under construction. Fixed-width fields in a row are read by
one `struct` call, straight into the slots; the run goes on across a struct's end and takes the
length (or its first varint byte) of the next variable field with it.

Bounds: a slice beyond the end of `data` is short rather than an error, and leaves `p` beyond the
end, where any further read raises; so lengths need no check of their own, only the last line does.
Arrays are checked before anything is made for them.
"""

from __future__ import annotations

import struct
from typing import Any

from godel.errors import DecodeError
from godel.protocol import message, wire
from godel.protocol.message import Array, Field, FieldType, Message
from godel.protocol.types import BYTES, RECORDS, STRING, Primitive


class DecodeCompiler:
    """Writes the function for one class and version. Use once."""

    def __init__(self, root: type[Message], version: int, *, flexible: bool) -> None:
        self.root = root
        self.version = version
        self.flexible = flexible
        self.lines: list[str] = []
        self.depth = 2
        self.serial = 0
        self.run: list[tuple[str, str]] = []
        """Pending fixed-width reads: `struct` code and where the value goes."""
        self.names: dict[str, Any] = {
            "DecodeError": DecodeError,
            "MALFORMED": wire.MALFORMED,
            "new": object.__new__,
            "unpack_from": struct.unpack_from,
            "long_varint": wire.long_varint,
            "required": wire.required,
            "string_length": wire.string_length,
            "nullable_string_length": wire.nullable_string_length,
            "tag_count": wire.tag_count,
            "tag_head": wire.tag_head,
            "skip_tags": wire.skip_tags,
            "too_many": wire.too_many,
            "malformed": wire.malformed,
        }

    def compile(self, *, whole: bool) -> str:
        """Source of `decode(data, p)`: the message, and when not `whole` the position after it."""
        name = self.root.__name__
        root = self.struct(self.root)
        self.flush()
        if whole:
            self.emit("if p != end:")
            self.emit("    raise DecodeError(f'{end - p} bytes remain after the last field')")
            self.emit(f"return {root}")
        else:
            self.emit("if p > end:")
            self.emit("    raise DecodeError('the last field is cut off')")
            self.emit(f"return {root}, p")
        head = ["def decode(data, p=0):", "    end = len(data)"]
        if any("view[" in line for line in self.lines):
            head.append("    view = memoryview(data)")
        head += [f"    left = {wire.MAX_ELEMENTS}", "    try:"]
        tail = [
            "    except MALFORMED as error:",
            f"        raise malformed({name!r}, {self.version}, p, error) from error",
        ]
        return "\n".join([*head, *self.lines, *tail, ""])

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def flush(self) -> None:
        """Read the pending fixed-width fields."""
        if not self.run:
            return
        codes = "".join(code for code, _ in self.run)
        targets = [target for _, target in self.run]
        self.run = []
        if codes == "B":
            self.emit(f"{targets[0]} = data[p]")
            self.emit("p += 1")
            return
        reader = struct.Struct(">" + codes)
        name = "read_" + codes.replace("?", "t")
        self.names[name] = reader.unpack_from
        if len(targets) == 1:
            self.emit(f"({targets[0]},) = {name}(data, p)")
        else:
            self.emit(f"{', '.join(targets)} = {name}(data, p)")
        self.emit(f"p += {reader.size}")

    def variable(self, letter: str) -> str:
        self.serial += 1
        return f"{letter}{self.serial}"

    def struct(self, cls: type[Message]) -> str:
        """Inline one struct; returns the variable that holds it."""
        made = self.variable("o")
        self.names[cls.__name__] = cls
        self.emit(f"{made} = new({cls.__name__})")
        tagged = []
        for field in message.fields_of(cls):
            if not field.is_in(self.version) or (field.tag is not None):
                self.default(cls, field, f"{made}.{field.name}")
            if field.is_in(self.version):
                if field.tag is None:
                    self.value(cls, field, f"{made}.{field.name}", field.type)
                elif self.flexible:
                    tagged.append(field)
        if self.flexible:
            self.run.append(("B", "k"))
            self.flush()
            self.tags(cls, made, tagged)
        return made

    def default(self, cls: type[Message], field: Field, target: str) -> None:
        if field.default is None or isinstance(field.default, bool | int | float | str):
            self.emit(f"{target} = {field.default!r}")
        elif isinstance(field.default, list):
            self.emit(f"{target} = []")
        else:
            name = f"{cls.__name__}_{field.name}_default"
            self.names[name] = field.default
            self.emit(f"{target} = {name}")

    def value(self, cls: type[Message], field: Field, target: str, kind: FieldType) -> None:
        nullable = field.is_nullable(self.version)
        compact = self.flexible and not field.classic
        if isinstance(kind, Array):
            self.array(f"{cls.__name__}.{field.name}", kind, target, nullable=nullable)
        elif not isinstance(kind, Primitive):
            self.single_struct(kind, target, nullable=nullable)
        elif kind.format:
            self.run.append((kind.format, target))
        else:
            self.sized(kind, target, nullable=nullable, compact=compact)

    def single_struct(self, cls: type[Message], target: str, *, nullable: bool) -> None:
        """A struct that is not in an array. A nullable one follows a byte: negative is null."""
        if not nullable:
            self.emit(f"{target} = {self.struct(cls)}")
            return
        self.run.append(("b", "n"))
        self.flush()
        self.emit("if n < 0:")
        self.emit(f"    {target} = None")
        self.emit("else:")
        self.depth += 1
        made = self.struct(cls)
        self.flush()
        self.emit(f"{target} = {made}")
        self.depth -= 1

    def length(self, code: str, long_form: str, *, nullable: bool, compact: bool) -> None:
        """Read a length into `n`; afterwards null is negative, or has been refused."""
        self.run.append(("B" if compact else code, "n"))
        self.flush()
        if not compact:
            if not nullable:
                self.emit("if n < 0:")
                self.emit("    raise DecodeError('null where the field cannot be null')")
        elif nullable:
            self.emit("if n > 127:")
            self.emit(f"    n, p = {long_form}(data, p, n)")
        else:
            self.emit("if not 0 < n < 128:")
            self.emit(f"    n, p = {long_form}(data, p, n)")

    def sized(self, kind: Primitive, target: str, *, nullable: bool, compact: bool) -> None:
        """A string, bytes or records."""
        code = "h" if kind is STRING else "i"
        long_form = "long_varint" if nullable else "required"
        if kind is STRING:
            long_form = "nullable_string_length" if nullable else "string_length"
        self.length(code, long_form, nullable=nullable, compact=compact)
        stop = "(p := p + n - 1)" if compact else "(p := p + n)"
        read = {
            STRING: f"str(data[p:{stop}], 'utf-8')",
            BYTES: f"bytes(data[p:{stop}])",
            RECORDS: f"view[p:{stop}]",
        }[kind]
        if nullable:
            read += " if n else None" if compact else " if n >= 0 else None"
        self.emit(f"{target} = {read}")

    def array(self, name: str, kind: Array, target: str, *, nullable: bool) -> None:
        long_form = "long_varint" if nullable else "required"
        self.length("i", long_form, nullable=nullable, compact=self.flexible)
        if nullable:
            self.emit(f"if n {'== 0' if self.flexible else '< 0'}:")
            self.emit(f"    {target} = None")
            self.emit("else:")
            self.depth += 1
        if self.flexible:
            self.emit("n -= 1")
        each = max(1, minimum_size(kind.element, self.version, flexible=self.flexible))
        self.emit(f"if n > left or n * {each} > end - p:")
        self.emit(f"    raise too_many({name!r}, n, end - p)")
        self.emit("left -= n")
        self.elements(kind, target)
        if nullable:
            self.depth -= 1

    def elements(self, kind: Array, target: str) -> None:
        """`n` elements, known to fit."""
        element = kind.element
        if isinstance(element, Primitive) and len(element.format) == 1:
            short = "read_short_" + element.format.replace("?", "t")
            self.names[short] = [s.unpack_from for s in wire.short_arrays(element.format)]
            self.emit(f"if n < {wire.SHORT_ARRAY}:")
            self.emit(f"    {target} = list({short}[n](data, p))")
            self.emit("else:")
            self.emit(f"    {target} = list(unpack_from(f'>{{n}}{element.format}', data, p))")
            self.emit(f"p += n * {element.size}")
            return
        made = self.variable("a")
        self.emit(f"{target} = {made} = []")
        self.emit("for _ in range(n):")
        self.depth += 1
        if not isinstance(element, Primitive):
            item = self.struct(element)
        elif element.format:
            item = "x"
            self.run.append((element.format, item))
        else:
            item = "x"
            self.sized(element, item, nullable=False, compact=self.flexible)
        self.flush()
        self.emit(f"{made}.append({item})")
        self.depth -= 1

    def tags(self, cls: type[Message], made: str, fields: list[Field]) -> None:
        self.emit("if k:")
        self.depth += 1
        if fields:
            self.emit("k, p, left = tag_count(data, p, k, left)")
            tag, stop = self.variable("tag"), self.variable("stop")
            self.emit(f"{tag} = -1")
            self.emit("for _ in range(k):")
            self.depth += 1
            self.emit(f"{tag}, {stop}, p = tag_head(data, p, {tag})")
            for number, field in enumerate(sorted(fields, key=lambda field: field.tag or 0)):
                self.emit(f"{'elif' if number else 'if'} {tag} == {field.tag}:")
                self.depth += 1
                self.value(cls, field, f"{made}.{field.name}", field.type)
                self.flush()
                self.depth -= 1
            self.emit("else:")
            self.emit(f"    p = {stop}")
            self.emit(f"if p != {stop}:")
            self.emit(f"    raise DecodeError(f'tag {{{tag}}} is not as long as it says')")
            self.depth -= 1
        else:
            self.emit("p, left = skip_tags(data, p, k, left)")
        self.depth -= 1


def minimum_size(kind: FieldType, version: int, *, flexible: bool) -> int:
    """The least bytes that a value of this type takes."""
    if isinstance(kind, Array):
        return 1 if flexible else 4
    if isinstance(kind, Primitive):
        return kind.size or (1 if flexible else 2 if kind is STRING else 4)
    total = 1 if flexible else 0
    for field in message.fields_of(kind):
        if field.is_in(version) and field.tag is None:
            if isinstance(field.type, Primitive | Array):
                total += minimum_size(field.type, version, flexible=flexible and not field.classic)
            elif field.is_nullable(version):
                total += 1
            else:
                total += minimum_size(field.type, version, flexible=flexible)
    return total
