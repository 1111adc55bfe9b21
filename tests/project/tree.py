"""Where the source tree is, for tests that read it: the tests themselves may run from a copy beside the installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

TREE = Path(os.environ.get("AION_TRIO_TREE") or Path(__file__).resolve().parents[2])

PACKAGES = {
    "aion_trio": "aion_trio",
    "stores": "aion_trio/stores",
    "supervision": "aion_trio/supervision",
    "benchmarks": "aion_trio/benchmarks",
}
"""The folders of the tree that are installed, and as what."""


def sources(suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The files of the installed folders with these suffixes, by the path they are installed at."""
    found: dict[str, Path] = {}
    for folder, installed in PACKAGES.items():
        for directory, _, names in os.walk(TREE / folder):  # does not follow the links of aion_trio
            inside = Path(directory).relative_to(TREE / folder)
            found.update({(Path(installed) / inside / name).as_posix(): Path(directory, name) for name in names if name.endswith(suffixes)})
    return found
