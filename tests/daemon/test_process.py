"""Daemons in processes of their own: killed, terminated, started twice."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from aion_trio.client import Client, open_client, open_sync_client
from aion_trio.daemon import DaemonConfig, open_daemon
from aion_trio.errors import JournalLockedError
from tests.daemon import services
from tests.daemon.harness import ROOT, Process, free_port, process_in

KILLS = 2


async def test_no_acknowledged_call_is_lost_to_kill_9(tmp_path: Path) -> None:
    """Clients go on over kills and restarts of the daemon; what each was told is there, once."""
    port = free_port()
    listen, url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    acknowledged: dict[str, int] = {}

    async def work(client: Client, worker: int, stopping: trio.Event) -> None:
        number = 0
        while not stopping.is_set():
            workflow_id = f"{worker}-{number}"
            handle = await client.start(services.sums, 0, id=workflow_id, if_exists="fail")
            acknowledged[workflow_id] = 0
            for value in (1, 2, 4):
                await handle.signal(services.go, value)
                acknowledged[workflow_id] += value
            number += 1

    with ExitStack() as processes:
        process = processes.enter_context(process_in(tmp_path, listen=listen))
        await trio.to_thread.run_sync(process.await_ready, url)
        async with open_client(url) as client:
            stopping = trio.Event()
            async with trio.open_nursery() as nursery:
                for worker in range(8):
                    nursery.start_soon(work, client, worker, stopping)
                for kill in range(KILLS):
                    known = len(acknowledged)
                    while len(acknowledged) < known + 20:
                        await trio.sleep(0.01)
                    process.kill()
                    process = processes.enter_context(process_in(tmp_path, listen=listen))
                    await trio.to_thread.run_sync(process.await_ready, url)
                    assert len(acknowledged) > kill
                stopping.set()
            assert len(acknowledged) > 20 * KILLS
            assert await client.count_workflows() == len(acknowledged)
            for workflow_id, total in acknowledged.items():
                handle = client.handle(workflow_id)
                await handle.signal(services.go, -1)
                assert await handle.result() == total == 7
        assert process.terminate() == 0


async def test_sigterm_drains_and_parks(tmp_path: Path) -> None:
    """systemd is told; requests that wait are told to ask again; the activity that was cut off is resumed (R10)."""
    listen = f"unix:{tmp_path}/aion.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, ExitStack() as processes:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(10)
        os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        processes.callback(os.environ.pop, "NOTIFY_SOCKET")
        process = processes.enter_context(process_in(tmp_path, listen=listen))
        assert await trio.to_thread.run_sync(notified.recv, 100) == b"READY=1"
        async with open_client(listen) as client:
            hangs = await client.start(services.hangs, id="h")
            waits = await client.start(services.waits, 1, id="w")
            results: list[int] = []

            async def wait_for_result() -> None:
                results.append(await waits.result())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_for_result)
                await trio.sleep(0.1)
                assert await trio.to_thread.run_sync(process.terminate) == 0
                assert await trio.to_thread.run_sync(notified.recv, 100) == b"STOPPING=1"
                process = processes.enter_context(process_in(tmp_path, listen=listen))
                assert await trio.to_thread.run_sync(notified.recv, 100) == b"READY=1"
                assert (await client.recovery()).activities_resumed == 1
                assert [each.attempt for each in (await hangs.describe()).pending_activities] == [1]
                await waits.signal(services.go, 2)
            assert results == [3]
        messages = [str(line["message"]) for line in process.lines()]
        assert any(message.startswith("ready: unix:") for message in messages) and "parked" in messages


async def test_a_second_daemon_is_told_who_owns_the_journal(tmp_path: Path) -> None:
    port = free_port()
    with process_in(tmp_path, listen=f"127.0.0.1:{port}") as first:
        await trio.to_thread.run_sync(first.await_ready, f"http://127.0.0.1:{port}")
        for listen in (f"127.0.0.1:{port}", "127.0.0.1:0"):
            with pytest.raises(JournalLockedError) as locked:
                async with open_daemon(DaemonConfig(journal=str(tmp_path / "journal"), listen=listen), [services]):
                    pass
            assert locked.value.pid == first.process.pid
        (tmp_path / "second").mkdir()
        second = Process(tmp_path / "second", "--journal", str(tmp_path / "journal"), listen="127.0.0.1:0")
        assert await trio.to_thread.run_sync(second.process.wait) == 1
        second.close()
        assert str(first.process.pid) in second.log.read_text() and "hint:" in second.log.read_text()


async def test_wrong_settings_end_a_daemon_before_it_opens_anything(tmp_path: Path) -> None:
    wrong = Process(tmp_path, "--grace", "soon", listen="0.0.0.0:0")
    assert await trio.to_thread.run_sync(wrong.process.wait) == 2
    wrong.close()
    assert "expected a number" in wrong.log.read_text() and not (tmp_path / "journal").exists()


async def test_a_client_waits_for_a_daemon_that_is_not_up_yet(tmp_path: Path) -> None:
    port = free_port()

    def execute() -> int:
        with open_sync_client(f"http://127.0.0.1:{port}") as client:
            return client.execute(services.double, 4)

    async with trio.open_nursery() as nursery:

        async def call() -> None:
            assert await trio.to_thread.run_sync(execute) == 8
            nursery.cancel_scope.cancel()

        nursery.start_soon(call)
        await trio.sleep(0.3)
        async with open_daemon(DaemonConfig(journal=str(tmp_path / "j"), listen=f"127.0.0.1:{port}", grace=1.0), [services]):
            await trio.sleep_forever()


def test_the_unit_is_what_systemd_wants() -> None:
    from tests.daemon.deploying import verify_unit

    verify_unit(ROOT / "examples" / "deploy" / "aion-trio.service")
