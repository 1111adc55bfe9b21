"""`aion-trio dev`: a daemon that starts again when its code changes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click
import trio

from .serve import require_daemon
from .verbs import verb

SECONDS_BETWEEN_LOOKS = 0.4
SECONDS_TO_STOP = 10.0
_PASSED_OVER = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


@verb("dev", "dev shop.workflows", "dev shop.workflows --journal dev.aion --listen 127.0.0.1:8421 --watch ../lib")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option("--journal", default="dev.aion", show_default=True, metavar="DIR", help="The journal; it outlives the code's mistakes.")
@click.option("--listen", default="127.0.0.1:8420", show_default=True, metavar="ADDRESS", help="HOST:PORT, or unix:PATH.")
@click.option(
    "--watch",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Watch the Python files below; may be given several times.  [default: the current directory]",
)
@click.option("--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"]))
def command(modules: tuple[str, ...], journal: str, listen: str, watch: tuple[Path, ...], log_level: str) -> None:
    """Serve workflows while you write them: on a change the daemon parks and starts again with the new code.

    Running workflows go on where they were. One that no longer fits its history is told, and goes on once the code is mended.
    """
    require_daemon()
    settings = ("--journal", journal, "--listen", listen, "--log-format", "text", "--log-level", log_level, "--grace", "2")
    daemon = [sys.executable, "-m", "aion_trio.daemon", *modules, *settings]
    try:
        trio.run(partial(keep_running, daemon, watch or (Path(),)))
    except* KeyboardInterrupt:
        click.echo("stopped; the journal is in " + journal, err=True)


async def keep_running(daemon: list[str], watched: tuple[Path, ...]) -> None:
    """Run the daemon, and start it again when a file changed. One that ended by itself is started at the next change."""
    while True:
        seen = snapshot(watched)
        process = await trio.lowlevel.open_process(daemon, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            changed = await _changed(process, watched, seen)
        finally:
            with trio.CancelScope(shield=True):
                await _stop(process)
        click.echo(f"{', '.join(changed)} changed; starting again", err=True)


async def _changed(process: trio.Process, watched: tuple[Path, ...], seen: Mapping[Path, int]) -> list[str]:
    told = False
    while True:
        await trio.sleep(SECONDS_BETWEEN_LOOKS)
        now = await trio.to_thread.run_sync(snapshot, watched)
        if now != seen:
            return sorted(str(path) for path in {*now, *seen} if now.get(path) != seen.get(path))[:3]
        if process.poll() is not None and not told:
            told = True
            click.echo(f"the daemon ended with status {process.returncode}; mend the code, and it starts again", err=True)


async def _stop(process: trio.Process) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(SECONDS_TO_STOP):
            await process.wait()
            return
        process.kill()
    await process.wait()


def snapshot(watched: tuple[Path, ...]) -> dict[Path, int]:
    """The Python files below these directories, and when they changed. Environments and hidden directories are passed over."""
    found: dict[Path, int] = {}
    for root in watched:
        for place, directories, names in os.walk(root):
            directories[:] = [each for each in directories if not _is_passed_over(Path(place, each))]
            for name in names:
                if name.endswith(".py"):
                    path = Path(place, name)
                    try:
                        found[path] = path.stat().st_mtime_ns
                    except OSError:
                        continue  # gone between the listing and the look
    return found


def _is_passed_over(directory: Path) -> bool:
    return directory.name.startswith(".") or directory.name in _PASSED_OVER or (directory / "pyvenv.cfg").exists()
