"""The daemon: an engine behind HTTP, for programs in any language and for operators.

    config = load_config(Path("aion.toml"), os.environ, {"modules": ("myapp.workflows",)})
    configure_logging(config)
    trio.run(serve, config)                  # until SIGTERM

`python -m aion_trio.daemon` does just that. Programs that want a daemon inside of their own use `open_daemon(config, modules)`;
`SETTINGS` is the table of settings, for those who make flags of it. `docs/daemon.md` is the chapter for operators,
`docs/api.md` the one for programs; `aion_trio.client` is the client.
"""

from .logs import configure_logging
from .serving import Daemon, open_daemon, serve
from .settings import SETTINGS, DaemonConfig, Setting, load_config

__all__ = ["SETTINGS", "Daemon", "DaemonConfig", "Setting", "configure_logging", "load_config", "open_daemon", "serve"]
