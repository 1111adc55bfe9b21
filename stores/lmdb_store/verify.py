"""Every record of a journal against its checksum, and against every other record that it should agree with.

The journal is read in snapshots of some thousand rows each, so that the writer goes on and the file does not grow
(J5). Within one snapshot each row is compared with the index rows that should follow from it (`verify_rows`), and then
each index row with the row that it should follow from (`verify_index`), so that what is missing, damaged or left over
is found from one side or from the other (H2). Trees are walked in the order in which they lie on their pages, not by
lookup: a damaged key would hide the rows behind it from a lookup.
"""

from __future__ import annotations

from collections.abc import Callable

import lmdb

from ..contract import CorruptRecord, Finding
from .environment import Environment, View
from .lookup import Names
from .verify_index import check_counts, check_due, check_ids, check_meta, check_names, check_visible
from .verify_rows import check_workflows

_ROWS_A_SNAPSHOT = 5000

Check = Callable[[View, Names, bytes, int, list[Finding]], bytes | None]
"""Checks some rows from a key on, adds what it finds, and gives the key to go on from, None at the end."""


def verify(environment: Environment) -> list[Finding]:
    """What `Store.verify` says. A structure that LMDB itself cannot read is a finding, too."""
    findings: list[Finding] = []
    names = Names()
    checks: tuple[Check, ...] = (check_meta, check_names, check_ids, check_workflows, check_due, check_visible, check_counts)
    for check in checks:
        try:
            _walk(environment, check, names, findings)
        except CorruptRecord as error:
            findings.append(Finding(str(error)))
        except lmdb.Error as error:
            findings.append(Finding(f"LMDB cannot read its pages: {error}"))
    return findings


def _walk(environment: Environment, check: Check, names: Names, findings: list[Finding]) -> None:
    start: bytes | None = b""
    while start is not None:
        with environment.view() as view:
            start = check(view, names, start, _ROWS_A_SNAPSHOT, findings)
