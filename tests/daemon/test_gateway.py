"""The gateway as a child of the engine's tree: what happens when it fails, hangs, drains or is cancelled."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trio

from aion_trio.client import DaemonUnavailableError, Retry, open_client
from aion_trio.daemon import Daemon, DaemonConfig, open_daemon
from aion_trio.daemon.gateway import Gateway
from aion_trio.protocol import ConfigurationError
from tests.daemon import services
from tests.daemon.harness import daemon_in, http_to


async def _until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.01)


def _runs(daemon: Daemon) -> dict[str, int]:
    """How often each actor was run, the gateway's thread as `http`."""
    children = daemon.engine.tree().children
    return {child.name: child.runs for child in (*children, *children[-1].children)}


def _thread(daemon: Daemon) -> Any:
    return daemon.gateway.thread


async def test_a_gateway_that_crashes_is_started_again_on_its_port(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with daemon_in(tmp_path) as daemon, open_client(daemon.url) as client:
        waits = await client.start(services.waits, 1, id="w")
        for runs in (2, 3):
            thread = _thread(daemon)
            thread._loop.call_soon_threadsafe(thread._loop.stop)  # asyncio.run raises: its loop was stopped
            await _until(lambda runs=runs: _runs(daemon)["http"] == runs and _thread(daemon) is not None)  # type: ignore[misc]
            assert await waits.query(services.stage) == "waiting"
        await waits.signal(services.go, 1)
        assert await waits.result() == 2
        assert all(runs == 1 for name, runs in _runs(daemon).items() if name != "http")


async def test_a_gateway_that_hangs_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread does not turn; the engine goes on, and another thread takes the port."""
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr("aion_trio.daemon.gateway._LAST_MOMENT", 0.1)
    monkeypatch.setattr(Gateway.__init__, "__kwdefaults__", {"beat_interval": 0.05, "hang_limit": 0.2})
    async with daemon_in(tmp_path) as daemon, open_client(daemon.url) as client:
        hung = _thread(daemon)
        hung._loop.call_soon_threadsafe(time.sleep, 1.5)
        with trio.fail_after(1.4):
            assert await daemon.engine.execute(services.double, 4) == 8
            await _until(lambda: _thread(daemon) not in (hung, None))
            assert _runs(daemon)["http"] == 2
        assert await client.execute(services.double, 21) == 42
        with trio.fail_after(5):
            await hung.ended.wait()
        assert await client.execute(services.double, 22) == 44


async def test_draining_answers_what_is_under_way_and_takes_no_more(tmp_path: Path) -> None:
    never = Retry(attempts=1)
    async with open_daemon(DaemonConfig(journal=str(tmp_path / "j"), listen="127.0.0.1:0", grace=5.0), [services]) as daemon:
        async with open_client(daemon.url, retry=never) as client, http_to(daemon) as http:
            handle = await client.start(services.waits, 1, id="w")
            ended: list[str] = []

            async def wait_for_result() -> None:
                with pytest.raises(DaemonUnavailableError, match="stopping"):
                    await handle.result()
                ended.append("result")

            async def follow() -> None:
                async with http.stream("GET", "/api/v1/workflows/w/events") as response:
                    ended.append((await response.aread()).decode().splitlines()[0])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_for_result)
                nursery.start_soon(follow)
                await _until(lambda: _thread(daemon).bridge.calls == 2)
                await daemon.gateway.drain()
            assert sorted(ended) == ["id: 1", "result"]
            with pytest.raises(DaemonUnavailableError, match="cannot be reached"):
                await handle.describe()
            assert await daemon.engine.handle("w").query(services.stage) == "waiting"
        assert _runs(daemon)["http"] == 1


async def test_what_is_cancelled_drains_too(tmp_path: Path) -> None:
    with trio.move_on_after(0.5) as scope:
        async with daemon_in(tmp_path) as daemon:
            assert await daemon.engine.execute(services.double, 1) == 2
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    async with daemon_in(tmp_path) as daemon:
        (tmp_path / "other").mkdir()
        with pytest.raises(ConfigurationError, match="in use"):
            async with daemon_in(tmp_path / "other", listen=daemon.url.removeprefix("http://")):
                pass
        with pytest.raises(ConfigurationError, match="no socket"):
            (tmp_path / "file").write_text("")
            async with daemon_in(tmp_path / "other", listen=f"unix:{tmp_path}/file"):
                pass
        with pytest.raises(ConfigurationError, match=r"no module 'tests\.nothing'"):
            async with daemon_in(tmp_path / "other", modules=("tests.nothing",)):
                pass


async def test_a_stream_goes_on_behind_the_last_event_that_was_seen(tmp_path: Path) -> None:
    async with daemon_in(tmp_path, ping_interval=0.05) as daemon, open_client(daemon.url) as client:
        handle = await client.start(services.sums, 0, id="s")
        for n in range(5):
            await handle.signal(services.go, n)
        async with http_to(daemon) as http, http.stream("GET", "/api/v1/workflows/s/events", headers={"last-event-id": "4"}) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            seen = ""
            async with aclosing(response.aiter_text()) as parts:
                with trio.fail_after(5):
                    while ": still here" not in seen:
                        seen += await anext(parts)
                await response.aclose()
                with pytest.raises(Exception):  # noqa: B017  # whatever a closed response raises
                    await anext(parts)
        assert [line for line in seen.splitlines() if line.startswith("id:")] == ["id: 5", "id: 6"]


async def test_a_follower_outlasts_the_gateway(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with daemon_in(tmp_path) as daemon, open_client(daemon.url) as client:
        handle = await client.start(services.sums, 0, id="s")
        seqs: list[int] = []
        async with aclosing(handle.history(follow=True)) as events:
            async for event in events:
                seqs.append(event.seq)
                if len(seqs) == 8:
                    break
                if event.seq == 3:
                    thread = _thread(daemon)
                    thread._loop.call_soon_threadsafe(thread._loop.stop)
                await daemon.engine.handle("s").signal(services.go, 1)
        assert seqs == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_hundreds_of_idle_streams_cost_the_engine_nothing_and_end_with_their_clients(tmp_path: Path) -> None:
    from tests.daemon.idle_streams import hold

    async with daemon_in(tmp_path) as daemon, open_client(daemon.url) as client:
        handle = await client.start(services.sums, 0, id="s")
        async with hold(daemon.url, "s", 300) as streams:
            await _until(lambda: len(_thread(daemon).connections.open) == 301 and _thread(daemon).bridge.calls == 1)  # one for all
            await handle.signal(services.go, 1)
            with trio.fail_after(10):
                assert await streams.events() == 600
        await _until(lambda: _thread(daemon).bridge.calls == 0)
