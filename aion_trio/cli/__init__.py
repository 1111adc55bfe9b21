"""The command `aion-trio`.

Exit status: 0 success, 1 a failure that was found, 2 wrong usage. The command line needs the `cli` extra; without it,
`main` says so and exits 2.
"""

from __future__ import annotations

import importlib.util
import sys

NEEDED = ("click", "rich", "msgspec")


def main() -> None:
    """Run the command line, or say what to install."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"aion-trio: the command line needs {', '.join(missing)}; install with: pip install 'aion-trio[cli]'", file=sys.stderr)
        sys.exit(2)
    from .commands import run

    run()
