"""The workflows that run programs, and the programs of a seed."""

from __future__ import annotations

from typing import Any

from ... import durable
from ...definitions import Query, WorkflowDefinition, workflow
from . import families, steps, structure
from .nodes import KINDS, Broken, Maker, Node, Told, everywhere, failures, judge, require, tags_of

PROGRESS = Query("progress", list[Any])
Received = dict[str, list[str]]

CAPABILITIES = (steps, structure, families)
"""The modules whose kinds programs are made of."""


class ProgramRun:
    """One run of a program: what it has received over the whole chain, and how many nodes it has done."""

    def __init__(self, received: Received) -> None:
        info = durable.info()
        self.workflow_id = info.workflow_id
        self.received = received
        self.done = 0
        PROGRESS.serve(lambda: [info.run_id, self.done, sum(map(len, received.values()))])

    async def node(self, node: Node) -> Told:
        """Run a node; what it told."""
        told = await KINDS[node[0]].run(node, self)
        self.done += 1
        return told


async def _run(version: int, program: Node, received: Received) -> list[Any]:
    run = ProgramRun(received)
    try:
        told = await run.node(program)
    except BaseExceptionGroup as group:
        tags = tags_of(group)
        if not tags:
            raise
        raise Broken(",".join(sorted(tags))) from None
    return [version, told, run.received]


@workflow(name="program")
async def program(node: list[Any], received: Received) -> list[Any]:
    """Run a program; `[version, what it told, what it received]`."""
    return await _run(1, node, received)


@workflow(name="program", version=2)
async def program_2(node: list[Any], received: Received) -> list[Any]:
    """The same, newer."""
    return await _run(2, node, received)


@workflow(name="other")
async def other(node: list[Any], received: Received) -> list[Any]:
    """The same under another name."""
    return await _run(1, node, received)


WORKFLOWS: list[WorkflowDefinition[..., Any]] = [program, program_2, other]


def make_program(maker: Maker) -> Node:
    """A random program; most of its parts go on after a failure, or programs would end too soon to be crashed."""
    parts = maker.nodes(4, 1, 5)
    parts = [["catch", maker.number(), part] if maker.rng.random() < 0.6 else part for part in parts]
    if maker.rng.random() < 0.2:
        parts.append(KINDS["shield"].make(maker, 1))
    if maker.rng.random() < 0.4:
        parts.append(KINDS["continue"].make(maker, 2))
    return ["seq", maker.number(), parts]


def judge_result(node: Node, version: int, result: list[Any]) -> None:
    """Raise `Wrong` unless a run of this version of a program can have this result."""
    require(len(result) == 3 and result[0] == version, node, result)
    judge(node, result[1])


def judge_failure(node: Node, message: str) -> None:
    """Raise `Wrong` unless the program can have failed with this message."""
    tags = set(message.split(","))
    require(tags <= failures(node), node, f"failure {message!r}")


def continues_beside_others(node: Node) -> bool:
    """Whether the program may continue as new while another of its tasks goes on."""
    return any(part[0] == "continue" for found in everywhere(node) if found[0] in ("fan", "race", "meet") for part in everywhere(found))


def successors_of(node: Node) -> list[tuple[Node, str | None]]:
    """The programs, and types, that a run may continue as."""
    return [(found[2], found[3]) for found in everywhere(node) if found[0] == "continue"]
