"""The files of a new project; PACKAGE and PROJECT stand for its names."""

from __future__ import annotations

FILES = {
    "README.md": """\
# PROJECT

Workflows on [aion-trio](https://pypi.org/project/aion-trio/): they survive `kill -9`.

```sh
pip install -e '.[dev]'
pytest                              # in virtual time: a sleep of a day takes no time
python -m PACKAGE                   # run one order; kill it in the middle and run it again: it goes on
aion-trio dev PACKAGE.workflows     # serve the workflows while you write them
aion-trio workflow start fulfil order-1 4200 --id order-1
aion-trio workflow trace order-1
aion-trio workflow signal order-1 shipped '"parcel-7"'
```

`PACKAGE/workflows.py` holds the workflow and its activities. A workflow decides and may call what `aion_trio.durable`
offers; an activity does, and may do anything. An activity runs at least once: write effects under its idempotency key.
""",
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "PROJECT"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["aion-trio[cli,daemon,client]"]

[project.optional-dependencies]
dev = ["pytest"]

[tool.setuptools]
packages = ["PACKAGE"]

[tool.pytest.ini_options]
testpaths = ["tests"]
""",
    ".gitignore": """\
*.aion/
__pycache__/
.venv/
""",
    "PACKAGE/__init__.py": '''\
"""PROJECT: orders, from payment to parcel."""
''',
    "PACKAGE/workflows.py": '''\
"""An order from payment to parcel: a workflow, its activities, and the signal that it waits for."""

from __future__ import annotations

import aion_trio as aion
from aion_trio import durable

DAY = 86400

shipped = aion.Signal("shipped", str)
stage = aion.Query("stage", str)


@aion.activity(retry=aion.RetryPolicy(max_attempts=5, initial=0.2), timeout=30)
async def charge(order_id: str, cents: int) -> str:
    key = aion.activity_info().idempotency_key  # the same for every attempt, also after a crash
    return f"receipt for {order_id}: {cents / 100:.2f} ({key[:8]})"


@aion.activity  # a plain function: it runs in a thread
def send_reminder(order_id: str) -> None:
    print(f"the parcel of {order_id} is late")


@aion.workflow
async def fulfil(order_id: str, cents: int) -> list[str]:
    at = "charging"
    stage.serve(lambda: at)
    receipt = await charge(order_id, cents)
    at = "waiting for the parcel"
    while True:
        with durable.move_on_after(DAY):  # durable: it may well end after three restarts
            return [receipt, await shipped.receive()]
        await send_reminder(order_id)
''',
    "PACKAGE/__main__.py": '''\
"""`python -m PACKAGE`: run one order in an engine inside of this program."""

from __future__ import annotations

import trio

import aion_trio as aion

from . import workflows


async def main() -> None:
    async with aion.open_engine("PROJECT.aion", modules=[workflows]) as engine:
        order = await engine.start(workflows.fulfil, "order-1", 4200, id="order-1")
        print(f"{order.id} is {(await order.describe()).status.value}")
        await trio.sleep(1)  # kill the program here and run it again: it goes on
        if (await order.describe()).status is aion.WorkflowStatus.RUNNING:
            await order.signal(workflows.shipped, "parcel-7", request_id="parcel-7")
        print(await order.result())


if __name__ == "__main__":
    trio.run(main)
''',
    "tests/test_workflows.py": '''\
"""The workflow, in virtual time."""

from __future__ import annotations

import trio
import trio.testing
from aion_trio.testing import open_test_engine

from PACKAGE import workflows


def test_an_order_is_charged_and_shipped() -> None:
    async def main() -> list[str]:
        async with open_test_engine(modules=[workflows]) as engine:
            order = await engine.start(workflows.fulfil, "order-1", 4200)
            await order.signal(workflows.shipped, "parcel-7")
            return await order.result()

    receipt, parcel = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert receipt.startswith("receipt for order-1: 42.00")
    assert parcel == "parcel-7"


def test_a_late_parcel_is_reminded_of(capsys) -> None:
    async def main() -> list[str]:
        async with open_test_engine(modules=[workflows]) as engine:
            order = await engine.start(workflows.fulfil, "order-2", 100)
            await trio.sleep(2.5 * workflows.DAY)
            await order.signal(workflows.shipped, "parcel-8")
            return await order.result()

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))[1] == "parcel-8"
    assert capsys.readouterr().out.count("the parcel of order-2 is late") == 2
''',
}
"""The text of each file, by its path."""
