"""Every record of a journal against its checksum, and against every other record that it should agree with.

Pages come first (`pages`): what LMDB cannot read it is not asked for. Then the journal is read in snapshots of some thousand
rows each, so that the writer goes on and the file does not grow (J5). Within one snapshot each row is compared with the index
rows that should follow from it (`verify_rows`), and then each index row with the row that it should follow from
(`verify_index`), so that what is missing, damaged or left over is found from one side or from the other (H2). Trees are
walked in the order in which they lie on their pages, not by lookup: a damaged key would hide the rows behind it from a lookup.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ..contract import Finding
from .environment import Environment, Settings, View
from .salvage import salvage, torn_pages
from .verify_index import check_counts, check_due, check_ids, check_meta, check_names, check_visible
from .verify_rows import check_workflows
from .verifying import Verifying

_ROWS_A_SNAPSHOT = 5000

Check = Callable[[View, Verifying, bytes, int], bytes | None]
"""Checks some rows from a key on, adds what it finds, and gives the key to go on from, None at the end."""

_CHECKS: tuple[Check, ...] = (check_meta, check_names, check_ids, check_workflows, check_due, check_visible, check_counts)


def verify(environment: Environment) -> list[Finding]:
    """What `Store.verify` says. Where pages are torn, the rest is checked in a copy of what can be read, since LMDB cannot."""
    torn = torn_pages(environment)
    if not torn:
        return _check(environment)
    with tempfile.TemporaryDirectory(prefix="aion-verify-") as place:
        salvage(environment, Path(place))
        copy = Environment(Path(place), Settings(read_only=True))
        try:
            return [*torn, *_check(copy)]
        finally:
            copy.close()


def _check(environment: Environment) -> list[Finding]:
    verifying = Verifying()
    for check in _CHECKS:
        start: bytes | None = b""
        while start is not None:
            with environment.view() as view:
                start = check(view, verifying, start, _ROWS_A_SNAPSHOT)
    return verifying.findings
