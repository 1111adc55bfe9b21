"""Messages that want an answer, and the circles that asking could close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio
from outcome import Error, Outcome, Value
from trio.lowlevel import enable_ki_protection

from .errors import AskCycle, NotAnswered, SupervisionError

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .place import Place

R = TypeVar("R", covariant=True)


class Slip:
    """One asking of a request: who waits, where the request lies, and what came of it.

    It is settled once: by the answer, by the end of whoever had the request, or by the asker going away.
    """

    __slots__ = ("_task", "asker", "holder", "outcome", "wanted")

    def __init__(self, asker: Place | None) -> None:
        self.asker = asker
        self.holder: Mailbox[Any] | None = None
        self.outcome: Outcome[Any] | None = None
        self.wanted = True
        self._task: trio.lowlevel.Task | None = None

    @property
    def live(self) -> bool:
        """Somebody waits, and nothing has come of it yet."""
        return self.wanted and self.outcome is None

    @enable_ki_protection
    def settle(self, outcome: Outcome[Any]) -> None:
        """Let the asker go on with ``outcome``."""
        self.outcome = outcome
        self.leave_holder()
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task, outcome)

    def leave_holder(self) -> None:
        """The request is no longer the business of the actor that had it."""
        if self.holder is not None:
            self.holder.let_go(self)
            self.holder = None

    @enable_ki_protection
    async def answer(self) -> Any:
        """Wait until it is settled. If this is cancelled, the request is withdrawn."""
        if self.outcome is not None:
            return self.outcome.unwrap()
        self._task = trio.lowlevel.current_task()
        return await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        self.withdraw()
        return trio.lowlevel.Abort.SUCCEEDED

    @enable_ki_protection
    def withdraw(self) -> None:
        """The asker has gone away: nobody needs to be told, and if it is still queued nobody needs to do it."""
        self.wanted = False
        holder = self.holder
        self.leave_holder()
        if holder is not None:
            holder.withdraw(self)


class Request(Generic[R]):
    """Base of messages that want an answer of type ``R``; send them with `Address.ask`.

    Subclass it with the fields that the question has, as a dataclass if you like (frozen and slotted ones work)::

        @dataclass(frozen=True)
        class Balance(Request[int]):
            account: str

    One that is merely sent, not asked, can be answered too: the answer goes nowhere.
    """

    __slots__ = ("_slip",)
    _slip: Slip | None

    def __new__(cls, *args: object, **kwargs: object) -> Request[R]:
        self = super().__new__(cls)
        object.__setattr__(self, "_slip", None)
        return self

    @property
    def slip(self) -> Slip | None:
        """The asking that this request is part of; the business of mailboxes."""
        return self._slip

    def issue(self, asker: Place | None) -> Slip:
        """Begin an asking. A request object can be asked again once it has been settled."""
        if self._slip is not None and self._slip.live:
            raise RuntimeError(f"{self!r} is already being asked; make another one")
        slip = Slip(asker)
        object.__setattr__(self, "_slip", slip)
        return slip

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for the answer."""
        return self._slip is not None and self._slip.live

    # R is covariant for the sake of those who ask: `print(await actor.ask(question))` would not type-check otherwise.
    # That a subclass answers with its own R is what makes it safe here.
    def reply(self, value: R) -> None:  # type: ignore[misc]
        """Answer with ``value``. Nothing happens if nobody waits any more; a second answer is a `RuntimeError`."""
        self._settle(Value(value))

    def fail(self, error: Exception) -> None:
        """Answer by raising ``error`` at the asker."""
        self._settle(Error(error))

    def _settle(self, outcome: Outcome[R]) -> None:
        slip = self._slip
        if slip is None or not slip.wanted:
            return
        if slip.outcome is None:
            slip.settle(outcome)
        elif not (isinstance(slip.outcome, Error) and isinstance(slip.outcome.error, SupervisionError)):
            raise RuntimeError(f"{self!r} has already been answered")


def forsake(slip: Slip, actor: str) -> None:
    """The run that had the request in hand has ended."""
    if slip.live:
        slip.settle(Error(NotAnswered(f"{actor} ended with this request in hand; whether it acted on it is not known")))


def require_no_cycle(slip: Slip, target: Mailbox[Any]) -> None:
    """Raise `AskCycle` if the actor of ``target`` waits, over however many others, for the one behind ``slip``.

    An actor waits for another while its *main* task is in `ask`; the request is taken to wait for the actor whose
    mailbox it was last put in. Nobody waits for two answers at once, so this is a walk along one path.
    """
    asker = slip.asker
    if asker is None:
        return
    path = [asker]
    node = target.owner
    while node is not None and node not in path[1:]:
        path.append(node)
        if node is asker:
            raise AskCycle([place.path for place in path])
        holder = node.asking.holder if node.asking is not None else None
        node = holder.owner if holder is not None else None
