"""Temporal's Python replayer on a history of N activities, one after the other. No server: the history is built here.

Its shape is what a server records for such a workflow, six events an activity (scheduled, started, completed, and the
three of the workflow task that follows). Both of the SDK's runners are measured: with its sandbox, the default, and
without. A workflow whose last activity has another name must be refused, or nothing here means anything.

Runs in an environment of its own: `python temporal_script.py replay '{"steps": 500, "rounds": 3}'`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

QUEUE = {"name": "q", "kind": "TASK_QUEUE_KIND_NORMAL"}
RUN_ID = "01a20b82-770d-7b69-adb4-1cbf5f42f3da"
MINUTE = timedelta(seconds=60)


@workflow.defn(name="sequential")
class Sequential:
    """The workflow that is measured."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """One activity after the other."""
        for number in range(steps):
            await workflow.execute_activity("charge", number, start_to_close_timeout=MINUTE, result_type=int)
        return steps


@workflow.defn(name="sequential")
class Renamed:
    """The same with another last step: a replay must notice."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """As above, but for the last."""
        for number in range(steps):
            name = "refund" if number == steps - 1 else "charge"
            await workflow.execute_activity(name, number, start_to_close_timeout=MINUTE, result_type=int)
        return steps


class Builder:
    """A history in Temporal's JSON form, event by event."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, **attributes: Any) -> str:
        """Append an event; its id."""
        number = len(self.events) + 1
        first, *rest = kind.lower().split("_")
        field = first + "".join(word.capitalize() for word in rest) + "EventAttributes"
        at = f"2026-01-01T{number // 3600000:02}:{number // 60000 % 60:02}:{number // 1000 % 60:02}.{number % 1000:03}Z"
        event_id = str(number)
        self.events.append({"eventId": event_id, "eventTime": at, "eventType": f"EVENT_TYPE_{kind}", "taskId": event_id, field: attributes})
        return event_id

    def workflow_task(self) -> str:
        """A workflow task from its scheduling to its completion; the id of that."""
        scheduled = self.add("WORKFLOW_TASK_SCHEDULED", taskQueue=QUEUE, startToCloseTimeout="10s", attempt=1)
        started = self.add("WORKFLOW_TASK_STARTED", scheduledEventId=scheduled, identity="w", requestId="r", historySizeBytes="200")
        sdk = {"coreUsedFlags": [1, 2, 3, 4], "sdkName": "temporal-python"} if scheduled == "2" else {}
        ids = {"scheduledEventId": scheduled, "startedEventId": started}
        return self.add("WORKFLOW_TASK_COMPLETED", **ids, identity="w", sdkMetadata=sdk, meteringMetadata={})

    def activity(self, number: int, task: str) -> None:
        """An activity that ran once and returned its argument."""
        scheduled = self.add(
            "ACTIVITY_TASK_SCHEDULED", activityId=str(number + 1), activityType={"name": "charge"}, taskQueue=QUEUE, header={},
            input=payloads(number), scheduleToCloseTimeout="0s", scheduleToStartTimeout="0s", startToCloseTimeout="60s",
            heartbeatTimeout="0s", workflowTaskCompletedEventId=task,
            retryPolicy={"initialInterval": "1s", "backoffCoefficient": 2.0, "maximumInterval": "100s"},
        )  # fmt: skip
        started = self.add("ACTIVITY_TASK_STARTED", scheduledEventId=scheduled, identity="w", requestId="r", attempt=1)
        self.add("ACTIVITY_TASK_COMPLETED", result=payloads(number), scheduledEventId=scheduled, startedEventId=started, identity="w")


def payloads(value: Any) -> dict[str, Any]:
    """One value as Temporal encodes it."""
    encoding = base64.b64encode(b"json/plain").decode()
    return {"payloads": [{"metadata": {"encoding": encoding}, "data": base64.b64encode(json.dumps(value).encode()).decode()}]}


def history_of(steps: int) -> WorkflowHistory:
    """The history of a run that was never disturbed."""
    built = Builder()
    built.add(
        "WORKFLOW_EXECUTION_STARTED", workflowType={"name": "sequential"}, taskQueue=QUEUE, input=payloads(steps),
        workflowTaskTimeout="10s", originalExecutionRunId=RUN_ID, firstExecutionRunId=RUN_ID, identity="c", attempt=1,
        firstWorkflowTaskBackoff="0s", workflowId="w",
    )  # fmt: skip
    task = built.workflow_task()
    for number in range(steps):
        built.activity(number, task)
        task = built.workflow_task()
    built.add("WORKFLOW_EXECUTION_COMPLETED", result=payloads(steps), workflowTaskCompletedEventId=task)
    return WorkflowHistory.from_json("w", {"events": built.events})


async def require_notice() -> None:
    """A workflow that does not match must be refused."""
    try:
        await Replayer(workflows=[Renamed], workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(history_of(5))
    except workflow.NondeterminismError:
        return
    raise AssertionError("the replayer accepted a workflow that does not match its history")


async def replay(steps: int, rounds: int) -> None:
    """Measure both runners; the history is parsed beforehand."""
    await require_notice()
    history = history_of(steps)
    for name, runner in (("replay", UnsandboxedWorkflowRunner()), ("replay_sandboxed", SandboxedWorkflowRunner())):
        replayer = Replayer(workflows=[Sequential], workflow_runner=runner)
        await replayer.replay_workflow(history_of(5))
        wall: list[float] = []
        cpu: list[float] = []
        for _ in range(rounds):
            began, spent = time.perf_counter(), time.process_time()
            result = await replayer.replay_workflow(history)
            assert result.replay_failure is None
            wall.append((time.perf_counter() - began) / steps)
            cpu.append((time.process_time() - spent) / steps)
        note = f"{steps} steps, {len(history.events)} events"
        print(json.dumps({"name": name, "values": wall, "cpu": cpu, "note": note}), flush=True)


if __name__ == "__main__":
    asyncio.run(replay(**json.loads(sys.argv[2])))
