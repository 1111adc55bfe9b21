"""How one supervisor answers to the ends of its children."""

from __future__ import annotations

from dataclasses import dataclass

from .policy import AutoShutdown, Budget, Restart, Strategy
from .slot import Child


@dataclass(frozen=True, slots=True)
class Settings:
    """What `open_supervisor` was told."""

    strategy: Strategy
    budget: Budget
    auto_shutdown: AutoShutdown

    def require_sound(self, child: Child) -> None:
        """Refuse a child whose declaration this supervisor could not keep."""
        if child.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise ValueError(f"{child.name!r} is significant, but this supervisor has no auto_shutdown")
        if child.significant and child.restart is Restart.PERMANENT:
            raise ValueError(f"{child.name!r} is significant and permanent: it could never end for good")

    def lesson(self, child: Child) -> str | None:
        """What to tell the author of a child that would be restarted for ever."""
        return self.budget.lesson(repr(child.name), child.backoff) if child.restart is not Restart.TEMPORARY else None
