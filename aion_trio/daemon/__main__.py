"""`python -m aion_trio.daemon [MODULE…] [--config FILE] [--SETTING VALUE…]`. Exit status: 0 stopped, 1 failed, 2 wrong settings."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import trio

from ..errors import AionError
from ..protocol import ConfigurationError, kind_of
from . import serve
from .logs import configure_logging
from .settings import SETTINGS, DaemonConfig, load_config


def parse(arguments: list[str]) -> DaemonConfig:
    """The settings of a command line, over the environment, over a file. Raises `ConfigurationError`."""
    parser = argparse.ArgumentParser("aion_trio.daemon", description="Serve workflows behind HTTP until SIGTERM.", allow_abbrev=False)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=SETTINGS["modules"].doc)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
    for each in SETTINGS.values():
        if each.flag and each.name != "modules":
            action = "append" if each.kind == "list" else "store"
            parser.add_argument(each.flag, dest=each.name, action=action, metavar="VALUE", help=f"{each.doc} ({each.default!r})")
    given = vars(parser.parse_args(arguments))
    file = given.pop("config")
    return load_config(file, os.environ, {name: value for name, value in given.items() if value not in (None, [])})


def main() -> None:
    """Serve."""
    sys.path.insert(0, "")
    try:
        config = parse(sys.argv[1:])
        configure_logging(config)
        trio.run(serve, config)
    except (AionError, OSError) as error:
        print(f"aion-trio: {error}", file=sys.stderr)
        if isinstance(error, AionError):
            print(f"hint: {kind_of(error).hint}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


if __name__ == "__main__":
    main()
