"""Mutants: one fault at one place of one module, named so that a record of it outlives changes elsewhere."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from .operators import Variant, variants

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NOT_VISITED = frozenset({"annotation", "returns", "type_params", "type_comment", "ctx", "op", "ops"})


@dataclass(frozen=True, eq=False)
class Mutant:
    """A fault in `source`. `lines` are those of its statement; `deep` is true where it runs only when a function does."""

    source: Source
    name: str
    lines: range
    deep: bool
    holder: Any
    field: str
    index: int | None
    node: ast.AST

    def compile(self) -> CodeType:
        """The module's code with the fault in it; the tree is afterwards as it was."""
        with self._planted():
            return compile(self.source.tree, str(self.source.path), "exec", dont_inherit=True)

    @contextmanager
    def _planted(self) -> Iterator[None]:
        whole = getattr(self.holder, self.field)
        changed = self.node if self.index is None else [*whole[: self.index], self.node, *whole[self.index + 1 :]]
        setattr(self.holder, self.field, changed)
        try:
            yield
        finally:
            setattr(self.holder, self.field, whole)


@dataclass(frozen=True, eq=False)
class Source:
    """One module's file and its tree."""

    module: str
    path: Path
    tree: ast.Module

    @classmethod
    def read(cls, module: str, path: Path) -> Source:
        return cls(module, path, ast.parse(path.read_text()))

    def mutants(self) -> list[Mutant]:
        """All of its mutants, in the order of the file."""
        return list(_Walk(self).mutants())


class _Walk:
    """The visit of one tree. What it knows on its way down: the function, the statement, whether it is in a message."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: Counter[str] = Counter()
        self._path: list[str] = []
        self._deep = False
        self._message = False
        self._lines = range(0)

    def mutants(self) -> Iterator[Mutant]:
        yield from self._body(self._source.tree)

    def _body(self, holder: ast.AST) -> Iterator[Mutant]:
        for field, value in ast.iter_fields(holder):
            if field in NOT_VISITED:
                continue
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.AST) and not _is_left_alone(node):
                    yield from self._visit(node, holder, field, index)

    def _visit(self, node: ast.AST, holder: ast.AST, field: str, index: int | None) -> Iterator[Mutant]:
        before = (len(self._path), self._deep, self._message, self._lines)
        if isinstance(node, ast.stmt):
            self._lines = range(node.lineno, _head_end(node) + 1)
        self._message = self._message or isinstance(node, ast.Raise | ast.JoinedStr)
        for variant in variants(node, message=self._message):
            yield self._mutant(node, holder, field, index, variant)
        if isinstance(node, ast.JoinedStr) and not any(isinstance(each, ast.FormattedValue) for each in node.values):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._path.append(node.name)
        if isinstance(node, FUNCTIONS):
            yield from self._function(node)
        else:
            self._deep = self._deep or isinstance(node, ast.Lambda)
            yield from self._body(node)
        del self._path[before[0] :]
        _, self._deep, self._message, self._lines = before

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Mutant]:
        """The head runs when the function is made, the body when it is called."""
        for part in (node.args, *node.decorator_list):
            yield from self._body(part)
        self._deep = True
        for index, statement in enumerate(node.body):
            if not _is_left_alone(statement):
                yield from self._visit(statement, node, "body", index)

    def _mutant(self, node: ast.AST, holder: ast.AST, field: str, index: int | None, variant: Variant) -> Mutant:
        kind, inner, inner_index, new = variant
        where = node if isinstance(node, ast.stmt | ast.expr | ast.ExceptHandler) else holder
        for each in ast.walk(new):
            if "lineno" in each._attributes and not hasattr(each, "lineno"):
                ast.copy_location(each, where)
        name = f"{self._source.module}:{'.'.join(self._path) or '-'}: {kind}: {_told(node, inner, inner_index, new)}"
        self._seen[name] += 1
        if self._seen[name] > 1:
            name += f" #{self._seen[name]}"
        place = (holder, field, index) if not inner else (node, inner, inner_index)
        return Mutant(self._source, name, self._lines, self._deep, *place, new)


def _told(node: ast.AST, field: str, index: int | None, new: ast.AST) -> str:
    """The fault in a few words."""
    old = _shortened(node)
    if not field:
        return f"{old} -> {_shortened(new)}"
    part = f"{type(new).__name__}" if isinstance(new, ast.operator | ast.cmpop | ast.boolop) else _shortened(new)
    return f"{old} -> {field}{'' if index is None else f'[{index}]'} {part}"


def _shortened(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:60]} … {text[-28:]}"


def _head_end(node: ast.stmt) -> int:
    """The last line of a statement without the block that it holds."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not isinstance(body, list):
        return node.end_lineno or node.lineno
    first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
    return max(node.lineno, first.lineno - 1)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Import() | ast.ImportFrom() | ast.Assert() | ast.TypeIgnore():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec" | "NewType"))):
            return True
        case ast.Call(func=ast.Name(id="cast")):
            return True
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            overload = any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)
            return overload or all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in node.body)
        case _:
            return False
