"""Data in and out: plain data, typed values, payloads, failures, frames of events and export lines.

Everything here is a pure function of its arguments. Data is never unpickled, and nothing that is read names code to
import.
"""

from __future__ import annotations

from aion_trio.codec.failures import (
    APPLICATION,
    cause_of,
    child_exception_of,
    exception_of,
    failure,
    failure_of,
    short_name,
    type_name_of,
)
from aion_trio.codec.frames import decode_frame, encode_frame, event_of, raw_of
from aion_trio.codec.lines import from_line, to_line
from aion_trio.codec.payloads import PLAIN, Codec, PayloadCodec, ZlibCodec
from aion_trio.codec.plain import decode, digest, encode
from aion_trio.codec.values import Arguments, Parameter, Value, plain_data

__all__ = [
    "decode",
    "digest",
    "encode",
    "Arguments",
    "Parameter",
    "Value",
    "plain_data",
    "PLAIN",
    "Codec",
    "PayloadCodec",
    "ZlibCodec",
    "APPLICATION",
    "cause_of",
    "child_exception_of",
    "exception_of",
    "failure",
    "failure_of",
    "short_name",
    "type_name_of",
    "decode_frame",
    "encode_frame",
    "event_of",
    "raw_of",
    "from_line",
    "to_line",
]
