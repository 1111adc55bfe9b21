"""Replay stored histories with the code of today: whether a deploy would find its open workflows again.

    def test_histories_of_production() -> None:
        for file in sorted(Path("histories").glob("*.jsonl")):
            replay_history([checkout, ship], file.read_text().splitlines())

A history is what `engine.export_history` or `aion-trio journal export` writes. Nothing runs but workflow code: no engine, no
store, no clock, no activity; children and signals come from the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .. import events as ev
from ..codec import Codec, PayloadCodec
from ..definitions import Registry, WorkflowDefinition
from ..errors import InvalidInputError
from ..events import Raw
from ..journal.transfer import read_lines
from ..replay import Execution, RunIdentity, World
from ..stores.contract import WorkflowKey

AnyWorkflow = WorkflowDefinition[..., Any]

_ENDED_FROM_OUTSIDE = frozenset({ev.WORKFLOW_TERMINATED, ev.WORKFLOW_TIMED_OUT})


class Replayed(NamedTuple):
    """What was replayed: the workflow, how many runs of it and how many events."""

    workflow_id: str
    runs: int
    events: int


class RecordedRun(NamedTuple):
    """The events of one run, the first of which is `first_seq` of its workflow."""

    first_seq: int
    raws: list[Raw]


def replay_history(
    definitions: AnyWorkflow | Iterable[AnyWorkflow],
    lines: Iterable[str],
    *,
    step_owed: bool = False,
    payload_codecs: tuple[PayloadCodec, ...] = (),
) -> Replayed:
    """Replay every run of an exported history with the version that the run was started with (V1).

    `definitions` is the workflow, or everything that the history's runs may be: several versions, the types that it
    continued as. Say `step_owed` for a history that ends in the middle of a step, as a prefix does, or that was recorded
    while its workflow was quarantined: then the code may ask for more than the history's end holds.

    Raises `NonDeterminismError` with workflow, event and line of code where code and history part (K3),
    `WorkflowNotRegisteredError` for a type or version that is not given, `InvalidInputError` for lines that are no history.
    """
    given = [definitions] if isinstance(definitions, WorkflowDefinition) else list(definitions)
    world = World(Registry(given), Codec(payload_codecs))
    key, raws = read_lines(_each_a_line(lines))
    runs = list(runs_of(raws))
    for number, run in enumerate(runs, 1):
        replay_run(world, key, run, step_owed=step_owed and number == len(runs)).evict()
    return Replayed(key.workflow_id, len(runs), len(raws))


def _each_a_line(lines: Iterable[object]) -> Iterator[str]:
    """The lines, each of which is a text.

    The events of `handle.history()` are refused: they do not say whose they are, and what code draws from `durable.random`
    and how it names its children depends on the workflow's id.
    """
    what = "a history is the lines of `engine.export_history(id)`, or of `journal export`, each of which is one JSON object"
    if isinstance(lines, str):
        raise InvalidInputError(f"{what}; found one text: write text.splitlines()", "lines")
    for line in lines:
        if not isinstance(line, str):
            raise InvalidInputError(f"{what}; found an object of type {type(line).__name__}", "lines")
        yield line


def runs_of(raws: Sequence[Raw]) -> Iterator[RecordedRun]:
    """The runs of a history, oldest first."""
    starts = [index for index, raw in enumerate(raws) if raw[0] == ev.WORKFLOW_STARTED]
    for start, end in zip(starts, [*starts[1:], len(raws)], strict=True):
        yield RecordedRun(start + 1, list(raws[start:end]))


def replay_run(world: World, key: WorkflowKey, run: RecordedRun, *, step_owed: bool = False) -> Execution:
    """The code's state at the end of one run; the caller evicts it. Raises as `replay_history` does."""
    started = run.raws[0]
    definition = world.registry.workflow(started[2], started[3])
    execution = Execution(definition, RunIdentity(key.workflow_id, started[4], key.namespace), world)
    execution.position = run.first_seq - 1
    try:
        execution.replay(run.raws, step_owed=step_owed)
        if not step_owed and _newest_closing(run.raws) not in _ENDED_FROM_OUTSIDE:
            execution.require_settled()
    except BaseException:
        execution.evict()
        raise
    return execution


def _newest_closing(raws: Sequence[Raw]) -> int:
    """The code of the event that closed the run, 0 if it is open: what was ended from outside may owe a step for ever."""
    return next((raw[0] for raw in reversed(raws) if raw[0] in ev.CLOSING), 0)
