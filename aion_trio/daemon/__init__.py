"""The daemon: an engine behind HTTP, for programs in any language and for operators.

    config = load_config(Path("aion.toml"), os.environ, {"modules": ("myapp.workflows",)})
    configure_logging(config)
    trio.run(serve, config)                  # until SIGTERM

`python -m aion_trio.daemon` does just that. Programs that want a daemon inside of their own use `open_daemon(config, modules)`;
`SETTINGS` is the table of settings, for those who make flags of it. `docs/daemon.md` is the chapter for operators,
`docs/api.md` the one for programs; `aion_trio.client` is the client. It needs the `daemon` extra.
"""

import importlib
from typing import TYPE_CHECKING

from ..extras import needs_extra

with needs_extra("daemon"):
    from .logs import configure_logging
    from .settings import SETTINGS, DaemonConfig, Setting, load_config

if TYPE_CHECKING:
    from .serving import Daemon, open_daemon, serve

__all__ = ["SETTINGS", "Daemon", "DaemonConfig", "Setting", "configure_logging", "load_config", "open_daemon", "serve"]


def __getattr__(name: str) -> object:
    """Load what serves on its first use: the command line reads `SETTINGS` where Starlette and uvicorn are not installed."""
    if name not in ("Daemon", "open_daemon", "serve"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needs_extra("daemon"):
        value: object = getattr(importlib.import_module(".serving", __name__), name)
    return value
