"""Kinds of nodes that ask the world for something: activities, timers, signals, attributes, random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from ... import durable
from ...activities import activity_info
from ...definitions import ActivityDefinition, RetryPolicy, Signal, activity
from ...errors import ActivityTimedOutError, SignalNotDeliveredError
from .nodes import Broken, Maker, Node, Run, Told, add_kind, require

SIGNALS = {name: Signal(name, str) for name in ("go", "side")}


@activity(name="contribute", raises=(Broken,))
async def contribute(number: int, value: int) -> int:
    """Every step has a result of its own, so that a result that is bound to the wrong step shows."""
    await trio.lowlevel.checkpoint()
    return number * 1_000_000 + value


@activity(name="flaky", raises=(Broken,))
async def flaky(number: int, fails: int) -> int:
    """Fail the first attempts; which attempt it was that did not."""
    attempt = activity_info().attempt
    await trio.sleep(0.5 * (number % 2))
    if attempt <= fails:
        raise Broken(f"flaky {number}")
    return attempt


@activity(name="slow", raises=(Broken,))
async def slow(number: int, seconds: float) -> int:
    """Take some time."""
    await trio.sleep(seconds)
    return number


ACTIVITIES: list[ActivityDefinition[..., Any]] = [contribute, flaky, slow]


class Leaf:
    """What leaves have in common: nothing within them, and by default no way to fail."""

    def inside(self, node: Node) -> Sequence[Node]:
        """None."""
        return ()

    def failures(self, node: Node) -> set[str]:
        """None."""
        return set()


class Act(Leaf):
    """`[act, number, value]`: an activity."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["act", maker.number(), maker.rng.randrange(1000)]

    async def run(self, node: Node, run: Run) -> Told:
        return await contribute(node[1], node[2])

    def judge(self, node: Node, told: Told) -> None:
        require(told == node[1] * 1_000_000 + node[2], node, told)


class Draw(Leaf):
    """`[draw, number]`: a random number goes through an activity."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["draw", maker.number()]

    async def run(self, node: Node, run: Run) -> Told:
        value = durable.random().randrange(1_000_000)
        return [value, await contribute(node[1], value)]

    def judge(self, node: Node, told: Told) -> None:
        require(told[1] == node[1] * 1_000_000 + told[0], node, told)


class Flaky(Leaf):
    """`[flaky, number, fails, attempts, pause]`: an activity that fails some times, under a retry policy."""

    def make(self, maker: Maker, depth: int) -> Node:
        rng = maker.rng
        return ["flaky", maker.number(), rng.choice([0, 1, 1, 2, 3]), rng.choice([1, 2, 3, 4]), rng.choice([0.5, 1.0, 5.0, 60.0])]

    async def run(self, node: Node, run: Run) -> Told:
        _, number, fails, attempts, pause = node
        return await flaky.with_options(retry=RetryPolicy(max_attempts=attempts, initial=pause))(number, fails)

    def judge(self, node: Node, told: Told) -> None:
        require(told == node[2] + 1 <= node[3], node, told)

    def failures(self, node: Node) -> set[str]:
        return {f"flaky {node[1]}"} if node[2] >= node[3] else set()


class Slow(Leaf):
    """`[slow, number, seconds, timeout or None]`: an activity that takes time, perhaps too much."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["slow", maker.number(), maker.seconds(), maker.rng.choice([None, None, 1.0, 5.0])]

    async def run(self, node: Node, run: Run) -> Told:
        _, number, seconds, timeout = node
        try:
            return await slow.with_options(timeout=timeout)(number, seconds)
        except ActivityTimedOutError:
            raise Broken(f"slow {number}") from None

    def judge(self, node: Node, told: Told) -> None:
        require(told == node[1] and (node[3] is None or node[2] <= node[3]), node, told)

    def failures(self, node: Node) -> set[str]:
        return {f"slow {node[1]}"} if node[3] is not None and node[2] >= node[3] else set()


class Sleep(Leaf):
    """`[sleep, number, seconds]`: a timer."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["sleep", maker.number(), maker.rng.choice([0, maker.seconds()])]

    async def run(self, node: Node, run: Run) -> Told:
        begun = durable.now()
        await durable.sleep(node[2])
        return (durable.now() - begun).total_seconds()

    def judge(self, node: Node, told: Told) -> None:
        require(told >= node[2], node, told)


class Receive(Leaf):
    """`[receive, number, name]`: wait for a signal."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["receive", maker.number(), maker.rng.choice(["go", "go", "side"])]

    async def run(self, node: Node, run: Run) -> Told:
        value = await SIGNALS[node[2]].receive()
        run.received[node[2]].append(value)
        return value

    def judge(self, node: Node, told: Told) -> None:
        require(isinstance(told, str), node, told)


class Send(Leaf):
    """`[send, number, target, name]`: signal another workflow, which may not be there, or be this one."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["send", maker.number(), maker.rng.choice([*maker.targets, "nobody"]), maker.rng.choice(["go", "side"])]

    async def run(self, node: Node, run: Run) -> Told:
        _, number, target, name = node
        try:
            await durable.signal_workflow(target, SIGNALS[name], f"{run.workflow_id}/{durable.info().run_id}/{number}")
        except SignalNotDeliveredError:
            return False
        return True

    def judge(self, node: Node, told: Told) -> None:
        require(told is False or (told is True and node[2] != "nobody"), node, told)


class Describe(Leaf):
    """`[describe, number]`: set an attribute."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["describe", maker.number()]

    async def run(self, node: Node, run: Run) -> Told:
        durable.set_attributes({"step": node[1], "team": "red" if node[1] % 2 else None})
        attributes = durable.info().attributes
        return attributes["step"]

    def judge(self, node: Node, told: Told) -> None:
        require(told == node[1], node, told)


class Break(Leaf):
    """`[break, number]`: fail."""

    def make(self, maker: Maker, depth: int) -> Node:
        return ["break", maker.number()]

    async def run(self, node: Node, run: Run) -> Told:
        await durable.checkpoint()
        raise Broken(f"break {node[1]}")

    def judge(self, node: Node, told: Told) -> None:
        require(False, node, told)

    def failures(self, node: Node) -> set[str]:
        return {f"break {node[1]}"}


add_kind("act", Act(), leaf=6)
add_kind("draw", Draw(), leaf=1)
add_kind("flaky", Flaky(), leaf=3)
add_kind("slow", Slow(), leaf=3)
add_kind("sleep", Sleep(), leaf=4)
add_kind("receive", Receive(), leaf=3)
add_kind("send", Send(), leaf=3)
add_kind("describe", Describe(), leaf=1)
add_kind("break", Break(), leaf=1)
