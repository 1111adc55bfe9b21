"""What a store can hold, the same for every backend, so that what works in a test works on disk.

The sizes follow from the 511 bytes of an LMDB key, less the prefixes that the layout puts before them.
"""

from __future__ import annotations

from collections.abc import Mapping

from .attributes import encode_text, encode_value
from .contract import Append, AttributeValue, InvalidRecord, Mark, Open, RecordTooLarge, RunRow, Summary

MAX_ID_BYTES = 400
"""Of a workflow id in UTF-8; an id has at least one."""

MAX_NAME_BYTES = 255
"""Of a namespace, type, queue or attribute name, and of a run id."""

MAX_ROW_BYTES = 480
"""Of an obligation's row and of a mark's name."""

MAX_VALUE_BYTES = 60_000
"""Of one attribute value as it is encoded."""

MAX_FRAME_BYTES = 1 << 28
"""Of one append's events, of an obligation's payload and of a mark's value."""

MAX_SEQ = (1 << 32) - 1
_MAX_TIME = (1 << 63) - 1


def require_storable(append: Append) -> None:
    """Raise `InvalidRecord` or `RecordTooLarge` unless every part of the append can be stored as it is given."""
    if (append.count == 0) != (not append.frame) or append.count < 0:
        raise InvalidRecord(f"an append of {append.count} events has a frame of {len(append.frame)} bytes")
    if append.expected_seq + append.count > MAX_SEQ:
        raise RecordTooLarge(f"workflow {append.key.workflow_id!r} would have more than {MAX_SEQ} events")
    if len(append.frame) > MAX_FRAME_BYTES:
        raise RecordTooLarge(f"an append may have {MAX_FRAME_BYTES} bytes of events, this one has {len(append.frame)}")
    for opened in append.opens:
        _require_open(opened)
    for closed in append.closes:
        _require_row(closed.row)
    for mark in append.marks:
        _require_mark(mark)
    for run in append.runs:
        _require_run(run)
    if append.summary is not None:
        _require_summary(append.summary)


def require_id(workflow_id: str) -> bytes:
    """The id in UTF-8, which has 1 to `MAX_ID_BYTES` bytes, else `InvalidRecord` or `RecordTooLarge`."""
    encoded = encode_text(workflow_id)
    if not encoded:
        raise InvalidRecord("a workflow id may not be empty")
    if len(encoded) > MAX_ID_BYTES:
        raise RecordTooLarge(f"a workflow id may have {MAX_ID_BYTES} bytes, {workflow_id[:40]!r}... has {len(encoded)}")
    return encoded


def require_name(name: str) -> bytes:
    """The name in UTF-8, at most `MAX_NAME_BYTES`, else `InvalidRecord` or `RecordTooLarge`."""
    encoded = encode_text(name)
    if len(encoded) > MAX_NAME_BYTES:
        raise RecordTooLarge(f"a name may have {MAX_NAME_BYTES} bytes, {name[:40]!r}... has {len(encoded)}")
    return encoded


def _require_open(opened: Open) -> None:
    _require_row(opened.row)
    _require_time("an obligation's due time", opened.due_us)
    if opened.queue:
        require_name(opened.queue)
    if len(opened.payload) > MAX_FRAME_BYTES:
        raise RecordTooLarge(f"an obligation's payload may have {MAX_FRAME_BYTES} bytes, this one has {len(opened.payload)}")


def _require_mark(mark: Mark) -> None:
    _require_row(mark.name)
    if len(mark.value) > MAX_FRAME_BYTES:
        raise RecordTooLarge(f"a mark's value may have {MAX_FRAME_BYTES} bytes, this one has {len(mark.value)}")


def _require_run(run: RunRow) -> None:
    require_name(run.type)
    _require_run_id(run.run_id)
    _require_run_id(run.parent_run_id)
    _require_numbers(run.run_no, run.version, run.first_seq, run.last_seq)
    _require_bytes_of_one(run.status, run.origin)
    _require_time("a run's start", run.started_us)
    _require_time("a run's end", run.closed_us)


def _require_summary(summary: Summary) -> None:
    require_name(summary.type)
    _require_run_id(summary.run_id)
    if summary.parent_id:
        require_id(summary.parent_id)
    _require_numbers(summary.run_no, summary.version, summary.first_seq, summary.head)
    _require_bytes_of_one(summary.status)
    _require_time("a workflow's start", summary.started_us)
    _require_time("a workflow's end", summary.closed_us)
    if summary.attributes:
        require_attributes(summary.attributes)


def require_attributes(attributes: Mapping[str, AttributeValue]) -> None:
    """Raise `InvalidRecord` or `RecordTooLarge` unless these attributes can be stored."""
    if len(attributes) > MAX_NAME_BYTES:
        raise RecordTooLarge(f"a workflow may have {MAX_NAME_BYTES} attributes, this one has {len(attributes)}")
    for name, value in attributes.items():
        require_name(name)
        size = len(encode_value(value))
        if size > MAX_VALUE_BYTES:
            raise RecordTooLarge(f"the attribute {name!r} may have {MAX_VALUE_BYTES} bytes, it has {size}")


def _require_row(row: bytes) -> None:
    if len(row) > MAX_ROW_BYTES:
        raise RecordTooLarge(f"a row's key may have {MAX_ROW_BYTES} bytes, {row[:20]!r}... has {len(row)}")


def _require_run_id(run_id: bytes) -> None:
    if len(run_id) > MAX_NAME_BYTES:
        raise RecordTooLarge(f"a run id may have {MAX_NAME_BYTES} bytes, this one has {len(run_id)}")


def _require_numbers(*numbers: int) -> None:
    for number in numbers:
        if not 0 <= number <= MAX_SEQ:
            raise InvalidRecord(f"{number} is not between 0 and {MAX_SEQ}")


def _require_bytes_of_one(*numbers: int) -> None:
    for number in numbers:
        if not 0 <= number <= 255:
            raise InvalidRecord(f"{number} is not between 0 and 255")


def _require_time(what: str, time_us: int) -> None:
    if not 0 <= time_us <= _MAX_TIME:
        raise InvalidRecord(f"{what} is {time_us} µs, which is not between 0 and {_MAX_TIME}")
