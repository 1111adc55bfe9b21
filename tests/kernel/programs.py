"""Random structured-concurrency programs: trees that `interpreter` runs on the kernel, on AnyIO and on Trio itself.

A program is data, made from a seed alone. What it does may depend on what other tasks did before (`branch`, `race`,
`cancel_child`), so that a schedule that differs anywhere soon shows in the trace.
"""

from __future__ import annotations

import random
from typing import Any

Node = tuple[Any, ...]

_LEAVES = (
    "op", "op", "op", "sleep", "shared", "branch", "yield", "fail_op", "set_event", "locked", "semaphore", "limited",
    "generator", "channel", "condition", "signal", "child", "broken_lock",
)  # fmt: skip
_INNER = (
    "sequence", "fan", "fan", "race", "timeout", "shielded", "catch", "raise", "start", "start_late", "wait_event", "consumers",
    "cancel_child", "fail_after", "move_deadline", "unshield",
)  # fmt: skip


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"program {seed}")
        self.count = 0

    def node(self, depth: int) -> Node:
        rng = self.rng
        kind = rng.choice(_LEAVES if depth <= 0 or rng.random() < 0.35 else _INNER)
        self.count += 1
        number = self.count
        match kind:
            case "sleep":
                return kind, number, rng.choice([0, 0.001, 0.005, 0.005, 0.02])
            case "sequence":
                return kind, number, self.nodes(depth, 2, 4)
            case "fan" | "race" | "cancel_child":
                return kind, number, self.nodes(depth, 2, 5)
            case "timeout" | "fail_after" | "move_deadline":
                return kind, number, rng.choice([0.001, 0.004, 0.01, 0.03]), self.node(depth - 1)
            case "shielded" | "catch" | "start" | "start_late" | "wait_event" | "unshield":
                return kind, number, self.node(depth - 1)
            case "consumers":
                return kind, number, rng.choice([0, 0, 1, 3]), rng.randint(1, 4), rng.randint(1, 4), rng.randint(0, 3)
            case _:
                return kind, number, rng.randrange(4)

    def nodes(self, depth: int, least: int, most: int) -> list[Node]:
        return [self.node(depth - 1) for _ in range(self.rng.randint(least, most))]


def generate(seed: int) -> Node:
    """The program of a seed."""
    maker = _Maker(seed)
    fans = [("fan", -2, [maker.node(3) for _ in range(maker.rng.randint(3, 6))]) for _ in range(2)]
    return "catch", 0, ("sequence", -1, fans)
