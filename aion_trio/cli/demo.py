"""`aion-trio demo`: the main job."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import click
import trio
from rich.console import Console

from aion_trio.demo.conductor import Course, Plan, conduct
from aion_trio.demo.home import Home
from aion_trio.demo.orders import take
from aion_trio.demo.screen import open_screen, recoveries_table, summary_table
from aion_trio.demo.verdict import find_faults

from .verbs import verb

FAULTS_SHOWN = 20


def report(console: Console, plan: Plan, course: Course, faults: list[str]) -> None:
    """Print the tables and the verdict."""
    console.print(recoveries_table(course))
    console.print(summary_table(plan, course, plan.home.ledger.attempts()))
    for fault in faults[:FAULTS_SHOWN]:
        console.print(f"[red]fault[/red] {fault}", highlight=False)
    if len(faults) > FAULTS_SHOWN:
        console.print(f"… and {len(faults) - FAULTS_SHOWN} more")
    console.print("[red]Something was lost or done twice.[/red]" if faults else "[green]Nothing was lost, nothing was done twice.[/green]")


def home_of(keep: Path | None) -> Path:
    """The directory to work in; one that is kept must not hold an earlier run."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="aion-trio-demo-"))
    if keep.exists() and any(keep.iterdir()):
        raise click.BadParameter(f"{keep} is not empty; name a new directory", param_hint="--keep")
    return keep


@verb("demo", "demo", "demo --kills 10 --seed 7 --keep ./demo-run")
@click.option("--kills", default=6, show_default=True, type=click.IntRange(0, 100), help="How often the engine is killed.")
@click.option("--orders", default=240, show_default=True, type=click.IntRange(1, 5000), help="How many orders are taken in.")
@click.option("--seed", default=None, type=int, help="Draws the moments of the kills; printed if not given.")
@click.option("--keep", default=None, type=click.Path(file_okay=False, path_type=Path), help="Keep journal, ledger and log here.")
def command(kills: int, orders: int, seed: int | None, keep: Path | None) -> None:
    """Run orders through an engine that is killed with kill -9, and count.

    Exit status 1 if anything was lost or done twice.
    """
    console = Console()
    seed = random.randrange(10_000) if seed is None else seed
    plan = Plan(Home(home_of(keep)), tuple(take(orders)), kills, seed)
    console.print(f"{orders} orders, {kills} kills, seed {seed}, in {plan.home.directory}")
    with open_screen(console, plan) as screen:
        course = trio.run(partial(conduct, plan, screen.show))
    faults = find_faults(plan, course)
    report(console, plan, course, faults)
    if faults:
        console.print(f"everything is kept in {plan.home.directory}")
        sys.exit(1)
    if keep is None:
        shutil.rmtree(plan.home.directory, ignore_errors=True)
