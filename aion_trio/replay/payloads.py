"""Payload codecs as a run calls them: outside of the step that has something to store or to read."""

from __future__ import annotations

from ..codec import PayloadCodec
from ..kernel.context import set_aside


class Outside:
    """A payload codec that is no workflow code: a cipher draws a nonce, or reads its key from a file (K7)."""

    __slots__ = ("_codec", "name")

    def __init__(self, codec: PayloadCodec) -> None:
        self._codec, self.name = codec, codec.name

    def encode(self, data: bytes, /) -> bytes:
        """As the codec does."""
        with set_aside():
            return self._codec.encode(data)

    def decode(self, data: bytes, /) -> bytes:
        """As the codec does."""
        with set_aside():
            return self._codec.decode(data)
