"""Whole daemons killed under load: `python -m tests.daemon.kills --kills 1000 --seed 1`.

Each seed is a siege of one journal: clients on real sockets start workflows and signal them without a pause, and note what
was acknowledged, while the daemon's process is killed with SIGKILL at random moments, some before it is ready, and started anew.
At the end every acknowledged start is there once, every acknowledged signal was counted once, every result that was given still stands,
and the journal verifies. A campaign goes on where one ended: with the seed behind its last.
"""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import trio

import aion_trio
from aion_trio.client import Client, Retry, open_client
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore

from . import services
from .harness import Process, free_port, process_in

CLIENTS = 8
VALUES = (1, 2, 4)
PATIENCE = Retry(attempts=400, maximum=0.5)


@dataclass(slots=True)
class Siege:
    """One journal under attack: what its clients were told."""

    directory: Path
    chance: random.Random
    listen: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    """The sum of what each workflow has acknowledged."""
    answered: set[str] = field(default_factory=set[str])
    """Those whose result was given."""
    faults: list[str] = field(default_factory=list[str])
    early: int = 0
    """Kills of a daemon that was not ready yet."""

    @property
    def url(self) -> str:
        return f"http://{self.listen}"

    async def hold(self, kills: int) -> None:
        """Kill under load, and then look."""
        with ExitStack() as processes:
            process = processes.enter_context(process_in(self.directory, listen=self.listen))
            await trio.to_thread.run_sync(process.await_ready, self.url)
            async with open_client(self.url, retry=PATIENCE) as client:
                stopping = trio.Event()
                async with trio.open_nursery() as nursery:
                    for worker in range(CLIENTS):
                        nursery.start_soon(self._load, client, worker, stopping)
                    for _ in range(kills):
                        process = await self._kill(process, processes)
                    stopping.set()
                await self._look(client)
            if status := process.terminate():
                self.faults.append(f"the daemon ended with status {status}")
        with closing(LmdbStore.open(self.directory / "journal", read_only=True)) as store:
            self.faults += [f"journal, {finding.workflow_id}: {finding.what}" for finding in verify_journal(store)]

    async def _kill(self, process: Process, processes: ExitStack) -> Process:
        """One kill: of a daemon at work, or of one that is opening its journal. The daemon that comes after it."""
        if self.chance.random() < 0.8:
            await trio.to_thread.run_sync(process.await_ready, self.url)
            await trio.sleep(self.chance.uniform(0, 0.4))
        else:
            self.early += 1
            await trio.sleep(self.chance.uniform(0.2, 0.9))
        process.kill()
        process.close()
        following = processes.enter_context(process_in(self.directory, listen=self.listen))
        return following

    async def _load(self, client: Client, worker: int, stopping: trio.Event) -> None:
        """Workflow after workflow: a start, three signals, and for every second one its end and its result."""
        for number in count():
            if stopping.is_set():
                return
            name = f"{worker}-{number}"
            handle = await client.start(services.sums, 0, id=name, if_exists="fail")
            self.acknowledged[name] = 0
            for value in VALUES:
                await handle.signal(services.go, value)
                self.acknowledged[name] += value
            if number % 2:
                await handle.signal(services.go, -1)
                self._require(name, await handle.result())
                self.answered.add(name)

    async def _look(self, client: Client) -> None:
        """Nothing is lost and nothing is there twice."""
        found = await client.count_workflows()
        if found != len(self.acknowledged):
            self.faults.append(f"{found} workflows are there, {len(self.acknowledged)} were acknowledged")
        for name in self.acknowledged:
            handle = client.handle(name)
            if name not in self.answered:
                await handle.signal(services.go, -1)
            self._require(name, await handle.result())

    def _require(self, name: str, result: object) -> None:
        if result != self.acknowledged[name]:
            self.faults.append(f"{name}: the sum is {result}, {self.acknowledged[name]} was acknowledged")


async def besiege(directory: Path, seed: int, kills: int) -> Siege:
    """The siege of a seed."""
    siege = Siege(directory, random.Random(seed))
    await siege.hold(kills)
    return siege


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=25, help="kills of one siege")
    options = parser.parse_args()
    print(
        f"aion-trio {aion_trio.__version__}, trio {trio.__version__}, Python {platform.python_version()}, {platform.platform()}", flush=True
    )
    began, kills, early, workflows, results = time.perf_counter(), 0, 0, 0, 0
    for seed in count(options.seed):
        directory = Path(tempfile.mkdtemp(prefix="aion-trio-daemon-siege-"))
        each = min(options.each, options.kills - kills)
        siege = trio.run(besiege, directory, seed, each)
        if siege.faults:
            print(f"seed {seed}, kept in {directory}:", *siege.faults[:20], sep="\n  ")
            return 1
        shutil.rmtree(directory)
        kills, early = kills + each, early + siege.early
        workflows, results = workflows + len(siege.acknowledged), results + len(siege.answered)
        print(
            f"seeds {options.seed}..{seed}: {kills} daemons killed, {early} of them before they were ready, {workflows} workflows, "
            f"{results} results given under load, 0 faults, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        if kills >= options.kills:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
