"""Rules are cited by number; each number that is cited exists in docs/semantics.md, and none is missing there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.project.tree import TREE

GROUPS = {"H": 8, "J": 9, "R": 11, "K": 10, "A": 7, "T": 4, "S": 6, "C": 4, "N": 2, "L": 6, "V": 3, "X": 3}
CITATION = re.compile(r"(?<![\w.\"'`/#\-])([HJRKATSCNLVX]\d{1,2})(?:[–-]([HJRKATSCNLVX]?\d{1,2}))?(?![\w\"'`(\[=.]|\s*=)")
DEFINITION = re.compile(r"^\| \*\*([A-Z]\d+)\*\* \| [●◐○] \| \S", re.MULTILINE)


def defined() -> list[str]:
    return DEFINITION.findall((TREE / "docs" / "semantics.md").read_text())


def cited(text: str) -> set[str]:
    """The rule numbers that a text cites, both ends of a range included."""
    found: set[str] = set()
    for first, last in CITATION.findall(text):
        found.add(first)
        if last:
            found.add(last if last[0].isalpha() else first[0] + last)
    return found


def prose(path: Path) -> str:
    """What may cite a rule: all of a page, the docstrings and comments of a module."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    return "\n".join([*re.findall(r'"""(.*?)"""', text, re.DOTALL), *re.findall(r"#\s(.*)$", text, re.MULTILINE)])


def pages() -> list[Path]:
    folders = ("aion_trio", "stores", "supervision", "tests", "benchmarks", "docs")
    found = {path.resolve() for folder in folders for path in (TREE / folder).rglob("*") if path.suffix in {".py", ".md"}}
    return sorted(found)


def test_every_rule_is_there_once_and_in_order() -> None:
    assert defined() == [f"{group}{number}" for group, count in GROUPS.items() for number in range(1, count + 1)]


def test_every_rule_that_is_cited_exists() -> None:
    known = set(defined())
    unknown = {f"{path.relative_to(TREE)}: {rule}" for path in pages() for rule in cited(prose(path)) - known}
    assert unknown == set()


def test_a_citation_is_recognised_in_prose() -> None:
    assert cited("Delivered once (S2, K3), see R3–R5; not `A99` nor S1 = 4, UTF8 or x.C9") == {"S2", "K3", "R3", "R5"}
