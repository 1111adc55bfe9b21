"""Write what the docs have of the code: `python -m tests.daemon.write_docs`.

The OpenAPI description as a file, and the tables of settings and of errors between their marks.
"""

from __future__ import annotations

import json
import re

from aion_trio.daemon import SETTINGS
from aion_trio.daemon.openapi import description
from aion_trio.daemon.operations import OPERATIONS, STREAMS
from aion_trio.protocol import API, KINDS
from tests.daemon.harness import ROOT
from tests.daemon.test_settings import shown

DOCS = ROOT / "docs"


def settings_table() -> str:
    """The table of settings."""
    rows = [f"| `{each.name}` | {each.kind} | {shown(each.default)} | {each.doc} |" for each in SETTINGS.values()]
    return "\n".join(["| setting | kind | default | what it is |", "|---|---|---|---|", *rows])


def errors_table() -> str:
    """The table of errors."""
    rows = [f"| `{each.code}` | {each.status} | {each.hint} |" for each in KINDS.values()]
    return "\n".join(["| code | status | hint |", "|---|---|---|", *rows])


def routes_table() -> str:
    """The table of routes."""
    rows = [f"| `{each.method} {API}{each.path}` | {each.doc} |" for each in OPERATIONS]
    rows += [f"| `GET {API}{each.path}` | {each.doc} |" for each in STREAMS]
    return "\n".join(["| route | what it does |", "|---|---|", *rows])


def put(name: str, mark: str, table: str) -> None:
    """Replace what stands between the marks of a chapter."""
    file = DOCS / name
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    found = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{table}\n{end}", file.read_text(), flags=re.DOTALL)
    file.write_text(found)


def main() -> None:
    """Write them all."""
    (DOCS / "openapi.json").write_text(json.dumps(description(), indent=1, ensure_ascii=False) + "\n")
    put("daemon.md", "settings", settings_table())
    put("api.md", "errors", errors_table())
    put("api.md", "routes", routes_table())


if __name__ == "__main__":
    main()
