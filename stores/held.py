"""What the memory store holds of one workflow."""

from __future__ import annotations

from .contract import Finding, Frame, Mark, Obligation, ObligationKind, Remedy, RunRow, Summary, WorkflowKey
from .dump import WorkflowRecords


class HeldWorkflow:
    """All that is kept of one id. Frames are contiguous and `ends` holds the last seq of each."""

    __slots__ = ("ends", "frames", "key", "marks", "opens", "runs", "serial", "summary")

    def __init__(self, key: WorkflowKey, serial: int) -> None:
        self.key, self.serial = key, serial
        self.frames: list[Frame] = []
        self.ends: list[int] = []
        self.summary: Summary | None = None
        self.runs: dict[int, RunRow] = {}
        self.opens: dict[tuple[ObligationKind, bytes], Obligation] = {}
        self.marks: dict[bytes, bytes] = {}

    @property
    def head(self) -> int:
        """The seq of the newest event."""
        return self.ends[-1] if self.ends else 0

    def records(self) -> WorkflowRecords:
        """All of it, as a dump has it."""
        return WorkflowRecords(tuple(self.frames), self.summary, self.sorted_runs(), self.sorted_rows(), self.sorted_marks())

    def sorted_runs(self) -> tuple[RunRow, ...]:
        """The runs, oldest first."""
        return tuple(run for _, run in sorted(self.runs.items()))

    def sorted_rows(self) -> tuple[Obligation, ...]:
        """The open rows by kind and row."""
        return tuple(row for _, row in sorted(self.opens.items()))

    def sorted_marks(self) -> tuple[Mark, ...]:
        """The marks by name."""
        return tuple(Mark(name, value) for name, value in sorted(self.marks.items()))


def check_held(workflow: HeldWorkflow) -> list[Finding]:
    """What is wrong with one workflow: a gap, or an end that its summary does not know."""
    findings: list[Finding] = []
    namespace, workflow_id = workflow.key
    expected = 1
    for frame in workflow.frames:
        if frame.first_seq != expected:
            findings.append(Finding(f"event {expected} is missing", workflow_id, expected, namespace, Remedy.RESTORE))
        expected = frame.first_seq + frame.count
    if workflow.summary is not None and workflow.summary.head not in (0, workflow.head):
        what = f"the summary says that the history ends at {workflow.summary.head}, it ends at {workflow.head}"
        remedy = Remedy.RESTORE if workflow.summary.head > workflow.head else Remedy.REPAIR
        findings.append(Finding(what, workflow_id, workflow.head, namespace, remedy))
    return findings
