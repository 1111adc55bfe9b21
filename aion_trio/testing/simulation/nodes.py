"""Programs as data: what a node is, how kinds of nodes are told apart, and what a judge may say.

A node is plain data, `[kind, number, ...]`, because it travels as a workflow's input. Each kind is one object with four
sides: it *makes* a random node, *runs* one inside of a workflow, *judges* what a run of it told, and says with which tags
one may *fail*. A capability of the engine enters the simulation by a kind of its own in `KINDS`.

What a node tells is plain data, too: the workflow's result is the whole tree of what its nodes told, so the judge needs
no copy of the schedule. It checks each part against the node that told it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Node = list[Any]
"""`[kind, number, *parameters]`; numbers are unique within one simulation."""

Told = Any
"""What the run of a node told: plain data."""


class Broken(Exception):
    """What programs fail with; its text is the tags of the nodes that broke, separated by commas."""


class Wrong(Exception):
    """What a node told, or how a workflow ended, is not among what its program allows."""


def tags_of(error: BaseException) -> set[str]:
    """The tags in an exception, groups included."""
    parts = parts_of(error)
    if parts:
        return {tag for part in parts for tag in tags_of(part)}
    return set(str(error).split(",")) if isinstance(error, Broken) else set()


def parts_of(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions in a group, none in any other exception."""
    parts: Any = getattr(error, "exceptions", ())
    return tuple(parts)


class Run(Protocol):
    """One run of a program, as its nodes see it."""

    workflow_id: str
    received: dict[str, list[str]]

    async def node(self, node: Node) -> Told:
        """Run a node; what it told."""
        ...


@dataclass(slots=True)
class Maker:
    """Makes random nodes; `budget` bounds how many, `targets` are the workflow ids that signals may be sent to."""

    rng: random.Random
    targets: Sequence[str]
    budget: int = 30
    count: int = 0
    children: int = 3
    kinds: Sequence[str] = field(default_factory=list[str])

    def number(self) -> int:
        """A number that no other node has."""
        self.count += 1
        return self.count

    def node(self, depth: int) -> Node:
        """A random node, at most `depth` nodes high."""
        self.budget -= 1
        names = LEAVES if depth <= 0 or self.budget <= 0 or self.rng.random() < 0.3 else INNER
        return KINDS[self.rng.choice(names)].make(self, depth)

    def nodes(self, depth: int, least: int, most: int) -> list[Node]:
        """Some random nodes."""
        return [self.node(depth - 1) for _ in range(self.rng.randint(least, most))]

    def seconds(self) -> float:
        """A time; few different ones, so that things coincide."""
        return self.rng.choice([0.5, 1.0, 1.0, 2.0, 5.0, 5.0, 60.0, 600.0, 50_000.0])


class Kind(Protocol):
    """One kind of node."""

    def make(self, maker: Maker, depth: int) -> Node:
        """A random node of this kind."""
        ...

    async def run(self, node: Node, run: Run) -> Told:
        """Do it, inside of a workflow."""
        ...

    def judge(self, node: Node, told: Told) -> None:
        """Raise `Wrong` unless the node can have told this."""
        ...

    def failures(self, node: Node) -> set[str]:
        """The tags with which the node may fail."""
        ...

    def inside(self, node: Node) -> Sequence[Node]:
        """The nodes within this one that run in the same workflow run."""
        ...


KINDS: dict[str, Kind] = {}
"""Every kind by its name."""
LEAVES: list[str] = []
INNER: list[str] = []
"""The names that are drawn from, each as often as it shall come up."""


def add_kind(name: str, kind: Kind, *, leaf: int = 0, inner: int = 0) -> None:
    """Let programs have nodes of this kind, with these weights."""
    KINDS[name] = kind
    LEAVES.extend([name] * leaf)
    INNER.extend([name] * inner)


def judge(node: Node, told: Told) -> None:
    """Raise `Wrong` unless the node can have told this."""
    KINDS[node[0]].judge(node, told)


def failures(node: Node) -> set[str]:
    """The tags with which the node may fail."""
    return KINDS[node[0]].failures(node)


def everywhere(node: Node) -> Iterator[Node]:
    """The node and all nodes within it that run in the same workflow run."""
    yield node
    for part in KINDS[node[0]].inside(node):
        yield from everywhere(part)


def require(holds: bool, node: Node, told: Told) -> None:
    """Raise `Wrong` unless it holds."""
    if not holds:
        raise Wrong(f"{node[0]} {node[1]} cannot tell {told!r}; the node is {node!r}")
