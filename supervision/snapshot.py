"""The tree at one moment, as plain values, and as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import trio

from .exits import Exit

Kind = Literal["supervisor", "child", "directory", "actor"]


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree. ``up_for`` is how long the present run has lasted, 0 if there is none."""

    path: str
    name: str
    kind: Kind
    state: str
    runs: int = 0
    up_for: float = 0.0
    queued: int = 0
    last_exit: Exit | None = None
    children: tuple[Node, ...] = ()


class Inspectable(Protocol):
    """What a child may have opened inside itself: a supervisor or a directory."""

    def snapshot(self) -> Node: ...

    def stop(self) -> None: ...

    async def stopped(self) -> None:
        """Wait until everything in it has ended."""


def render(node: Node, *, most: int = 20) -> str:
    """The tree as text, one line a node; of more than ``most`` children under one node only the count is shown."""
    return "\n".join(_lines(node, "", "", most))


def _lines(node: Node, first: str, rest: str, most: int) -> Iterator[str]:
    yield first + _line(node)
    shown = node.children[:most]
    hidden = len(node.children) - len(shown)
    for index, child in enumerate(shown):
        last = index == len(shown) - 1 and not hidden
        yield from _lines(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), most)
    if hidden:
        yield f"{rest}└─ … and {hidden} more"


def _line(node: Node) -> str:
    parts = [node.name, node.state]
    if node.up_for:
        parts.append(f"for {node.up_for:.1f} s")
    if node.runs > 1:
        parts.append(f"run {node.runs}")
    if node.queued:
        parts.append(f"{node.queued} queued")
    if node.last_exit is not None:
        parts.append(f"last {_ending(node.last_exit)}")
    return "  ".join(parts)


def _ending(exit: Exit) -> str:
    return f"raised {exit.error!r}" if exit.error is not None else exit.how


def await_stack(task: trio.lowlevel.Task) -> str:
    """Where ``task``, and every task below it, waits; one line a frame, innermost last."""
    lines = [f"{task.name}:"]
    for frame, line in task.iter_await_frames():
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {line}, in {code.co_qualname}')
    for nursery in task.child_nurseries:
        for child in sorted(nursery.child_tasks, key=lambda each: each.name):
            lines.extend("  " + inner for inner in await_stack(child).splitlines())
    return "\n".join(lines)
