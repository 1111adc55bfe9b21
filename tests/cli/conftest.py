"""A journal that a real engine wrote, and a real daemon, both made once for all tests of the command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

import aion_trio as aion
from tests.cli import shop
from tests.cli.running import command_of

TOKEN = "an-operators-token-of-some-length"


async def fill(directory: Path) -> None:
    """Run some workflows to their ends, and leave two open."""
    async with aion.open_engine(directory, modules=[shop]) as engine:
        order = await engine.start(shop.checkout, "order-1", 4200, id="order-1", attributes={"shop": "Ulm", "total": 42})
        await order.signal(shop.approval, True)
        await order.result()
        refused = await engine.start(shop.refuse, "no [bold]stock[/bold]", id="order-2")
        with pytest.raises(aion.WorkflowFailedError):
            await refused.result()
        await engine.execute(shop.count_down, 2, id="rocket")
        await engine.start(shop.wait_for_ever, id="waiter")
        await (await engine.start(shop.wait_for_ever, id="quitter")).terminate("enough")


@pytest.fixture(scope="session")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal for reading: `order-1` completed, `order-2` failed, `rocket` in three runs, `waiter` open, `quitter` terminated."""
    directory = tmp_path_factory.mktemp("cli") / "shop.aion"
    trio.run(fill, directory)
    return directory


@pytest.fixture(scope="session")
def daemon() -> Iterator[dict[str, str]]:
    """A daemon that `aion-trio serve` runs on a Unix socket; the environment that leads the command line to it."""
    with tempfile.TemporaryDirectory(prefix="aion-cli-") as home:
        with serving(Path(home), f"unix:{home}/sock", f"{home}/sock"):
            yield {"AION_SOCKET": f"{home}/sock", "AION_TOKEN": TOKEN, "HOME_OF_DAEMON": home}


@contextmanager
def serving(home: Path, listen: str, place: str | tuple[str, int], *settings: str) -> Iterator[None]:
    """Run `aion-trio serve` for the block; it must stop at SIGTERM, with status 0."""
    arguments: tuple[str | Path, ...] = (
        "serve",
        "tests.cli.shop",
        "--journal",
        home / "journal",
        "--listen",
        listen,
        "--grace",
        "1",
        *settings,
    )
    log = home / "log"
    with log.open("wb") as sink:
        environment = {**os.environ, "AION_TRIO_DAEMON_OPERATOR_TOKEN": TOKEN}
        process = subprocess.Popen(command_of(*arguments), stdout=sink, stderr=sink, env=environment)
    try:
        await_listening(process, place, log)
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def await_listening(process: subprocess.Popen[bytes], place: str | tuple[str, int], log: Path) -> None:
    """Wait until somebody listens."""
    for _ in range(400):
        with socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET) as probe:
            if probe.connect_ex(place) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the daemon does not listen:\n{log.read_text()}")
