"""Payload codecs: a chain that payloads name themselves."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cbor2
import pytest
from hypothesis import given, strategies as st

from aion_trio.codec import Codec, PayloadCodec, ZlibCodec, encode
from aion_trio.errors import InvalidInputError, JournalFormatError, PayloadTooLargeError


@dataclass(frozen=True)
class Xor:
    """Stands for an encryption; a codec of this shape is a PayloadCodec."""

    name: str = "xor"
    key: int = 0x5A

    def encode(self, data: bytes, /) -> bytes:
        return bytes(byte ^ self.key for byte in data)

    def decode(self, data: bytes, /) -> bytes:
        if not data:
            raise ValueError("nothing to decode")
        return self.encode(data)


LONG = encode(["text " * 400])
CHAINS: list[tuple[PayloadCodec, ...]] = [(), (ZlibCodec(),), (Xor(),), (ZlibCodec(), Xor()), (Xor(), ZlibCodec(minimum_bytes=0))]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@given(data=st.binary(max_size=200) | st.sampled_from([LONG, b"\xda\x61\x69\x6f\x00", b"\xda\x61\x69\x6f\x00\x80"]))
def test_unwrap_gives_back_what_was_wrapped(chain: tuple[PayloadCodec, ...], data: bytes) -> None:
    codec = Codec(chain)
    assert codec.unwrap(codec.wrap(data)) == data


def test_without_codecs_a_payload_is_the_encoding_itself() -> None:
    data = encode([1, 2])
    assert Codec().wrap(data) is data
    assert Codec().unwrap(data) is data


def test_a_payload_that_does_not_profit_from_compression_stays_plain() -> None:
    data = encode([1, 2])
    assert Codec((ZlibCodec(),)).wrap(data) is data
    assert len(Codec((ZlibCodec(),)).wrap(LONG)) < len(LONG) / 5


def test_a_payload_that_compression_makes_no_smaller_stays_plain() -> None:
    """A coded one of the same length would be longer by its head."""
    tried = (bytes(range(100)) + bytes(zeros) for zeros in range(100))
    data = next(each for each in tried if len(zlib.compress(each, 6)) == len(each))
    codec = Codec((ZlibCodec(minimum_bytes=0),))
    assert codec.wrap(data) is data
    assert len(codec.wrap(data + bytes(50))) < len(data) + 50


def test_the_name_of_a_codec_that_payloads_hold_is_not_to_be_chosen() -> None:
    with pytest.raises(TypeError, match="name"):
        ZlibCodec(name="gzip")  # type: ignore[call-arg]


def test_a_chain_whose_codecs_are_changed_keeps_its_order_its_names_and_its_limit() -> None:
    chain = Codec((ZlibCodec(), Xor()), limit_bytes=300)
    changed = chain.with_each(lambda codec: Xor(key=1) if codec.name == "xor" else codec)
    assert changed.limit_bytes == 300
    assert changed.unwrap(changed.wrap(LONG)) == LONG
    with pytest.raises(JournalFormatError, match="'zlib' cannot decode"):  # xor is the last, and undone first with another key
        changed.unwrap(chain.wrap(LONG))
    assert Codec(limit_bytes=5).with_each(lambda codec: Xor()).limit_bytes == 5
    assert Codec().with_each(lambda codec: Xor()).wrap(LONG) is LONG


def test_plain_payloads_stay_readable_after_a_codec_was_added() -> None:
    assert Codec((ZlibCodec(), Xor())).unwrap(LONG) == LONG


def test_coded_payloads_stay_readable_under_another_order_of_codecs() -> None:
    assert Codec((Xor(), ZlibCodec())).unwrap(Codec((ZlibCodec(), Xor())).wrap(LONG)) == LONG


def test_a_codec_that_is_not_configured_is_named() -> None:
    with pytest.raises(JournalFormatError, match=r"with the codec 'xor'; configured: zlib\. Add it"):
        Codec((ZlibCodec(),)).unwrap(Codec((Xor(),)).wrap(b"\x01"))
    with pytest.raises(JournalFormatError, match=r"configured: xor, zlib\. Add it"):
        Codec((ZlibCodec(), Xor())).unwrap(Codec((Xor("rot"),)).wrap(b"\x01"))
    with pytest.raises(JournalFormatError, match=r"configured: none\. Add it"):
        Codec().unwrap(Codec((Xor(),)).wrap(b"\x01"))


def test_a_codec_that_fails_is_named() -> None:
    payload = b"\xda\x61\x69\x6f\x00" + cbor2.dumps([["xor"], b""])
    with pytest.raises(JournalFormatError, match="'xor' cannot decode 0 bytes: nothing to decode"):
        Codec((Xor(),)).unwrap(payload)


def test_two_codecs_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="same name"):
        Codec((Xor(), Xor(key=1)))


def test_a_payload_above_the_limit_is_refused() -> None:
    assert Codec().limit_bytes == 2 * 1024 * 1024
    codec = Codec(limit_bytes=10)
    assert codec.wrap(b"x" * 10)
    with pytest.raises(PayloadTooLargeError, match="11 bytes exceeds the limit of 10"):
        codec.wrap(b"x" * 11)


def test_the_limit_is_on_what_is_stored() -> None:
    assert Codec((ZlibCodec(),), limit_bytes=200).wrap(LONG)


def test_a_payload_that_unpacks_beyond_its_limit_is_refused() -> None:
    payload = Codec((ZlibCodec(),)).wrap(LONG)
    with pytest.raises(JournalFormatError, match="larger than 100 bytes"):
        Codec((ZlibCodec(limit_bytes=100),)).unwrap(payload)


@given(st.binary(max_size=40))
def test_arbitrary_bytes_unwrap_or_are_a_format_error(data: bytes) -> None:
    codec = Codec((ZlibCodec(), Xor()))
    for payload in (data, b"\xda\x61\x69\x6f\x00" + data):
        try:
            codec.unwrap(payload)
        except JournalFormatError:
            pass
