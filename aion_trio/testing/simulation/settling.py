"""How a simulation comes to its end: everything is brought to rest, in a life that nothing disturbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio
from trio.testing import wait_all_tasks_blocked

from ...engine import Engine
from ...errors import AionError
from ...history import WorkflowStatus
from ...stores.contract import ObligationKind
from .clients import TRY_AGAIN, Client
from .lawbook import Breach, Law
from .steps import SIGNALS

ROUNDS = 120
"""How often waiting workflows get one more signal of each name."""


@dataclass(slots=True)
class Settling:
    """Waits until all is closed and nothing is owed; who waits for signals gets some. `breaches` is what went wrong meanwhile.

    In a `foreign` journal a child may be owed to a parent whose history does not reach to it, for ever.
    """

    clients: Sequence[Client] = ()
    foreign: bool = False
    breaches: list[Breach] = field(default_factory=list[Breach])

    async def settle(self, engine: Engine) -> None:
        """Return when everything is at rest, or when that does not come about."""
        pause = 1.0
        for count in range(ROUNDS):
            await wait_all_tasks_blocked()
            if await self._at_rest(engine):
                return
            await trio.sleep(pause)
            pause = min(2 * pause, 3600.0)
            if count >= 3:
                await self._pump(engine, count)

    async def _at_rest(self, engine: Engine) -> bool:
        if await engine.count_workflows(status=WorkflowStatus.RUNNING) or any(client.current is not None for client in self.clients):
            return False
        excused = {ObligationKind.CHILD_CLOSED} if self.foreign else frozenset[ObligationKind]()
        rows = (row for kind in ObligationKind if kind not in excused for row in engine.journal.obligations(kind))
        return not any(row.key.namespace == engine.config.namespace for row in rows)

    async def _pump(self, engine: Engine, count: int) -> None:
        """One more signal of each name for those that wait for nothing else: what is due or runs must go on by itself."""
        async for summary in engine.list_workflows(status=WorkflowStatus.RUNNING):
            if engine.journal.obligations_of(engine.key(summary.id)):
                continue
            for name, signal in SIGNALS.items():
                try:
                    await engine.handle(summary.id).signal(signal, f"pump-{count}", request_id=f"pump-{count}-{name}")
                except AionError as error:
                    if isinstance(error, TRY_AGAIN):
                        self.breaches.append(Breach(Law.PROMISED_ERRORS, f"{type(error).__name__} in the last life: {error}"))
