"""`aion-trio new`: a project to start from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click

from .starter import FILES
from .verbs import verb

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


@verb("new", "new shop", "new shop --directory ~/src/shop")
@click.argument("name")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), help="Where to make it.  [default: ./NAME]")
def command(name: str, directory: Path | None) -> None:
    """Make a project: a workflow with activities, a program that runs it, and tests in virtual time."""
    package = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(package):
        raise click.BadParameter(f"{name!r} cannot be a package's name; use small letters, digits and dashes", param_hint="NAME")
    place = directory or Path(name)
    if place.exists() and any(place.iterdir()):
        raise click.BadParameter(f"{place} is not empty; name a new directory with --directory", param_hint="NAME")
    for path, text in FILES.items():
        file = place / path.replace("PACKAGE", package)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PACKAGE", package).replace("PROJECT", name))
    click.echo(f"{place} is made. Next:\n")
    for step in (f"cd {place}", "pip install -e '.[dev]'", "pytest", f"python -m {package}", f"aion-trio dev {package}.workflows"):
        click.echo(f"  {step}")
