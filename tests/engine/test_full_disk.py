"""A disk that is full while an engine works: told, survived, gone on from (J6). The limit on file size stands for the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import random, resource, signal, sys
from pathlib import Path
import trio
import aion_trio as aion

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@aion.activity
async def pad(n: int) -> str:
    return random.Random(n).randbytes(10_000).hex()


@aion.workflow
async def fills(n: int) -> int:
    return len(await pad(n)) + n


async def main(directory: str) -> None:
    journal = Path(directory) / "full.aion"
    async with aion.open_engine(journal, workflows=[fills], activities=[pad]) as engine:
        assert await engine.execute(fills, 0, id="first") == 20_000
        used = (journal / "data.mdb").stat().st_size
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (used + 400_000, hard))
        started, refused = [], 0
        for n in range(1, 400):
            try:
                with trio.move_on_after(5):
                    started.append((n, await engine.start(fills, n, id=f"w{n}")))
            except aion.JournalFullError:
                refused += 1
                if refused == 3:
                    break
        assert refused == 3, (refused, len(started))
        assert (await engine.handle("first").describe()).status is aion.WorkflowStatus.COMPLETED  # reads go on
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        for n, handle in started:  # nothing that was acknowledged is lost, and work goes on once there is room
            assert await handle.result() == 20_000 + n
        assert await engine.execute(fills, 7, id="last") == 20_007
    print("sound", len(started))


trio.run(main, sys.argv[1])
"""


def test_a_full_disk_is_told_and_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    """J6: callers get JournalFullError, what was acknowledged is kept, reads go on, and the engine stays up."""
    program = tmp_path / "fills.py"
    program.write_text(f"import sys\nsys.path[:0] = {sys.path!r}\n" + PROGRAM)
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sound")
    from aion_trio.journal.verification import verify_journal
    from aion_trio.stores import LmdbStore

    store = LmdbStore.open(tmp_path / "full.aion", read_only=True)
    try:
        assert verify_journal(store) == []
    finally:
        store.close()
