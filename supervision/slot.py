"""One child: what it is declared to be, its place in the tree, and each of its runs."""

from __future__ import annotations

import enum
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import trio
from trio.lowlevel import enable_ki_protection

from .errors import StartFailed
from .exits import Exit, How
from .given import require_callable, require_kind, require_numbers, word
from .instrument import Instruments
from .mailbox import Mailbox
from .place import Place, here
from .policy import Backoff, Restart
from .requests import Slip
from .snapshot import Inspectable, Node


class State(enum.Enum):
    """What one child is doing."""

    IDLE = "idle"  #: not started yet
    STARTING = "starting"  #: has not called ``started()``
    RUNNING = "running"
    STOPPING = "stopping"
    WAITING = "waiting"  #: for its back-off, or for its supervisor to answer its end
    DONE = "done"  #: will not be run again by itself


@dataclass(frozen=True, slots=True)
class Child:
    """One child: what to run, under which name, and what to do when it ends.

    ``fn(*args, task_status=...)`` is called as `trio.Nursery.start` would call it, and the next child is not started
    until it has called ``task_status.started()``. ``shutdown`` is how many seconds it gets to empty its ``mailbox``
    when the supervisor stops, before it is cancelled. A ``significant`` child is one that `AutoShutdown` looks at.
    ``restart`` may also be its name, as ``"permanent"`` from a file of settings; the field is a `Restart` in any case.

    Raises `TypeError` for a field of the wrong kind, `ValueError` for a value that makes no sense; both say what was found.
    """

    name: str
    fn: Callable[..., Awaitable[object]]
    args: tuple[Any, ...] = ()
    restart: Restart = Restart.TRANSIENT
    shutdown: float = 5.0
    backoff: Backoff = field(default_factory=Backoff)
    significant: bool = False
    mailbox: Mailbox[Any] | None = None

    def __post_init__(self) -> None:
        require_kind("the name of a child", self.name, str, "a string")
        if not self.name or "/" in self.name:
            raise ValueError(f"a child's name is a part of a path: not empty and without '/', found {self.name!r}")
        child = f"child {self.name!r}"
        require_callable(child, self.fn, "an async function that takes task_status")
        require_kind(f"{child}: args", self.args, (tuple, list), "a tuple of arguments, as in (x,)")
        object.__setattr__(self, "restart", word(f"{child}: restart", self.restart, Restart))
        require_kind(f"{child}: backoff", self.backoff, Backoff, "a Backoff")
        require_kind(f"{child}: mailbox", self.mailbox, (Mailbox, NoneType), "a Mailbox or None")
        require_numbers(child, shutdown=self.shutdown)
        if not self.shutdown >= 0:
            raise ValueError(f"shutdown is a number of seconds from 0, found {self.shutdown!r}")


class Run:
    """One run of a child, with a cancel scope of its own. It is also the run's ``task_status``."""

    __slots__ = ("begun", "ended", "exit", "scope", "settled", "slot", "stopping", "task", "up")

    def __init__(self, slot: Slot, now: float) -> None:
        self.slot = slot
        # Shielded: a run ends by itself or because its supervisor cancels it, never because a scope further out
        # does so. That is what lets the body of the block be left first and the children in their order.
        self.scope = trio.CancelScope(shield=True)
        self.settled = trio.Event()  # it has started, or ended before that
        self.ended = trio.Event()
        self.task: trio.lowlevel.Task | None = None
        self.up = False
        self.stopping = False
        self.begun = now
        self.exit: Exit | None = None

    def started(self, value: Any = None) -> None:
        """The run is ready; called by the child, once."""
        if self.up:
            raise RuntimeError("task_status.started() was called twice")
        self.up = True
        self.slot.value = value
        self.settled.set()


class Slot:
    """The place of one child under its supervisor, across its runs. At most one run is alive at any time."""

    def __init__(self, child: Child, supervisor: str, instruments: Instruments, above: Place | None) -> None:
        if child.mailbox is not None:
            if child.mailbox.owner is not None or child.mailbox.closed:
                raise ValueError(
                    f"the mailbox of {child.name!r} is closed or belongs to {child.mailbox.name} already; it serves one child of "
                    "one supervisor, so a supervisor that is itself run again has to make the mailboxes of its children anew"
                )
            child.mailbox.owner = self
        self.above = above  # where its supervisor was opened
        self.child = child
        self.path = f"{supervisor}/{child.name}"
        self.instruments = instruments
        self.run: Run | None = None
        self.value: Any = None  # what the newest run to start has passed to started()
        self.exit: Exit | None = None
        self.runs = self.streak = 0
        self.due = math.inf
        self.watchers: dict[object, Callable[[Exit | None], None]] = {}
        self.unanswered = False  # its last run has ended, and the supervisor has not come to it yet
        self.gone = False  # there will be no further run
        self.asking: Slip | None = None
        self._inner: list[Inspectable] = []

    @property
    def pending(self) -> bool:
        """It is up, or will be, or may be."""
        return self.run is not None or self.due < math.inf or self.unanswered

    @property
    def state(self) -> State:
        run = self.run
        if run is not None:
            return State.STOPPING if run.stopping else State.RUNNING if run.up else State.STARTING
        if self.due < math.inf or self.unanswered:
            return State.WAITING
        return State.DONE if self.runs else State.IDLE

    @property
    def task(self) -> trio.lowlevel.Task | None:
        return self.run.task if self.run is not None else None

    @property
    def mailbox(self) -> Mailbox[Any] | None:
        return self.child.mailbox

    def contain(self, inner: Inspectable) -> None:
        self._inner.append(inner)

    def release(self, inner: Inspectable) -> None:
        self._inner.remove(inner)

    def idled(self) -> None: ...

    def woken(self) -> None: ...

    def disown(self) -> None:
        """It was declared in vain: the mailbox is free for another child."""
        if self.mailbox is not None:
            self.mailbox.owner = None

    def begin(self, now: float) -> Run:
        """Enter a new run; it is still to be started."""
        self.run = Run(self, now)
        self.due = math.inf
        self.runs += 1
        return self.run

    async def live(self, run: Run) -> None:
        """Be the run. An `Exception` ends here and is kept as its `Exit`; whatever else it raises goes on up."""
        here.set(self)
        run.task = trio.lowlevel.current_task()
        error: BaseException | None = None
        try:
            with run.scope:
                await self.child.fn(*self.child.args, task_status=run)
        except Exception as exc:
            error = exc
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._end(run, error)

    @enable_ki_protection
    def _end(self, run: Run, error: BaseException | None) -> None:
        now = trio.current_time()
        how: How = "returned"
        if error is not None:
            how = "raised"
        elif run.scope.cancelled_caught:
            how = "stopped"
        elif not run.up and not run.stopping:
            how, error = "raised", StartFailed(f"{self.path} returned before it called started()")
        run.exit = self.exit = Exit(self.path, how, error, now, now - run.begun)
        self.run = run.task = None
        if self.mailbox is not None:
            self.mailbox.end_run()
        run.settled.set()
        run.ended.set()
        for tell in tuple(self.watchers.values()):
            tell(self.exit)
        exit = run.exit
        self.instruments.tell(lambda each: each.child_exited(self.path, exit))

    async def drain(self, run: Run) -> None:
        """Let ``run`` end what it has begun: empty its mailbox, or stop what it has opened in good order."""
        if self.mailbox is not None:
            self.mailbox.close()
            await run.ended.wait()
            return
        inner = tuple(self._inner)
        for each in inner:
            each.stop()
        for each in inner:
            await each.stopped()

    def forget_watchers(self) -> None:
        """There will be no further run."""
        self.gone = True
        watchers, self.watchers = self.watchers, {}
        for tell in watchers.values():
            tell(None)

    def bury_mailbox(self) -> None:
        """Nobody will receive what is left in the mailbox."""
        if self.mailbox is not None:
            for message in self.mailbox.bury():
                self._dead_letter(message)

    def _dead_letter(self, message: object) -> None:
        self.instruments.tell(lambda each: each.dead_letter(self.path, message))

    def snapshot(self, now: float) -> Node:
        """This child; the children of what its present run has opened are shown as its own."""
        inner = [each.snapshot() for each in self._inner]
        return Node(
            path=self.path,
            name=self.child.name,
            kind=inner[0].kind if inner else "child",
            state=self.state.value,
            runs=self.runs,
            up_for=now - self.run.begun if self.run is not None else 0.0,
            queued=self.mailbox.queued if self.mailbox is not None else 0,
            last_exit=self.exit,
            children=tuple(node for each in inner for node in each.children),
        )
