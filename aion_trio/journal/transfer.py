"""Histories as lines of text, out of a store and into one.

A line holds one event with its workflow id, namespace and seq. Because every index row and every obligation follows from events,
a history is all that travels, and any prefix of one is a history: what its end owes, the next recovery does. Only the
wake-up needs a replay; the step that an open history is imported with brings it about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .. import events as ev
from ..arguments import workflow_id_of
from ..codec import decode_frame, encode_frame, from_line, to_line
from ..errors import InvalidInputError, WorkflowAlreadyStartedError, WorkflowNotFoundError
from ..events import Raw
from ..stores.contract import Append, ObligationKind, Open, SequenceConflict, Store, WorkflowKey
from ..stores.dump import apply_all
from . import rows
from .projection import Projection

EVENTS_PER_FRAME = 500


def export_lines(store: Store, key: WorkflowKey) -> Iterator[str]:
    """The history of an id, all its runs, one event a line.

    Raises WorkflowNotFoundError, or CorruptRecord where a record is damaged.
    """
    next_seq: int | None = 1
    if not store.head(key):
        raise WorkflowNotFoundError(f"there is no workflow {key.workflow_id!r} in namespace {key.namespace!r}")
    while next_seq is not None:
        page = store.history(key, next_seq)
        for frame in page.frames:
            for seq, raw in enumerate(decode_frame(frame.data, frame.count), frame.first_seq):
                yield to_line(key.workflow_id, key.namespace, seq, raw)
        next_seq = page.next_seq


def read_lines(lines: Iterable[str]) -> tuple[WorkflowKey, list[Raw]]:
    """The key and events of one exported history, or of a prefix of it. Raises InvalidInputError that names the line."""
    key: WorkflowKey | None = None
    raws: list[Raw] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        workflow_id, namespace, seq, raw = from_line(line)
        key = key or WorkflowKey(namespace, workflow_id_of(workflow_id))
        if key != (namespace, workflow_id):
            raise InvalidInputError(f"line {number} belongs to workflow {workflow_id!r} in {namespace!r}, the lines before it to {key}")
        if seq != len(raws) + 1:
            raise InvalidInputError(f"line {number} has seq {seq} where {len(raws) + 1} is expected: the history is not contiguous")
        raws.append(raw)
    if key is None or raws[0][0] != ev.WORKFLOW_STARTED:
        raise InvalidInputError("a history begins with WorkflowStarted, and these lines do not")
    return key, raws


def import_appends(key: WorkflowKey, raws: Sequence[Raw]) -> list[Append]:
    """The appends, for one transaction, that make this history in a store that does not know the id.

    A run that is open owes a step: where the history ends, its code may have had more to say.
    """
    projection = Projection()
    appends: list[Append] = []
    for start in range(0, len(raws), EVENTS_PER_FRAME):
        chunk = raws[start : start + EVENTS_PER_FRAME]
        for raw in chunk:
            projection.apply(raw)
        changes = projection.take()
        if projection.open:
            changes.opens.append(Open(ObligationKind.STEP, b"", payload=rows.payload_of(projection.head)))
        appends.append(
            Append(key, start, encode_frame(chunk), len(chunk), changes.summary, changes.runs, changes.opens, changes.closes, changes.marks)
        )
    return appends


def import_lines(store: Store, lines: Iterable[str]) -> WorkflowKey:
    """Write an exported history to a store that this process may write, in one transaction; its key.

    Raises WorkflowAlreadyStartedError for an id that is there, InvalidInputError for lines that are no history.
    """
    key, raws = read_lines(lines)
    try:
        apply_all(store, import_appends(key, raws))
    except SequenceConflict as conflict:
        what = f"workflow {key.workflow_id!r} is in this journal already, with {conflict.found} events"
        raise WorkflowAlreadyStartedError(what) from conflict
    return key
