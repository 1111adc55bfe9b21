"""Kinds of nodes that start other workflows: children that are awaited, left alone, cancelled, or whose id is taken."""

from __future__ import annotations

from collections.abc import Sequence

from ... import durable
from ...errors import ChildWorkflowFailedError
from .nodes import Maker, Node, Run, Told, add_kind, require
from .steps import Leaf

KINDS_OF_END = ("failed", "cancelled", "terminated", "timed_out", "already_started")
EMPTY: dict[str, list[str]] = {"go": [], "side": []}


class Child(Leaf):
    """`[child, number, program, policy, timeout, named, awaited]`: a child, awaited or left; its policy for the parent's close."""

    def make(self, maker: Maker, depth: int) -> Node:
        if maker.children <= 0:
            return ["act", maker.number(), 1]
        maker.children -= 1
        rng = maker.rng
        program = ["seq", maker.number(), maker.nodes(min(depth, 2), 1, 3)]
        return [
            "child", maker.number(), program, rng.choice(["terminate", "cancel", "abandon"]), rng.choice([None, None, None, 30.0]),
            rng.choice([False, False, True]), rng.choice([True, True, False]),
        ]  # fmt: skip

    async def run(self, node: Node, run: Run) -> Told:
        _, number, program, policy, timeout, named, awaited = node
        child: durable.ChildHandle[Told] = await durable.start_child(
            "program", program, EMPTY, id=f"child-{number}" if named else None, on_parent_close=policy, timeout=timeout
        )
        if not awaited:
            return ["left", child.id]
        return [child.id, *(await ending(child))]

    def judge(self, node: Node, told: Told) -> None:
        if told[0] != "left":
            require(told[1] == "completed" or told[1] in KINDS_OF_END, node, told)
            require(told[1] != "timed_out" or node[4] is not None, node, told)

    def inside(self, node: Node) -> Sequence[Node]:
        return ()


class CancelChild(Child):
    """`[cancel_child, number, program, policy, timeout, named, seconds]`: a child that is cancelled after some time."""

    def make(self, maker: Maker, depth: int) -> Node:
        node = super().make(maker, depth)
        return ["cancel_child", *node[1:6], maker.seconds()] if node[0] == "child" else node

    async def run(self, node: Node, run: Run) -> Told:
        _, number, program, policy, timeout, named, seconds = node
        child: durable.ChildHandle[Told] = await durable.start_child(
            "program", program, EMPTY, id=f"child-{number}" if named else None, on_parent_close=policy, timeout=timeout
        )
        await durable.sleep(seconds)
        child.cancel()
        return [child.id, *(await ending(child))]


class Taken(Leaf):
    """`[taken, number]`: a child with an id that is taken: the parent's own."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["taken", maker.number()]

    async def run(self, node: Node, run: Run) -> Told:
        child: durable.ChildHandle[Told] = await durable.start_child("program", ["act", node[1], 1], EMPTY, id=run.workflow_id)
        return (await ending(child))[0]

    def judge(self, node: Node, told: Told) -> None:
        require(told == "already_started", node, told)


async def ending(child: durable.ChildHandle[Told]) -> list[Told]:
    """How a child ended: the kind, and its result where it completed."""
    try:
        return ["completed", await child.result()]
    except ChildWorkflowFailedError as error:
        return [error.kind]


add_kind("child", Child(), leaf=2, inner=2)
add_kind("cancel_child", CancelChild(), inner=1)
add_kind("taken", Taken(), leaf=1)
