"""How one supervisor answers to the ends of its children."""

from __future__ import annotations

from dataclasses import dataclass

from .given import require_kind, word
from .policy import AutoShutdown, Budget, Restart, Strategy
from .slot import Child


@dataclass(frozen=True, slots=True)
class Settings:
    """What `open_supervisor` was told."""

    strategy: Strategy
    budget: Budget
    auto_shutdown: AutoShutdown

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategy", word("strategy", self.strategy, Strategy))
        require_kind("budget", self.budget, Budget, "a Budget")
        object.__setattr__(self, "auto_shutdown", word("auto_shutdown", self.auto_shutdown, AutoShutdown))

    def require_sound(self, child: Child) -> None:
        """Refuse what is no child, and a child whose declaration this supervisor could not keep."""
        require_kind("a child of a supervisor", child, Child, "a Child(name, fn)")
        if child.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise ValueError(f"{child.name!r} is significant, but this supervisor has no auto_shutdown")
        if child.significant and child.restart is Restart.PERMANENT:
            raise ValueError(f"{child.name!r} is significant and permanent: it could never end for good")

    def lesson(self, child: Child) -> str | None:
        """What to tell the author of a child that would be restarted for ever."""
        return self.budget.lesson(repr(child.name), child.backoff) if child.restart is not Restart.TEMPORARY else None
