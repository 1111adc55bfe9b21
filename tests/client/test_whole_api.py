"""The whole API through each kind of client, over a real socket."""

from __future__ import annotations

import asyncio
import inspect
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from aion_trio.client import Client, Handle, SyncClient, SyncHandle, open_client, open_sync_client
from aion_trio.engine import Engine, WorkflowHandle
from tests.client.scenario import whole_api
from tests.daemon import services
from tests.daemon.harness import daemon_in

ENGINE_ONLY = {"key", "attach", "recovery"}
"""What is the engine's own: `recovery` is a property there and has to be asked for here."""


async def _on_asyncio(url: str) -> None:
    async with open_client(url, modules=[services]) as client:
        await whole_api(client, "asyncio")


def _in_threads(url: str) -> None:
    with open_sync_client(url, modules=[services]) as client:
        trio.run(whole_api, client, "sync")


async def test_trio_asyncio_and_threads_can_do_all_that_an_engine_can(tmp_path: Path) -> None:
    async with daemon_in(tmp_path) as daemon:
        async with open_client(daemon.url, modules=[services]) as client:
            await whole_api(client, "trio")
        await trio.to_thread.run_sync(lambda: asyncio.run(_on_asyncio(daemon.url)))
        await trio.to_thread.run_sync(_in_threads, daemon.url)


async def test_a_unix_socket_serves_all_that_a_port_does(tmp_path: Path) -> None:
    async with daemon_in(tmp_path, listen=f"unix:{tmp_path}/socket") as daemon:
        assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o600
        async with open_client(daemon.url, modules=[services]) as client:
            await whole_api(client, "unix")
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize(("mine", "theirs"), [(Client, Engine), (Handle, WorkflowHandle), (SyncClient, Client), (SyncHandle, Handle)])
def test_the_interfaces_are_the_same(mine: type, theirs: type) -> None:
    """Whatever an engine or a handle offers, a client offers with the same parameters."""
    for name, method in inspect.getmembers(theirs, partial(_is_public_method, theirs)):
        if (theirs is Engine and name in ENGINE_ONLY) or name == "follow":
            continue
        assert hasattr(mine, name), f"{mine.__name__} lacks {name}"
        assert list(inspect.signature(getattr(mine, name)).parameters) == list(inspect.signature(method).parameters), name


def _is_public_method(cls: type, member: Any) -> bool:
    return inspect.isfunction(member) and not member.__name__.startswith("_")
