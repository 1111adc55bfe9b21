"""The faults: for a node of the syntax tree, what might stand there instead.

Left alone is what no test could fairly be asked for: annotations, docstrings, text of messages (f-strings, and strings
in a `raise`), `__slots__` and `__all__`, and code for type checkers. A statement is deleted where something else than a
missing name comes of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}

DELETED = (ast.AugAssign, ast.Delete, ast.Raise)
CHOICES = (ast.If, ast.While, ast.IfExp)

Variant = tuple[str, str, int | None, ast.AST]
"""What kind of fault, the field of the node that it goes into, the place in the field's list, and what goes there.

An empty field name: in the place of the node itself.
"""


def variants(node: ast.AST, *, message: bool) -> Iterator[Variant]:
    """Every fault of one node; in the text of a `message` no string is changed."""
    match node:
        case ast.Compare():
            yield from _comparison(node)
        case ast.BoolOp():
            yield from _boolean(node)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield "unary", "", None, node.operand
        case ast.BinOp() | ast.AugAssign() if type(node.op) in ARITHMETIC:
            yield "arithmetic", "op", None, ARITHMETIC[type(node.op)]()
        case ast.Constant():
            yield from _constant(node, message)
        case ast.Call():
            yield from _call(node, message)
        case ast.Break():
            yield "loop", "", None, ast.Continue()
        case ast.Continue():
            yield "loop", "", None, ast.Break()
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield "return", "value", None, ast.Constant(None)
        case ast.ExceptHandler(type=ast.expr()):
            yield "except", "type", None, ast.Tuple([], ast.Load())
        case _:
            pass
    yield from _statement(node)


def _comparison(node: ast.Compare) -> Iterator[Variant]:
    for number, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            yield "comparison", "ops", number, other()


def _boolean(node: ast.BoolOp) -> Iterator[Variant]:
    yield "boolean", "op", None, ast.Or() if isinstance(node.op, ast.And) else ast.And()
    for number in range(len(node.values)):
        rest = [*node.values[:number], *node.values[number + 1 :]]
        yield "operand", "", None, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _constant(node: ast.Constant, message: bool) -> Iterator[Variant]:
    match node.value:
        case bool():
            yield "constant", "", None, ast.Constant(not node.value)
        case int() | float():
            yield "constant", "", None, ast.Constant(node.value + 1)
        case bytes():
            yield "constant", "", None, ast.Constant(node.value + b"x")
        case str() if not message:
            yield "constant", "", None, ast.Constant(node.value + "x")
        case _:
            pass


def _call(node: ast.Call, message: bool) -> Iterator[Variant]:
    plain = not any(isinstance(each, ast.Starred) for each in node.args)
    for number in range(len(node.args) - 1 if plain and not message else 0):
        swapped = [*node.args]
        swapped[number : number + 2] = reversed(swapped[number : number + 2])
        if ast.dump(swapped[number]) == ast.dump(swapped[number + 1]):
            continue
        yield "argument swap", "", None, ast.Call(node.func, swapped, node.keywords)
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None and ast.unparse(keyword) != "strict=False":  # what `zip` does anyway
            rest = [*node.keywords[:number], *node.keywords[number + 1 :]]
            yield "argument left out", "", None, ast.Call(node.func, node.args, rest)


def _statement(node: ast.AST) -> Iterator[Variant]:
    if isinstance(node, CHOICES) and not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
        yield "condition", "test", None, ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.Raise) and node.exc is not None:
        yield "exception type", "exc", None, ast.Call(ast.Name("ZeroDivisionError", ast.Load()), [], [])
    if isinstance(node, ast.Match) and len(node.cases) > 1:
        for number in range(len(node.cases)):
            yield "case", "", None, ast.Match(node.subject, [*node.cases[:number], *node.cases[number + 1 :]])
    if isinstance(node, DELETED) or _is_call(node) or _sets_a_part(node):
        yield "deletion", "", None, ast.Pass()


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)


def _sets_a_part(node: ast.AST) -> bool:
    """Whether it sets an attribute or an item; without it the rest still runs."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
    return bool(targets) and all(isinstance(each, ast.Attribute | ast.Subscript) for each in targets)
