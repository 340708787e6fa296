"""The repository's own Python files as the house rules look at them: each read and parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED_FOLDERS = {"__pycache__", "build", "dist", "data", "node_modules"}


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, "" for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            owner = dotted(value)
            return f"{owner}.{attribute}" if owner else ""
        case _:
            return ""


@dataclass(frozen=True)
class Source:
    """A file; what several rules look at is made once, when the first of them asks."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def names(self) -> list[tuple[int, str]]:
        """Every name and chain of names, with its line."""
        return [
            (node.lineno, name)
            for node in self.nodes
            if isinstance(node, ast.Name | ast.Attribute) and (name := dotted(node))
        ]

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))

    def functions(self) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
        """Every function, and whether its first parameter is the instance or class."""
        methods = {
            id(part) for node in self.nodes if isinstance(node, ast.ClassDef) for part in node.body
        }
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = {dotted(each) for each in node.decorator_list}
                yield node, id(node) in methods and "staticmethod" not in decorators


def python_files(*folders: str) -> Iterator[str]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT)
            if not SKIPPED_FOLDERS.intersection(relative.parts):
                yield relative.as_posix()


@cache
def source(path: str) -> Source:
    return Source(path, (ROOT / path).read_text(encoding="utf-8"))


def sources(*folders: str) -> list[Source]:
    return [source(path) for path in python_files(*folders)]
