"""The command `aion-trio`.

Exit status: 0 success, 1 a failure that was found, 2 wrong usage. The command line needs the `cli` extra; without it,
`main` says so and exits 2.
"""

from __future__ import annotations

import sys

from ..extras import what_to_install


def main() -> None:
    """Run the command line, or say what to install."""
    if sentence := what_to_install("cli"):
        print(f"aion-trio: {sentence}", file=sys.stderr)
        sys.exit(2)
    from .commands import run

    run()
