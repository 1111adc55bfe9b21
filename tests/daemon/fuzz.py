"""Schemathesis over the served description: `python -m tests.daemon.fuzz REQUESTS`.

It starts a daemon in a process of its own with some workflows in it, lets schemathesis make requests of the OpenAPI description
until there were at least REQUESTS, and says what it found: answers that are no 5xx, that the description knows, and whose
bodies fit their schemas. What is valid by schema may still be refused for its meaning. Exit status 1 if anything was found.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from aion_trio.client import open_sync_client
from aion_trio.history import WorkflowStatus
from tests.daemon import services
from tests.daemon.harness import Process, free_port, process_in

_CONFIG = """
request-timeout = 20.0
[parameters]
"query.wait" = 0.01
{parameters}
[checks]
positive_data_acceptance.enabled = false
[[operations]]
include-operation-id = ["events", "status"]
enabled = false
"""
_ROUNDS = (
    '"path.id" = "open"\n"path.name" = "stage"',
    '"path.id" = "closed"\n"path.name" = "go"',
    '"path.id" = "failed"',
    '"path.name" = "go"',
    "",
)
"""What is set in each round, in turns: requests that meet a workflow are rare by chance."""
REQUESTS = re.compile(r"(\d+) generated")


def available() -> bool:
    """Whether schemathesis is installed."""
    return importlib.util.find_spec("schemathesis") is not None


def seed(url: str) -> None:
    """Workflows for the requests to meet."""
    with open_sync_client(url) as client:
        if client.count_workflows(status=WorkflowStatus.RUNNING, type="waits") == 0:
            client.start(services.waits, 1, id="open", if_exists="new_run")
        client.execute(services.double, 1, id="closed")
        client.handle(client.start(services.fails, "no", id="failed").id)


def fuzz(process: Process, url: str, examples: int, seed_number: int) -> tuple[int, int, str]:
    """One round of schemathesis: its exit status, how many requests it made, and its report."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(_CONFIG.format(parameters=_ROUNDS[seed_number % len(_ROUNDS)]))
        config.flush()
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", config.name, "run", f"{url}/api/v1/openapi.json"]
        done = subprocess.run(
            [*command, "--max-examples", str(examples), "--seed", str(seed_number)],
            capture_output=True,
            text=True,
            check=False,
            cwd=process.directory,
        )
    found = REQUESTS.search(done.stdout)
    return done.returncode, int(found[1]) if found else 0, done.stdout + done.stderr


def campaign(directory: Path, wanted: int) -> tuple[int, int, float]:
    """Rounds until there were `wanted` requests: the worst exit status, the requests, and the seconds."""
    url = f"http://127.0.0.1:{free_port()}"
    begun, made, worst, number = time.monotonic(), 0, 0, 1
    with process_in(directory, listen=url.removeprefix("http://")) as process:
        process.await_ready(url)
        while made < wanted and not worst:
            seed(url)
            examples = max(1, min(500, wanted // 1000))
            worst, count, report = fuzz(process, url, examples, number)
            made, number = made + count, number + 1
            if worst or not count:
                worst = worst or 1
                print(report)
        httpx2.get(f"{url}/health/ready", trust_env=False).raise_for_status()
        if faults := [line for line in process.lines() if line["level"] == "error"]:
            print(faults)
            worst = 1
    return worst, made, time.monotonic() - begun


def main() -> None:
    """Run a campaign."""
    with tempfile.TemporaryDirectory() as directory:
        worst, made, seconds = campaign(Path(directory), int(sys.argv[1]))
    print(f"{made} requests in {seconds:.0f} s: {'faults were found' if worst else 'no 5xx, every answer fits the description'}")
    sys.exit(worst)


if __name__ == "__main__":
    main()
