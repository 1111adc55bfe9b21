"""Clients and operators: what they ask for, how they ask again after a crash, and what they were told.

A client does its operations one after the other. When an engine dies under it, it does what a real one would: some ask
again with the same ids and request ids, others give up and never learn what became of it. Each operation keeps what it
knows, and the laws hold it against the journal at the end. An operation of a new kind is a class in `OPERATIONS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import trio

from ...engine import Engine, WorkflowHandle
from ...errors import (
    AionError,
    AppendOutcomeUnknown,
    EngineClosedError,
    JournalFullError,
    QueryNotServedError,
    WorkflowAlreadyStartedError,
    WorkflowCancelledError,
    WorkflowClosedError,
    WorkflowFailedError,
    WorkflowNotFoundError,
    WorkflowNotRegisteredError,
    WorkflowQuarantinedError,
    WorkflowTerminatedError,
    WorkflowTimedOutError,
)
from .families import EMPTY
from .lawbook import Breach, Law
from .nodes import Maker, Node
from .programs import PROGRESS, make_program
from .steps import SIGNALS

TRY_AGAIN = (AppendOutcomeUnknown, EngineClosedError, JournalFullError, WorkflowQuarantinedError)
"""What a client may meet through no fault of its own: the engine is in trouble, and says so."""

ENDINGS = (WorkflowFailedError, WorkflowCancelledError, WorkflowTerminatedError, WorkflowTimedOutError)


@dataclass(slots=True)
class Asked:
    """What a client knows of one operation: how often it asked, when last (`began`), and the answer or refusal it got (`ended`)."""

    tries: int = 0
    began: float = 0.0
    ended: float = 0.0
    answer: Any = None
    refusal: AionError | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the engine said yes."""
        return self.answer is not None


@dataclass(slots=True)
class Operation:
    """One thing that a client asks of the workflow `target`, after waiting `delay` seconds.

    `number` makes its texts unique, so that what came of it can be told from everything else. `persists` says whether
    the client asks again when it got no answer.
    """

    number: int
    target: str
    delay: float
    persists: bool
    asked: Asked = field(default_factory=Asked)
    refusals: ClassVar[tuple[type[AionError], ...]] = (WorkflowNotFoundError, WorkflowClosedError)

    async def ask(self, engine: Engine) -> Any:
        """Ask once; the answer, which is not None."""
        raise NotImplementedError

    async def handle(self, engine: Engine) -> WorkflowHandle[Any]:
        """The target; for some operations only the run of it that is the newest when they look."""
        handle = engine.handle(self.target)
        return handle if self.number % 4 else engine.handle(self.target, (await handle.describe()).run_id)


class Common(NamedTuple):
    """What every operation has, in its order."""

    number: int
    target: str
    delay: float
    persists: bool


@dataclass(slots=True)
class StartIt(Operation):
    """Start a workflow."""

    program: Node = field(default_factory=list[Any])
    if_exists: Literal["use", "fail", "new_run"] = "use"
    with_request: bool = True
    timeout: float | None = None
    refusals = (WorkflowAlreadyStartedError, WorkflowNotRegisteredError)

    @property
    def request_id(self) -> str | None:
        return f"start-{self.number}" if self.with_request else None

    async def ask(self, engine: Engine) -> Any:
        handle = await engine.start(
            "program", self.program, EMPTY, id=self.target, if_exists=self.if_exists, timeout=self.timeout,
            attributes={"number": self.number}, request_id=self.request_id,
        )  # fmt: skip
        return handle.run_id


@dataclass(slots=True)
class SignalIt(Operation):
    """Signal a workflow with a text of its own."""

    name: str = "go"
    with_request: bool = True

    @property
    def text(self) -> str:
        return f"signal-{self.number}"

    @property
    def request_id(self) -> str | None:
        return self.text if self.with_request else None

    async def ask(self, engine: Engine) -> Any:
        await (await self.handle(engine)).signal(SIGNALS[self.name], self.text, request_id=self.request_id)
        return True


@dataclass(slots=True)
class CancelIt(Operation):
    """Request cancellation."""

    with_request: bool = True

    async def ask(self, engine: Engine) -> Any:
        request_id = f"cancel-{self.number}" if self.with_request else None
        await (await self.handle(engine)).cancel(f"cancel-{self.number}", request_id=request_id)
        return True


@dataclass(slots=True)
class TerminateIt(Operation):
    """Terminate; asked once, for asking twice could end another run."""

    async def ask(self, engine: Engine) -> Any:
        await (await self.handle(engine)).terminate(f"terminate-{self.number}")
        return True


@dataclass(slots=True)
class QueryIt(Operation):
    """Query how far a workflow has come."""

    refusals = (WorkflowNotFoundError, WorkflowNotRegisteredError, QueryNotServedError)

    async def ask(self, engine: Engine) -> Any:
        return await (await self.handle(engine)).query(PROGRESS)


@dataclass(slots=True)
class AwaitIt(Operation):
    """Wait for the end of the newest chain."""

    refusals = (WorkflowNotFoundError,)

    async def ask(self, engine: Engine) -> Any:
        run_id = (await engine.handle(self.target).describe()).run_id
        try:
            return [run_id, "completed", await engine.handle(self.target).result()]
        except ENDINGS as error:
            return [run_id, type(error).__name__, str(error)]


@dataclass(slots=True)
class LookAround(Operation):
    """List, count and describe everything, and export one history."""

    async def ask(self, engine: Engine) -> Any:
        listed = [summary async for summary in engine.list_workflows()]
        assert await engine.count_workflows() >= len(listed)
        for summary in listed:
            description = await engine.handle(summary.id).describe()
            assert description.id == summary.id and description.history_length > 0
        return len(await engine.export_history(self.target))


@dataclass(slots=True)
class ReleaseIt(Operation):
    """Let a workflow try again, quarantined or not."""

    async def ask(self, engine: Engine) -> Any:
        engine.release(self.target)
        return True


def _start(rng: random.Random, maker: Maker, common: Common) -> Operation:
    maker.budget, maker.children = rng.randint(3, 25), 3
    return StartIt(
        *common, program=make_program(maker), if_exists=rng.choice(["use", "use", "fail", "new_run", "new_run"]),
        with_request=rng.random() < 0.7, timeout=rng.choice([None, None, None, None, None, 20.0, 5.0, 300.0]),
    )  # fmt: skip


Making = Callable[[random.Random, Maker, Common], Operation]

OPERATIONS: list[tuple[int, Making]] = [
    (5, _start),
    (7, lambda rng, _, common: SignalIt(*common, name=rng.choice(["go", "go", "side"]), with_request=rng.random() < 0.7)),
    (1, lambda rng, _, common: CancelIt(*common, with_request=rng.random() < 0.7)),
    (1, lambda _, __, common: TerminateIt(*common)),
    (2, lambda _, __, common: QueryIt(*common)),
    (1, lambda _, __, common: AwaitIt(*common)),
    (1, lambda _, __, common: LookAround(*common)),
    (1, lambda _, __, common: ReleaseIt(*common)),
]
"""Every operation, with its weight."""


def make_clients(rng: random.Random, maker: Maker, clients: int, operations: int) -> list[Client]:
    """Clients with random operations; the first of each is a start, and numbers are unique over all of them."""
    weights = [weight for weight, _ in OPERATIONS]
    made: list[Client] = []
    number = 0
    for _ in range(clients):
        todo: list[Operation] = []
        for position in range(operations):
            number += 1
            common = Common(number, rng.choice(maker.targets), rng.choice([0.0, 0.0, 0.5, 1.0, 3.0, 30.0]), rng.random() < 0.8)
            making = _start if position == 0 else rng.choices([making for _, making in OPERATIONS], weights)[0]
            todo.append(making(rng, maker, common))
        made.append(Client(todo))
    return made


class Client:
    """A client that lives through the deaths of engines."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = list(operations)
        self._at = 0
        self.surprises: list[Breach] = []

    @property
    def current(self) -> Operation | None:
        """What it is about, None when it is done."""
        return self.operations[self._at] if self._at < len(self.operations) else None

    async def act(self, engine: Engine) -> None:
        """Go on where the last engine died, until everything was asked for."""
        while (operation := self.current) is not None:
            if operation.asked.tries and not (operation.persists and not isinstance(operation, TerminateIt)):
                self._at += 1  # it asked once, was not answered, and leaves it at that
                continue
            await trio.sleep(operation.delay)
            if await self._asked(operation, engine):
                self._at += 1

    async def _asked(self, operation: Operation, engine: Engine) -> bool:
        """Ask; whether there was an answer, of whatever kind."""
        operation.asked.tries += 1
        operation.asked.began = trio.current_time()
        try:
            operation.asked.answer = await operation.ask(engine)
            operation.asked.ended = trio.current_time()
        except operation.refusals as error:
            operation.asked.refusal = error
        except TRY_AGAIN:
            await trio.sleep(1)
            return operation.asked.tries > 20
        except Exception as error:
            self.surprises.append(Breach(Law.PROMISED_ERRORS, f"{operation} met {type(error).__name__}: {error}"))
        return True


def operations_of(clients: Sequence[Client]) -> Iterator[Operation]:
    """Everything that was to be asked for."""
    for client in clients:
        yield from client.operations
