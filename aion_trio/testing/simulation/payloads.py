"""Payloads as the simulation stores and reads them: some lives mask what they write, and every life reads both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...codec import Codec, decode

_MASK = bytes(byte ^ 0x5A for byte in range(256))


@dataclass(frozen=True, slots=True)
class Mask:
    """A payload codec that makes every byte another one; one that is not `on` writes nothing and reads all the same."""

    on: bool
    name: str = "mask"

    def encode(self, data: bytes, /) -> bytes:
        """The masked bytes, or `data` itself where the codec is off."""
        return data.translate(_MASK) if self.on else data

    def decode(self, data: bytes, /) -> bytes:
        """The bytes before."""
        return data.translate(_MASK)


CODEC = Codec((Mask(on=False),))
"""Reads the payloads of every life."""


def value_of(payload: bytes) -> Any:
    """The plain data in a payload, masked or not."""
    return decode(CODEC.unwrap(payload))


def is_masked(payload: bytes) -> bool:
    """Whether a codec was applied to a payload."""
    return CODEC.unwrap(payload) != payload
