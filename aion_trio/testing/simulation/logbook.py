"""A file with a line for each range of seeds that was run, by which a long campaign is stopped and gone on with."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from .campaign import Campaign
from .lawbook import Breach, Law
from .world import Verdict

_COUNTS = ("seeds", "workflows", "events", "lives", "commits")


class Logbook:
    """The lines of one campaign; each says from which seed to which (without it), and what they came to.

    A line is written when its range is done, so after a crash at most one range is run again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, seeds: range, found: Campaign) -> None:
        """Append the line of a range."""
        failed = [[verdict.seed, [(law.name, text) for law, text in verdict.faults[:5]]] for verdict in found.failures]
        line = {"from": seeds.start, "to": seeds.stop, "failed": failed, "reached": dict(found.reached)}
        line |= {name: getattr(found, name) for name in _COUNTS}
        torn = self._path.exists() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps(line) + "\n")

    def read(self, seeds: range) -> tuple[int, Campaign]:
        """The first seed of a range that no line reaches, and what the lines that begin in it say. A torn line says nothing."""
        total, next_seed = Campaign(), seeds.start
        for line in self._lines():
            if line["from"] == next_seed < line["to"] <= seeds.stop:
                next_seed = line["to"]
                total.include(_campaign(line))
        return next_seed, total

    def _lines(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for text in self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ():
            try:
                found.append(json.loads(text))
            except ValueError:  # the process died while it wrote
                continue
        return found


def _campaign(line: dict[str, Any]) -> Campaign:
    failures = [Verdict(seed, [Breach(Law[name], text) for name, text in faults]) for seed, faults in line["failed"]]
    return Campaign(**{name: line[name] for name in _COUNTS}, failures=failures, reached=Counter(line["reached"]))
