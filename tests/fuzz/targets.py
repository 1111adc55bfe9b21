"""What reads bytes, each with the errors that its contract names. Whatever else comes out is a fault.

The bodies of LMDB's rows are read behind their checksum, so that only a store of another version could hold strange ones; whoever reads
them turns `ROW_ERRORS` into damage that has a name.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from aion_trio.codec import PLAIN, Codec, ZlibCodec, decode, decode_frame, encode, encode_frame, event_of, exception_of, from_line, to_line
from aion_trio.codec.failures import cause_of, child_exception_of
from aion_trio.codec.frames import raw_of
from aion_trio.codec.plain import decode_flat
from aion_trio.errors import InvalidInputError, JournalFormatError, UnknownEventError
from aion_trio.stores.attributes import decode_value
from aion_trio.stores.contract import CorruptRecord, WorkflowKey
from aion_trio.stores.lmdb_store import pages, records, rows
from tests.crash.recording import calls_of

ROW_ERRORS = (CorruptRecord, ValueError, IndexError, struct.error)
KEY = WorkflowKey("default", "w")
PAGE_BYTES = 256
SMALL_ZLIB = Codec((ZlibCodec(limit_bytes=1 << 20),))


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, and the errors by which it may refuse."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]

    def try_it(self, data: bytes) -> bool:
        """Whether the bytes were read; False if they were refused as the contract says. Any other error passes through."""
        try:
            self.read(data)
        except self.refuses:
            return False
        return True


def plain(data: bytes) -> None:
    """What was read can be written and read again."""
    value = decode(data)
    try:
        again = encode(value)
    except InvalidInputError:
        return  # data that `encode` never wrote, such as nesting beyond the limit
    decode(again)


def payload(data: bytes) -> None:
    decode(SMALL_ZLIB.unwrap(data))
    PLAIN.unwrap(data)


def coded(data: bytes) -> None:
    """Behind the head of a coded payload."""
    SMALL_ZLIB.unwrap(b"\xda\x61\x69\x6f\x00" + data)


def frame(data: bytes) -> None:
    """Some events; what was read are events for people, too, and lines."""
    for seq, raw in enumerate(decode_frame(data[1:], data[0] % 4) if data else (), 1):
        event_of(raw, seq)
        to_line("w", "default", seq, raw)


def line(data: bytes) -> None:
    """The round trip is exact of a line that is taken and whose event can be written, as an import does."""
    workflow_id, namespace, seq, raw = from_line(data.decode(errors="surrogateescape"))
    encode_frame([raw])
    assert from_line(to_line(workflow_id, namespace, seq, raw)) == (workflow_id, namespace, seq, raw)
    assert raw_of(event_of(raw, seq)) == raw


def failure(data: bytes) -> None:
    """A failure as a typed event holds it, whose details are any bytes."""
    kinds = ("application", "timeout:start_to_close", "cancelled", "crashed")
    ours = "aion_trio.errors.WorkflowFailedError"
    names = ("ValueError", "KeyError", "OSError", "UnicodeDecodeError", "ExceptionGroup", ours, "shop.Own")
    kind, name = (data[0], data[1]) if len(data) > 1 else (0, 0)
    inner = [kinds[0], names[name // 8 % len(names)], "inner", data[2:], None, False]
    found = [kinds[kind % len(kinds)], names[name % len(names)], "outer", data[2:], inner, True]
    exception_of(found, (ValueError, OSError, UnicodeDecodeError), "charge")
    child_exception_of(found, "child")
    str(cause_of(found))


def record(data: bytes) -> None:
    """A record and its key."""
    key, body = data[:13], data[13:]
    records.is_next_frame(body, 1, 5)
    if data[:1] < b"\x80":
        records.unseal(key, body)
    else:
        records.unseal_frame(key, body, "w", 1)


def sound_record(data: bytes) -> None:
    """A record whose checksum is right, whatever it holds: what reads it goes beyond the first look."""
    key, body = bytes(13), data or b"\0"
    records.unseal(key, records.seal(key, body))
    records.unseal_frame(key, records.seal(key, body), "w", 1)


def row(data: bytes) -> None:
    """The body of one row of the kind that the first byte says."""
    body = data[1:]
    match data[0] % 6 if data else 0:
        case 0:
            rows.decode_identity(body)
        case 1:
            rows.decode_run(body)
        case 2:
            rows.decode_obligation(KEY, body[0], b"", body[1:])
        case 3:
            rows.due_of(body)
        case 4:
            rows.final_head(body)
        case _:
            decode_value(body)


def pages_of(data: bytes) -> None:
    """A data file of any content, in small pages."""
    fd = os.memfd_create("pages")
    try:
        os.write(fd, data + bytes(max(2 * PAGE_BYTES - len(data), 0)))
        transaction = struct.unpack_from("=Q", data.ljust(PAGE_BYTES, b"\0"), 40 + 2 * 48 + 8)[0]
        state = pages.committed(fd, PAGE_BYTES, transaction)
        if state is not None:
            found, free, main = state
            for tree in (free, main, *found.trees(main, pages.pass_over)):
                for _ in found.records(tree, pages.pass_over):
                    pass
    finally:
        os.close(fd)


TARGETS = {
    "plain": Target(plain, (JournalFormatError,)),
    "flat": Target(decode_flat, (JournalFormatError,)),
    "payload": Target(payload, (JournalFormatError,)),
    "coded": Target(coded, (JournalFormatError,)),
    "frame": Target(frame, (JournalFormatError, UnknownEventError)),
    "line": Target(line, (InvalidInputError, UnknownEventError)),
    "failure": Target(failure, (JournalFormatError,)),
    "record": Target(record, (CorruptRecord,)),
    "sound_record": Target(sound_record, (CorruptRecord,)),
    "row": Target(row, ROW_ERRORS),
    "pages": Target(pages_of, ()),
    "recording": Target(calls_of, (AssertionError,)),
}
