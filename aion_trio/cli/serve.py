"""`aion-trio serve`: the engine behind HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click
import trio

from aion_trio.extras import what_to_install

from .verbs import options, verb


def require_daemon() -> None:
    """Refuse, with what to install, where the daemon's dependencies are missing."""
    if sentence := what_to_install("daemon"):
        raise click.UsageError(sentence)


def setting_options(fn: Callable[..., None]) -> Callable[..., None]:
    """The daemon's settings as options; the function gets those that were given as `settings`."""
    from aion_trio.daemon.settings import SETTINGS

    shown = [each for each in SETTINGS.values() if each.flag and each.name != "modules"]

    @wraps(fn)
    def with_settings(**given: Any) -> None:
        settings = {each.name: value for each in shown if (value := given.pop(each.name)) not in (None, ())}
        fn(settings=settings, **given)

    return options(
        *(
            click.option(
                each.flag,
                each.name,
                multiple=each.kind == "list",
                metavar=each.kind.upper().replace("LIST", "NAME"),
                help=f"{each.doc}  [{_default(each.default)}]",
            )
            for each in shown
        )
    )(with_settings)


def _default(value: object) -> str:
    return "none" if value in ("", ()) else str(value)


@verb(
    "serve",
    "serve shop.workflows --journal ./data",
    "serve shop.workflows --listen unix:/run/aion/aion.sock",
    "serve shop.workflows --config aion.toml --listen 0.0.0.0:8420 --token-file tokens",
)
@click.argument("modules", nargs=-1, metavar="[MODULE]...")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="A TOML file with settings.")
@setting_options
def command(modules: tuple[str, ...], config: Path | None, settings: Mapping[str, object]) -> None:
    """Serve the workflows of these modules behind HTTP until SIGTERM; then drain and park.

    Settings come from a file, from the environment (AION_TRIO_DAEMON_ and the name in capitals) and from options, the later
    winning. Without a token or mTLS it listens to this machine alone.
    """
    require_daemon()
    from aion_trio.daemon.logs import configure_logging
    from aion_trio.daemon.serving import serve
    from aion_trio.daemon.settings import load_config

    sys.path.insert(0, "")
    given = {**settings, "modules": modules} if modules else settings
    loaded = load_config(config, os.environ, given)
    configure_logging(loaded)
    trio.run(serve, loaded)
