"""The bodies of the rows: identity and summary, runs, obligations. Numbers are fixed-width, texts carry their length."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

from ..attributes import decode_value, encode_value
from ..contract import AttributeValue, CorruptRecord, Obligation, ObligationKind, Open, RunRow, Summary, WorkflowKey

P = ParamSpec("P")
T = TypeVar("T")

_SUMMARY = struct.Struct(">IBIIQQI")  # version, status, run number, first seq, started, closed, head
_RUN = struct.Struct(">IBIBIIQQ")  # run number, origin, version, status, first seq, last seq, started, closed
_KINDS = frozenset(map(int, ObligationKind))
_DUE = struct.Struct(">QB")  # due, length of the queue's name


def _sound(decode: Callable[P, T]) -> Callable[P, T]:
    """A decoder that raises `CorruptRecord` for a body that is none of its kind, although its checksum is right."""

    @wraps(decode)
    def decoded(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return decode(*arguments, **named)
        except (ValueError, IndexError, struct.error) as error:
            raise CorruptRecord(f"a row cannot be decoded: {error}") from error

    return decoded


def encode_identity(key: WorkflowKey, summary: Summary | None) -> bytes:
    """Whose rows these are, and the projection where there is one."""
    named = _short(key.namespace.encode()) + _long(key.workflow_id.encode())
    return named if summary is None else named + _encode_summary(summary)


@_sound
def decode_identity(body: bytes) -> tuple[WorkflowKey, Summary | None]:
    """What `encode_identity` was given."""
    namespace, at = _take_short(body, 0)
    workflow_id, at = _take_long(body, at)
    key = WorkflowKey(namespace.decode(), workflow_id.decode())
    return key, (_decode_summary(body, at) if at < len(body) else None)


@_sound
def decode_key(body: bytes) -> WorkflowKey:
    """The identity alone."""
    namespace, at = _take_short(body, 0)
    return WorkflowKey(namespace.decode(), _take_long(body, at)[0].decode())


@_sound
def final_head(body: bytes) -> int:
    """The head that the summary of a closed workflow holds, else 0."""
    at = 1 + body[0]
    at += 2 + int.from_bytes(body[at : at + 2])
    head: int = _SUMMARY.unpack_from(body, at)[6] if at < len(body) else 0
    return head


def encode_run(run: RunRow) -> bytes:
    """The body of one run's row."""
    fixed = _RUN.pack(run.run_no, run.origin, run.version, run.status, run.first_seq, run.last_seq, run.started_us, run.closed_us)
    return fixed + _short(run.run_id) + _short(run.parent_run_id) + _short(run.type.encode())


@_sound
def decode_run(body: bytes) -> RunRow:
    """What `encode_run` was given."""
    run_no, origin, version, status, first_seq, last_seq, started_us, closed_us = _RUN.unpack_from(body)
    run_id, at = _take_short(body, _RUN.size)
    parent_run_id, at = _take_short(body, at)
    type_name = _take_short(body, at)[0].decode()
    return RunRow(run_id, run_no, parent_run_id, origin, type_name, version, status, first_seq, last_seq, started_us, closed_us)


def encode_obligation(opened: Open) -> bytes:
    """The body of an open row; kind and row are in its key."""
    queue = opened.queue.encode() if opened.queue else b""
    return _DUE.pack(opened.due_us, len(queue)) + queue + opened.payload


def decode_obligation(key: WorkflowKey, kind: int, row: bytes, body: bytes) -> Obligation:
    """The open row that `encode_obligation` was given, as it is listed. Raises `CorruptRecord` with the workflow's id."""
    if kind not in _KINDS:
        raise CorruptRecord(f"workflow {key.workflow_id!r}: a row of kind {kind} is open, which is not known", key.workflow_id)
    try:
        due_us, queue, payload = _decode_open(body)
    except CorruptRecord as damage:
        raise CorruptRecord(f"workflow {key.workflow_id!r}: {damage}", key.workflow_id) from None
    return Obligation(key, ObligationKind(kind), row, due_us, queue, payload)


def due_of(body: bytes) -> tuple[int, str]:
    """When an open row is due, and its queue."""
    return _decode_open(body)[:2]


@_sound
def _decode_open(body: bytes) -> tuple[int, str, bytes]:
    due_us, queue_bytes = _DUE.unpack_from(body)
    at = _DUE.size + queue_bytes
    return due_us, body[_DUE.size : at].decode(), body[at:]


def _encode_summary(summary: Summary) -> bytes:
    fixed = _SUMMARY.pack(
        summary.version,
        summary.status,
        summary.run_no,
        summary.first_seq,
        summary.started_us,
        summary.closed_us,
        summary.head,
    )
    texts = _short(summary.type.encode()) + _short(summary.run_id) + _long(summary.parent_id.encode())
    return fixed + texts + (_encode_attributes(summary.attributes) if summary.attributes else b"")


def _decode_summary(body: bytes, at: int) -> Summary:
    version, status, run_no, first_seq, started_us, closed_us, head = _SUMMARY.unpack_from(body, at)
    type_name, at = _take_short(body, at + _SUMMARY.size)
    run_id, at = _take_short(body, at)
    parent_id, at = _take_long(body, at)
    return Summary(
        type=type_name.decode(),
        version=version,
        status=status,
        run_id=run_id,
        run_no=run_no,
        first_seq=first_seq,
        started_us=started_us,
        closed_us=closed_us,
        head=head,
        parent_id=parent_id.decode(),
        attributes=_decode_attributes(body, at),
    )


def _encode_attributes(attributes: Mapping[str, AttributeValue]) -> bytes:
    return b"".join(_short(name.encode()) + _long(encode_value(value)) for name, value in attributes.items())


def _decode_attributes(body: bytes, at: int) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {}
    while at < len(body):
        name, at = _take_short(body, at)
        value, at = _take_long(body, at)
        attributes[name.decode()] = decode_value(value)
    return attributes


def _short(data: bytes) -> bytes:
    return len(data).to_bytes(1) + data


def _long(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def _take_short(body: bytes, at: int) -> tuple[bytes, int]:
    start = at + 1
    end = start + body[at]
    return body[start:end], end


def _take_long(body: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + int.from_bytes(body[at:start])
    return body[start:end], end
