"""How much is measured, and where."""

from __future__ import annotations

import enum
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class Scale(enum.Enum):
    """Counts for a guard that runs with the tests, for a reader who waits some minutes, for a night."""

    QUICK = "quick"
    NORMAL = "normal"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Settings:
    """`path` is a directory on the disk that is measured, `rounds` how often each measurement is repeated."""

    path: Path = Path()
    scale: Scale = Scale.NORMAL
    rounds: int = 5
    peers: bool = False

    def pick(self, quick: int, normal: int, full: int | None = None) -> int:
        """The count for this scale."""
        if self.scale is Scale.QUICK:
            return quick
        return normal if self.scale is Scale.NORMAL or full is None else full

    @property
    def few(self) -> int:
        """Rounds of what takes long."""
        return min(self.rounds, 3)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """A new directory on the disk that is measured; it is gone afterwards."""
        made = Path(tempfile.mkdtemp(prefix="aion-benchmark-", dir=self.path))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
