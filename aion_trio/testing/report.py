"""What an exploration of crashes found, told as a story."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .tape import Commit


class CrashPoint(NamedTuple):
    """The process dies at the `commit`-th commit of its life: before it takes effect, or `after` it did and before anybody was told."""

    commit: int
    after: bool

    def __str__(self) -> str:
        return f"commit {self.commit}, {'made and not acknowledged' if self.after else 'not made'}"


Deaths = tuple[CrashPoint, ...]
"""One crash for each life of the engine but the last, which is left in peace."""


@dataclass(frozen=True, slots=True)
class CrashFinding:
    """One crash, or sequence of crashes, after which something differs from the undisturbed run.

    `commits` are what the crashed commits held, `what` is the first difference.
    """

    deaths: Deaths
    commits: tuple[Commit, ...]
    what: str

    def __str__(self) -> str:
        lines = [f"{self.what}"]
        for life, (death, commit) in enumerate(zip(self.deaths, self.commits, strict=False), 1):
            lines.append(f"  life {life} ended at {death}:")
            lines += [f"    {line}" for line in commit]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What `explore_crashes` did: commits of the undisturbed run, sequences of crashes that were tried, lives that were lived."""

    commits: int
    tried: int
    lives: int
    findings: tuple[CrashFinding, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether no crash made a difference."""
        return not self.findings

    def __str__(self) -> str:
        head = f"{self.tried} sequences of crashes over {self.commits} commits ({self.lives} lives): "
        if self.sound:
            return head + "nothing was lost, nothing was done twice"
        return "\n".join([head + f"{len(self.findings)} of them made a difference", *map(str, self.findings)])
