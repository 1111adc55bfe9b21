"""The wire models of API version 1: what requests and answers hold.

The OpenAPI description is generated from these classes. Values of users are `Json` in the form of `values`. Times are
ISO 8601 with an offset, run ids hexadecimal.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from .values import Json

StatusName = Literal["running", "paused", "completed", "failed", "cancelled", "terminated", "timed_out", "continued_as_new"]
Name = Annotated[str, Meta(min_length=1, max_length=400)]
EventLine = Annotated[Raw, Meta(description="An event, as `journal export` writes it.", extra_json_schema={"type": "object"})]
RunId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
RequestId = Annotated[str, Meta(min_length=1, max_length=255)]
Reason = Annotated[str, Meta(max_length=10_000)]
Seconds = Annotated[float, Meta(gt=0, le=100 * 366 * 86400)]


class Request(Struct, kw_only=True, forbid_unknown_fields=True):
    """What callers send: a key that is not known is refused, since it is a mistake."""


class Model(Struct, kw_only=True):
    """What daemons answer: a key that is not known is of a later daemon, and is passed over."""


# ---- requests


class StartRequest(Request):
    """Start a workflow; the keys are the arguments of `Engine.start`."""

    workflow: Name
    version: int | None = None
    args: list[Json] = []
    id: Name | None = None
    if_exists: Literal["use", "fail", "new_run"] = "use"
    timeout: Seconds | None = None
    attributes: dict[str, Json] = {}
    request_id: RequestId | None = None


class SignalRequest(Request):
    """Send a signal; with a request id it is received once."""

    value: Json = None
    run_id: RunId | None = None
    request_id: RequestId | None = None


class CancelRequest(Request):
    """Request cancellation."""

    reason: Reason = "cancelled by a caller"
    run_id: RunId | None = None
    request_id: RequestId | None = None


class TerminateRequest(Request):
    """End a run at once."""

    reason: Reason = "terminated by a caller"
    run_id: RunId | None = None


class ReleaseRequest(Request):
    """Let a quarantined workflow try again."""


class ImportRequest(Request):
    """A history of one workflow, one JSON line an event, as an export has them."""

    lines: list[str]


# ---- answers


class Started(Model):
    """The workflow that a start made or found; `run_id` is the first run of its chain."""

    id: str
    run_id: str


class Acknowledged(Model):
    """What was asked for is durable."""

    ok: Literal[True] = True


class Answer(Model):
    """What a query's function gave."""

    value: Json


class Text(Model):
    """Text for people."""

    text: str


class Imported(Model):
    """The id of the workflow whose history was taken over."""

    id: str


class Cause(Model):
    """An exception behind an error: its type's name, its text, and the plain data that it was made of."""

    type: str
    message: str
    args: list[Json] = []
    state: dict[str, Json] = {}
    cause: Cause | None = None


class Problem(Model):
    """An error, as RFC 9457 has it. `code` is a kind of the table of errors, `state` what the error's class carries."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    state: dict[str, Json] = {}
    cause: Cause | None = None


class Outcome(Model):
    """How a run or a chain ended: `result` of a completed one, the `problem` of any other; nothing while it is open.

    `workflow` and `version` name the definition of the run that completed.
    """

    state: Literal["open", "completed", "closed"]
    workflow: str = ""
    version: int = 0
    result: Json = None
    problem: Problem | None = None


class Summary(Model):
    """One line of a listing: the newest run of an id."""

    id: str
    run_id: str
    type: str
    status: StatusName
    started_at: datetime
    closed_at: datetime | None
    attributes: dict[str, Json]


class Listing(Model):
    """A page of workflows; `next` is the `after` of the next page, null on the last."""

    workflows: list[Summary]
    next: str | None


class Count(Model):
    """How many workflows match."""

    count: int


class PendingActivity(Model):
    """An activity without an outcome."""

    ordinal: int
    type: str
    attempt: int
    due: datetime
    queue: str
    served: bool


class PendingChild(Model):
    """A child whose closing is not recorded yet."""

    ordinal: int
    id: str


class ParentLink(Model):
    """The workflow that started this one as a child."""

    workflow_id: str
    run_id: str
    ordinal: int


class Description(Model):
    """Everything that is known of a workflow's newest run."""

    id: str
    run_id: str
    type: str
    version: int
    status: StatusName
    started_at: datetime
    closed_at: datetime | None
    attributes: dict[str, Json]
    history_length: int
    history_bytes: int
    pending_activities: list[PendingActivity]
    pending_children: list[PendingChild]
    next_wakeup: datetime | None
    parent: ParentLink | None
    quarantine: str | None


class HistoryPage(Model):
    """Events as objects, one each: `seq`, `at`, `type` and the event's fields by name; `next_seq` is where the next page begins."""

    events: list[EventLine]
    next_seq: int | None
    head: int


class StatusChange(Model):
    """What a status stream sends: the newest run and its status at `seq` of the history."""

    seq: int
    run_id: str
    status: StatusName


class QuarantinedWorkflow(Model):
    """A workflow that cannot go on with the code at hand, and why."""

    workflow_id: str
    reason: str


class Recovery(Model):
    """What the boot's recovery found and did; `quarantined_now` is the state at this moment."""

    children_started: int
    successors_started: int
    results_delivered: int
    signals_delivered: int
    wakeups_due: int
    activities_resumed: int
    quarantined: list[QuarantinedWorkflow]
    seconds: float
    quarantined_now: list[QuarantinedWorkflow]


class TreeNode(Model):
    """One actor or supervisor, and what is below it."""

    path: str
    name: str
    kind: Literal["supervisor", "child", "directory", "actor"]
    state: str
    runs: int
    up_for: float
    queued: int
    last_exit: str | None
    children: list[TreeNode]


class LoadedWorkflow(Model):
    """A workflow version that this daemon serves."""

    name: str
    version: int
    doc: str


class Definitions(Model):
    """What this daemon has loaded."""

    workflows: list[LoadedWorkflow]
    activities: list[str]


class ErrorKind(Model):
    """A row of the table of errors."""

    code: str
    status: int
    hint: str


class ErrorKinds(Model):
    """The table of errors."""

    errors: list[ErrorKind]


class Health(Model):
    """Whether the daemon lives, or is ready."""

    status: Literal["live", "ready", "draining"]
    version: str


# ---- parameters in the path and the query


class NoParams(Request):
    """A route without parameters."""


class IdParams(Request):
    """A route of one workflow."""

    id: Name


class RunParams(Request):
    """A route of one workflow, or of one run of it."""

    id: Name
    run_id: RunId | None = None


class ResultParams(Request):
    """Wait up to `wait` seconds for the end of a run (`run_id`), of the chain of a run (`chain`), or of the newest chain."""

    id: Name
    run_id: RunId | None = None
    chain: RunId | None = None
    wait: Annotated[float, Meta(ge=0, le=60)] = 0.0


class NamedParams(Request):
    """A signal or query of one workflow."""

    id: Name
    name: Name
    run_id: RunId | None = None


class HistoryParams(Request):
    """A page of events from `from_seq` on."""

    id: Name
    from_seq: Annotated[int, Meta(ge=1, le=2**32)] = 1
    limit: Annotated[int, Meta(ge=1, le=1000)] = 500


class FollowParams(Request):
    """A stream of one workflow, after the event `after` (the header `Last-Event-ID` goes before it)."""

    id: Name
    after: Annotated[int, Meta(ge=0, le=2**32)] = 0


class FilterParams(Request):
    """Which workflows: all conditions hold; `status` is one or several with commas, `attributes` a JSON object."""

    status: str | None = None
    type: str | None = None
    attributes: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    closed_after: datetime | None = None
    closed_before: datetime | None = None


class ListParams(FilterParams):
    """Which workflows, and which page of them."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
