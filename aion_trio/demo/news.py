"""What the worker tells the conductor: JSON lines on its standard output."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aion_trio as aion

SWEEPS = ("children_started", "successors_started", "results_delivered", "signals_delivered", "wakeups_due", "activities_resumed")
"""The counts of a recovery report."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one start of the worker found and did before it let anyone in."""

    counts: dict[str, int]
    quarantined: list[list[str]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How each order ended; the worker's last words."""

    by_order: dict[str, str]


def recovery_of(report: aion.RecoveryReport) -> Recovery:
    """The news in a recovery report."""
    counts = {name: int(getattr(report, name)) for name in SWEEPS}
    return Recovery(counts, [[str(part) for part in entry] for entry in report.quarantined], report.seconds)


def tell(news: Recovery | Outcomes) -> None:
    """Write one line."""
    print(json.dumps({"news": type(news).__name__, **asdict(news)}), flush=True)


def news_of(line: str) -> Recovery | Outcomes:
    """Read one line."""
    fields: dict[str, Any] = json.loads(line)
    kind: type[Recovery | Outcomes] = {"Recovery": Recovery, "Outcomes": Outcomes}[fields.pop("news")]
    return kind(**fields)
