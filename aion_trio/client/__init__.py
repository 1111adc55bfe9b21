"""Clients of a daemon: the interface of `Engine` and `WorkflowHandle` over HTTP.

    async with open_client("http://127.0.0.1:8420", token=token) as client:      # Trio or asyncio
        print(await client.execute(checkout, order, id="order-42"))

    with open_sync_client("unix:/run/aion/aion.sock") as client:                 # no event loop
        print(client.execute(checkout, order, id="order-42"))

The same definitions type the calls, and the same errors come back. `docs/api.md` is the chapter.
It needs the `client` extra.
"""

from ..extras import needs_extra

with needs_extra("client"):
    from ..protocol import DaemonError, DaemonFaultError, DaemonUnavailableError, RequestRefusedError
    from .aio import Client, Handle, open_client
    from .sync import SyncClient, SyncHandle, open_sync_client
    from .wire import Retry

__all__ = [
    "Client",
    "DaemonError",
    "DaemonFaultError",
    "DaemonUnavailableError",
    "Handle",
    "RequestRefusedError",
    "Retry",
    "SyncClient",
    "SyncHandle",
    "open_client",
    "open_sync_client",
]
