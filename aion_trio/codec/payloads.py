"""Payloads: the opaque bytes of user data inside events, and the chain of codecs around them.

A plain payload is the CBOR encoding of plain data. A coded one (compressed, encrypted) starts with a tag of its own,
holds the names of the codecs that were applied and the coded bytes, and is so told apart by its bytes: a journal may
hold both, and switching a codec on or off leaves old payloads readable as long as the codec is known.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import cbor2

from aion_trio.codec.narrow import is_list
from aion_trio.errors import InvalidInputError, JournalFormatError, PayloadTooLargeError

_CODED = b"\xda\x61\x69\x6f\x00"
"""The head of a coded payload: CBOR tag 0x61696f00."""

LIMIT_BYTES = 2 * 1024 * 1024


class PayloadCodec(Protocol):
    """A reversible step over payload bytes, such as compression or encryption.

    `name` is stored with each payload that was encoded, so it must never change its meaning. `encode` may return the
    very object that it was given; the step then counts as not taken. `decode` is told nothing but the bytes; whatever
    `Exception` it raises becomes a JournalFormatError.
    """

    @property
    def name(self) -> str: ...

    def encode(self, data: bytes, /) -> bytes: ...

    def decode(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ZlibCodec:
    """Compresses payloads of at least `minimum_bytes`, where that makes them smaller.

    A payload that would grow beyond `limit_bytes` on the way back is refused, so that damaged or hostile data cannot
    fill the memory.
    """

    level: int = 6
    minimum_bytes: int = 512
    limit_bytes: int = 256 * 1024 * 1024
    name: str = field(default="zlib", init=False)

    def encode(self, data: bytes, /) -> bytes:
        """The compressed bytes, or `data` itself where compression does not pay."""
        if len(data) < self.minimum_bytes:
            return data
        packed = zlib.compress(data, self.level)
        return packed if len(packed) < len(data) else data

    def decode(self, data: bytes, /) -> bytes:
        """The bytes before compression; ValueError for more than `limit_bytes` or for bytes that end early."""
        stream = zlib.decompressobj()
        unpacked = stream.decompress(data, self.limit_bytes)
        if not stream.eof:
            raise ValueError(f"the compressed payload is cut off or larger than {self.limit_bytes} bytes")
        return unpacked


class Codec:
    """The chain of payload codecs of one engine, and the limit that stored payloads keep.

    Invariant: `unwrap(wrap(data)) == data`, under any chain that has the codecs which `wrap` used.
    """

    __slots__ = ("_by_name", "_chain", "limit_bytes")

    def __init__(self, payload_codecs: tuple[PayloadCodec, ...] = (), limit_bytes: int = LIMIT_BYTES) -> None:
        self._chain = payload_codecs
        self._by_name = {codec.name: codec for codec in payload_codecs}
        self.limit_bytes = limit_bytes
        if len(self._by_name) != len(payload_codecs):
            raise InvalidInputError("payload_codecs: two codecs have the same name", "payload_codecs")

    def with_each(self, change: Callable[[PayloadCodec], PayloadCodec]) -> Codec:
        """The same chain, each codec changed so."""
        return Codec(tuple(map(change, self._chain)), self.limit_bytes) if self._chain else self

    def wrap(self, data: bytes) -> bytes:
        """The payload of an encoding; PayloadTooLargeError if it would exceed the limit."""
        if self._chain or data.startswith(_CODED):
            data = self._coded(data)
        if len(data) > self.limit_bytes:
            raise PayloadTooLargeError(
                f"a payload of {len(data)} bytes exceeds the limit of {self.limit_bytes}; "
                "store large data elsewhere and pass a reference, or raise EngineConfig.payload_limit_bytes"
            )
        return data

    def unwrap(self, payload: bytes) -> bytes:
        """The encoding inside a payload; JournalFormatError names a codec that is not configured, or that failed."""
        if not payload.startswith(_CODED):
            return payload
        names, data = self._parts(payload)
        for name in reversed(names):
            codec = self._by_name.get(name)
            if codec is None:
                known = ", ".join(sorted(self._by_name)) or "none"
                raise JournalFormatError(f"a payload was written with the codec {name!r}; configured: {known}. Add it to payload_codecs")
            try:
                data = codec.decode(data)
            except Exception as error:  # the boundary to foreign code
                raise JournalFormatError(f"the payload codec {name!r} cannot decode {len(data)} bytes: {error}") from error
        return data

    def _coded(self, data: bytes) -> bytes:
        names: list[str] = []
        plain = data
        for codec in self._chain:
            coded = codec.encode(data)
            if coded is not data:
                names.append(codec.name)
                data = coded
        if not names and not plain.startswith(_CODED):
            return plain
        return _CODED + cbor2.dumps([names, data])

    @staticmethod
    def _parts(payload: bytes) -> tuple[list[str], bytes]:
        try:
            parts = cbor2.loads(payload[len(_CODED) :])
        except Exception:  # damaged bytes fail in many ways
            parts = None
        if is_list(parts) and len(parts) == 2 and is_list(parts[0]) and isinstance(parts[1], bytes):
            return list(map(str, parts[0])), parts[1]
        raise JournalFormatError(f"a coded payload of {len(payload)} bytes is damaged")


PLAIN = Codec()
"""No codecs, the default limit."""
