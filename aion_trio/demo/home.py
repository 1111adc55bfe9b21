"""Where one run of the demo keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .ledger import Ledger


@dataclass(frozen=True, slots=True)
class Home:
    """One directory: the engine's journal, the ledger that the activities write to, and what the worker said."""

    directory: Path

    @property
    def journal(self) -> Path:
        return self.directory / "orders.aion"

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.directory / "ledger.sqlite")

    @property
    def worker_log(self) -> Path:
        return self.directory / "worker.log"
