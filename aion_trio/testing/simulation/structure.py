"""Kinds of nodes that hold others: sequences, nurseries, races, time-outs, shields, and continue-as-new."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from ... import durable
from .nodes import KINDS, Broken, Maker, Node, Run, Told, Wrong, add_kind, failures, judge, require, tags_of


class Inner:
    """What kinds with one list of parts at `[2]` have in common."""

    def inside(self, node: Node) -> Sequence[Node]:
        """The parts."""
        parts: list[Node] = node[2]
        return parts

    def failures(self, node: Node) -> set[str]:
        """Those of the parts."""
        return {tag for part in node[2] for tag in failures(part)}


class Around:
    """What kinds around one part at `[2]` have in common."""

    def inside(self, node: Node) -> Sequence[Node]:
        """The part."""
        return [node[2]]

    def failures(self, node: Node) -> set[str]:
        """Those of the part."""
        return failures(node[2])


class InTurn(Inner):
    """`[seq, number, parts]`: one after the other."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["seq", maker.number(), maker.nodes(depth, 2, 4)]

    async def run(self, node: Node, run: Run) -> Told:
        return [await run.node(part) for part in node[2]]

    def judge(self, node: Node, told: Told) -> None:
        require(len(told) == len(node[2]), node, told)
        for part, one in zip(node[2], told, strict=True):
            judge(part, one)


class Fan(InTurn):
    """`[fan, number, parts]`: side by side in a nursery."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["fan", maker.number(), maker.nodes(depth, 2, 4)]

    async def run(self, node: Node, run: Run) -> Told:
        return list(await durable.wait_all(*(partial(run.node, part) for part in node[2])))


class Race(Inner):
    """`[race, number, parts]`: the first one counts, the others are cancelled."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["race", maker.number(), maker.nodes(depth, 2, 3)]

    async def run(self, node: Node, run: Run) -> Told:
        async def one(index: int, part: Node) -> Told:
            return [index, await run.node(part)]

        return await durable.wait_any(*(partial(one, index, part) for index, part in enumerate(node[2])))

    def judge(self, node: Node, told: Told) -> None:
        require(0 <= told[0] < len(node[2]), node, told)
        judge(node[2][told[0]], told[1])


class Timeout(Around):
    """`[timeout, number, part, seconds]`: give up after some time."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["timeout", maker.number(), maker.node(depth - 1), maker.seconds()]

    async def run(self, node: Node, run: Run) -> Told:
        told: list[Told] = []
        with durable.move_on_after(node[3]) as scope:
            told.append(await run.node(node[2]))
        return [scope.cancelled_caught, *told]

    def judge(self, node: Node, told: Told) -> None:
        require(told == [True] or (told[0] is False and len(told) == 2), node, told)
        if len(told) == 2:
            judge(node[2], told[1])


class FailAfter(Around):
    """`[fail_after, number, part, seconds]`: fail after some time."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["fail_after", maker.number(), maker.node(depth - 1), maker.seconds()]

    async def run(self, node: Node, run: Run) -> Told:
        try:
            with durable.fail_after(node[3]):
                return await run.node(node[2])
        except trio.TooSlowError:
            raise Broken(f"fail_after {node[1]}") from None

    def judge(self, node: Node, told: Told) -> None:
        judge(node[2], told)

    def failures(self, node: Node) -> set[str]:
        return {f"fail_after {node[1]}", *failures(node[2])}


class Catch(Around):
    """`[catch, number, part]`: go on after a failure."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["catch", maker.number(), maker.node(depth - 1)]

    async def run(self, node: Node, run: Run) -> Told:
        tags: set[str] = set()
        told: Told = None
        try:
            told = await run.node(node[2])
        except* Broken as group:  # what else is in the group (a cancellation, a continue-as-new) goes on
            tags = tags_of(group)
        return ["caught", sorted(tags)] if tags else ["told", told]

    def judge(self, node: Node, told: Told) -> None:
        if told[0] == "told":
            judge(node[2], told[1])
        else:
            require(bool(told[1]) and set(told[1]) <= failures(node[2]), node, told)

    def failures(self, node: Node) -> set[str]:
        return set()


class Shield(Around):
    """`[shield, number, part]`: not to be cancelled from outside.

    No signal is received in it: one that came after a sibling continued as new would be known to this run alone.
    """

    def make(self, maker: Maker, depth: int) -> Node:
        parts = [part for part in maker.nodes(1, 1, 3) if part[0] != "receive"]
        return ["shield", maker.number(), ["seq", maker.number(), [*parts, ["slow", maker.number(), 1.0, None]]]]

    async def run(self, node: Node, run: Run) -> Told:
        with durable.CancelScope(shield=True):
            return await run.node(node[2])

    def judge(self, node: Node, told: Told) -> None:
        judge(node[2], told)


class CleanUp(Around):
    """`[clean_up, number, part, undo]`: when cancelled, undo under a shield, and let the cancellation pass."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["clean_up", maker.number(), maker.node(depth - 1), ["act", maker.number(), 7]]

    async def run(self, node: Node, run: Run) -> Told:
        try:
            return await run.node(node[2])
        except trio.Cancelled:
            with durable.CancelScope(shield=True):
                judge(node[3], await run.node(node[3]))
            raise

    def judge(self, node: Node, told: Told) -> None:
        judge(node[2], told)

    def inside(self, node: Node) -> Sequence[Node]:
        return [node[2], node[3]]


class CancelLater(Around):
    """`[cancel_later, number, part, seconds]`: cancel the nursery around a part after some time."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["cancel_later", maker.number(), maker.node(depth - 1), maker.seconds()]

    async def run(self, node: Node, run: Run) -> Told:
        told: list[Told] = []

        async def part() -> None:
            told.append(await run.node(node[2]))

        async with durable.open_nursery() as nursery:
            nursery.start_soon(part)
            await durable.sleep(node[3])
            nursery.cancel_scope.cancel()
        return told

    def judge(self, node: Node, told: Told) -> None:
        require(len(told) <= 1, node, told)
        for one in told:
            judge(node[2], one)


class Meet(Around):
    """`[meet, number, part]`: two tasks and an event between them."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["meet", maker.number(), maker.node(depth - 1)]

    async def run(self, node: Node, run: Run) -> Told:
        met = durable.Event()
        seen: list[int] = []

        async def waiting() -> None:
            await met.wait()
            seen.append(node[1])

        async with durable.open_nursery() as nursery:
            nursery.start_soon(waiting)
            told = await run.node(node[2])
            met.set()
        return [seen, told]

    def judge(self, node: Node, told: Told) -> None:
        require(told[0] == [node[1]], node, told)
        judge(node[2], told[1])


class Continue:
    """`[continue, number, rest]`: go on as a new run with the program `rest`, of this type or another."""

    def make(self, maker: Maker, depth: int) -> Node:
        parts = maker.nodes(max(1, depth), 1, 3)
        if maker.rng.random() < 0.5:
            parts.append(KINDS["receive"].make(maker, 0))
        rest = ["seq", maker.number(), parts]
        return ["continue", maker.number(), rest, maker.rng.choice([None, None, "other"])]

    async def run(self, node: Node, run: Run) -> Told:
        durable.continue_as_new(node[2], run.received, workflow=node[3])

    def judge(self, node: Node, told: Told) -> None:
        raise Wrong(f"continue {node[1]} does not return, and told {told!r}")

    def failures(self, node: Node) -> set[str]:
        return set()

    def inside(self, node: Node) -> Sequence[Node]:
        return ()


add_kind("seq", InTurn(), inner=5)
add_kind("fan", Fan(), inner=5)
add_kind("race", Race(), inner=3)
add_kind("timeout", Timeout(), inner=3)
add_kind("fail_after", FailAfter(), inner=1)
add_kind("catch", Catch(), inner=3)
add_kind("shield", Shield(), inner=1)
add_kind("clean_up", CleanUp(), inner=2)
add_kind("cancel_later", CancelLater(), inner=2)
add_kind("meet", Meet(), inner=1)
add_kind("continue", Continue(), leaf=1)
