"""Children and instruments that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from aion_trio.supervision import Backoff, Budget, Exit, Instrument, Mailbox, Request

PROMPT = Backoff(initial=0.1, jitter=0)
AT_ONCE = Backoff(initial=0, maximum=0)
SLOW = Backoff(initial=3, maximum=3, jitter=0)
AMPLE = Budget(9, 1000.0)
Actor = Callable[[str, Mailbox[Any]], Awaitable[None]]


class Recorder(Instrument):
    """Keeps what it is told, by the last part of the path."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def _keep(self, what: str, path: str, *details: Any) -> None:
        self.told.append((what, path.rpartition("/")[2], *details))

    def of(self, what: str) -> list[tuple[Any, ...]]:
        """Everything told under ``what``, without that word."""
        return [told[1:] for told in self.told if told[0] == what]

    def child_started(self, path: str, run: int) -> None:
        self._keep("started", path, run)

    def child_exited(self, path: str, exit: Exit) -> None:
        self._keep("exited", path, exit.how)

    def child_restarting(self, path: str, delay: float, streak: int) -> None:
        self._keep("restarting", path, streak)

    def child_unresponsive(self, path: str, waited: float, stack: str) -> None:
        self._keep("unresponsive", path, waited, stack)

    def supervisor_gave_up(self, path: str, failures: Sequence[Exception]) -> None:
        self._keep("gave up", path, tuple(failures))

    def actor_quarantined(self, path: str, error: Exception) -> None:
        self._keep("quarantined", path, error)

    def dead_letter(self, path: str, message: object) -> None:
        self._keep("dead", path, message)


async def forever(log: list[str] | None = None, name: str = "", *, task_status: trio.TaskStatus[str]) -> None:
    """A child that never ends of itself and logs when it is stopped."""
    task_status.started(name)
    try:
        await trio.sleep_forever()
    finally:
        if log is not None:
            log.append(f"down {name}")


def failing(times: float, error: BaseException | None = None, after: float = 0.01) -> Callable[..., Awaitable[None]]:
    """A child whose first ``times`` runs fail."""
    runs = 0

    async def run(*, task_status: trio.TaskStatus[int]) -> None:
        nonlocal runs
        runs += 1
        task_status.started(runs)
        await trio.sleep(after)
        if runs <= times:
            raise error if error is not None else ValueError(f"run {runs}")
        await trio.sleep_forever()

    return run


@dataclass(frozen=True)
class Length(Request[int]):
    """How long is this text? An actor that is asked about 'die' does."""

    text: str


async def measure(mailbox: Any, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """An actor that answers `Length`."""
    task_status.started()
    async for request in mailbox:
        if request.text == "die":
            raise ValueError("poison")
        request.reply(len(request.text))


def tidy(seconds: float) -> Callable[..., Awaitable[None]]:
    """A child whose clean-up takes so long."""

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(seconds)

    return run


async def reads(key: str, mailbox: Mailbox[Any]) -> None:
    """An actor that ends when it is let go."""
    async for _ in mailbox:
        pass


def lasting(*seconds: float) -> Actor:
    """An actor whose runs fail after so long each, from its first message on."""
    left = list(seconds)

    async def activate(key: str, mailbox: Mailbox[Any]) -> None:
        if mailbox.received == 0:
            await mailbox.receive()
        if not left:
            return
        await trio.sleep(left.pop(0))
        raise ValueError

    return activate
