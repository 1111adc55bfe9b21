"""Failures to the letter: which class comes back, what is left out at which size, and what a history cannot make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import attrs
import pytest

from aion_trio.codec import Codec, ZlibCodec, cause_of, child_exception_of, decode, encode, exception_of, failure, failure_of
from aion_trio.errors import ActivityFailedError, ActivityTimedOutError, RecordedError

from .data import Parcel


class Odd(Exception):
    """An exception of the user's."""


class Even(Exception):
    """Another one."""


def elsewhere() -> type[Exception]:
    class Odd(Exception):
        """One of the same name."""

    return Odd


def test_a_failure_of_the_engine_is_this_list_and_may_be_tried_again() -> None:
    """A3."""
    assert failure("crashed", "why") == ["crashed", "", "why", None, None, False]


def test_the_class_of_the_full_name_comes_before_one_of_the_same_name() -> None:
    for raises in ([Even, elsewhere(), Odd], [Odd, elsewhere(), Even]):
        assert type(exception_of(failure_of(Odd("x")), raises)) is Odd
        assert type(exception_of(failure_of(Even("x")), raises)) is Even
    moved = elsewhere()
    assert type(exception_of(failure_of(Odd("x")), [Even, moved])) is moved


def test_what_the_engine_did_is_no_exception_of_a_known_name() -> None:
    """Only what user code raised is one of its classes."""
    for kind in ("terminated", "crashed"):
        back = cause_of([kind, "ValueError", "why", encode([["why"], {}]), None, False])
        assert isinstance(back, RecordedError)
        assert (back.type, back.message, back.details) == ("ValueError", "why", ["why"])


def test_a_failure_without_a_type_is_told_by_its_kind() -> None:
    back = cause_of(failure("timed_out", "after 5 s"))
    assert isinstance(back, RecordedError)
    assert back.type == "timed_out"


def test_a_child_that_was_ended_has_the_cause_of_its_end() -> None:
    """C2."""
    codec = Codec((ZlibCodec(minimum_bytes=0),))
    why = failure_of(Odd("late " * 50, 3), codec)
    cause = child_exception_of(failure("terminated", "why", cause=why), "child", codec).__cause__
    assert isinstance(cause, RecordedError)
    assert (cause.type, cause.details) == ("Odd", ["late " * 50, 3])


def test_an_activity_without_a_known_name_has_an_empty_one() -> None:
    failed, timed_out = exception_of(failure_of(Odd("x"))), exception_of(failure("timeout:heartbeat", "late"))
    assert isinstance(failed, ActivityFailedError)
    assert isinstance(timed_out, ActivityTimedOutError)
    assert (failed.activity, timed_out.activity) == ("", "")


@pytest.mark.parametrize(("size", "message"), [(4_000, "x" * 4_000), (4_001, "x" * 3_999 + "…")], ids=str)
def test_a_message_of_four_thousand_characters_is_whole(size: int, message: str) -> None:
    assert failure_of(Odd("x" * size))[2] == message


def test_details_of_64_kib_are_kept_and_no_more() -> None:
    around = len(encode([["x" * 65_000], {}])) - 65_000
    largest = failure_of(Odd("x" * (65_536 - around)))
    assert len(largest[3]) == 65_536
    assert failure_of(Odd("x" * (65_537 - around)))[3] is None


@attrs.define(auto_exc=True, slots=False)
class HeldError(Exception):
    parcel: Parcel


def test_an_attrs_exception_comes_back_with_its_fields_typed() -> None:
    back = exception_of(failure_of(HeldError(Parcel(1))), [HeldError])
    assert isinstance(back, HeldError)
    assert back.parcel == Parcel(1)


class QuietError(Exception):
    """Its `__new__` keeps the arguments to itself."""

    def __new__(cls, *args: Any) -> QuietError:
        return super().__new__(cls)


def test_an_exception_with_a_constructor_of_its_own_has_its_arguments_back() -> None:
    assert exception_of(failure_of(QuietError("late", 3)), [QuietError]).args == ("late", 3)


@pytest.mark.parametrize("args", [["m"], ["m", []], ["m", [5]], []], ids=str)
@pytest.mark.parametrize("name", ["ExceptionGroup", "BaseExceptionGroup", "BaseException", "KeyboardInterrupt"])
def test_a_name_in_a_history_makes_no_group_and_nothing_that_ends_a_program(name: str, args: list[Any]) -> None:
    assert type(cause_of(["application", name, "m", encode([args, {}]), None, False])) is RecordedError


def test_details_are_the_arguments_and_what_of_the_attributes_is_plain() -> None:
    error = Odd("late", Parcel(1))
    error.code, error.parcel = 5, Parcel(2)  # type: ignore[attr-defined]
    assert decode(failure_of(error)[3]) == [["late", "Parcel"], {"code": 5}]


@dataclass
class LimitError(Exception):
    limit: int


def test_a_dataclass_exception_is_its_fields() -> None:
    recorded = failure_of(LimitError(5))
    assert decode(recorded[3])[1] == {"limit": 5}
    recorded[3] = encode([[], {"limit": 6}])
    assert exception_of(recorded, [LimitError]) == LimitError(6)
