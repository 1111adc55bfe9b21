"""Failures: exceptions that cross a crash come back as themselves where they are listed, and say all they can elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import attrs
import pytest

from aion_trio.codec import (
    Codec,
    ZlibCodec,
    cause_of,
    child_exception_of,
    decode,
    encode,
    exception_of,
    failure,
    failure_of,
)
from aion_trio.errors import (
    ActivityFailedError,
    ActivityTimedOutError,
    ChildWorkflowFailedError,
    JournalFormatError,
    NonRetryableError,
    RecordedError,
)

from .data import Parcel


class DeclinedError(Exception):
    """An exception whose constructor takes something else than its `args`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


class StolenCardError(DeclinedError):
    pass


class FraudError(NonRetryableError):
    pass


@dataclass
class QuotaError(Exception):
    limit: int
    unit: str = "MB"


@dataclass
class DamagedError(Exception):
    parcels: list[Parcel]


@attrs.define(auto_exc=True, slots=False)
class AttrsError(Exception):
    limit: int


class RudeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_listed_exception_comes_back_as_itself() -> None:
    back = exception_of(failure_of(DeclinedError(5, "no")), [DeclinedError])
    assert type(back) is DeclinedError
    assert (back.code, back.reason, back.args, str(back)) == (5, "no", ("5: no",), "5: no")


def test_dataclass_exceptions_come_back_equal() -> None:
    assert exception_of(failure_of(QuotaError(5)), [QuotaError]) == QuotaError(5)
    assert exception_of(failure_of(DamagedError([Parcel(1)])), [DamagedError]) == DamagedError([Parcel(1)])
    back = exception_of(failure_of(AttrsError(5)), [AttrsError])
    assert isinstance(back, AttrsError)
    assert back.limit == 5


def test_notes_come_back() -> None:
    error = ValueError("x")
    error.add_note("look here")
    assert exception_of(failure_of(error), [ValueError]).__notes__ == ["look here"]


def test_a_subclass_of_a_listed_class_comes_back_as_the_listed_one() -> None:
    """What is rebuilt depends on the record and on `raises` alone, never on which classes happen to be loaded (K1)."""
    recorded = failure_of(StolenCardError(7, "stolen"), raises=[DeclinedError])
    back = exception_of(recorded, [DeclinedError])
    assert type(back) is DeclinedError
    assert back.code == 7


def test_a_listed_class_that_moved_to_another_module_is_found_by_its_name() -> None:
    recorded = failure_of(DeclinedError(5, "no"))
    recorded[1] = "old.place.DeclinedError"
    assert type(exception_of(recorded, [DeclinedError])) is DeclinedError


def test_another_exception_becomes_an_activity_failed_error() -> None:
    back = exception_of(failure_of(DeclinedError(5, "no")), activity="charge")
    assert isinstance(back, ActivityFailedError)
    assert (back.activity, back.type, back.message, back.details) == ("charge", "DeclinedError", "5: no", ["5: no"])
    assert str(back) == "activity charge failed: DeclinedError: 5: no"


def test_a_builtin_that_is_not_listed_is_an_activity_failed_error_too() -> None:
    assert isinstance(exception_of(failure_of(ValueError("x"))), ActivityFailedError)


def test_what_is_no_plain_data_is_recorded_as_text() -> None:
    error = ValueError(Parcel(1), 5)
    error.parcel, error.code = Parcel(1), 7  # type: ignore[attr-defined]
    back = exception_of(failure_of(error), [ValueError])
    assert back.args == ("Parcel", 5)
    assert back.code == 7  # type: ignore[attr-defined]
    assert not hasattr(back, "parcel")


def test_details_that_are_too_large_are_left_out() -> None:
    recorded = failure_of(ValueError("x" * 100_000))
    assert recorded[3] is None
    assert repr(exception_of(recorded, [ValueError])).startswith("ValueError('xxx")


def test_the_cause_chain_is_kept() -> None:
    try:
        try:
            try:
                raise KeyError("k")
            except KeyError as inner:
                raise DeclinedError(1, "d") from inner
        except DeclinedError as middle:
            raise ValueError("outer") from middle
    except ValueError as caught:
        recorded = failure_of(caught)
    back = exception_of(recorded)
    middle = back.__cause__
    assert isinstance(middle, RecordedError)
    assert (middle.type, middle.message) == ("DeclinedError", "1: d")
    assert repr(middle.__cause__) == "KeyError('k')"
    listed = exception_of(recorded, [DeclinedError])
    assert type(listed.__cause__) is DeclinedError


def test_a_long_or_circular_chain_is_cut() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    recorded: Any = failure_of(first)
    length = 0
    while recorded is not None:
        recorded, length = recorded[4], length + 1
    assert length == 8


def test_a_long_message_is_cut() -> None:
    assert len(failure_of(ValueError("x" * 100_000))[2]) == 4_000


def test_a_group_names_its_parts() -> None:
    group = ExceptionGroup("nursery", [ValueError("a"), ExceptionGroup("inner", [KeyError("b")])])
    recorded = failure_of(group)
    assert recorded[2] == "nursery (2 sub-exceptions): ValueError: a; KeyError: 'b'"
    assert not recorded[5]
    assert failure_of(ExceptionGroup("g", [ValueError(), FraudError()]))[5]
    assert isinstance(cause_of(recorded), RecordedError)
    assert "and 5 more" in failure_of(ExceptionGroup("g", [ValueError(str(n)) for n in range(10)]))[2]


def test_a_non_retryable_error_is_marked() -> None:
    """A3."""
    assert failure_of(FraudError("x"))[5]
    assert not failure_of(ValueError("x"))[5]


ANY_KIND = [RudeError("x"), KeyboardInterrupt(), SystemExit(2), ValueError("\ud800"), Exception(object()), StopIteration(5)]


@pytest.mark.parametrize("exc", ANY_KIND, ids=lambda exc: type(exc).__name__)
def test_any_exception_has_a_record(exc: BaseException) -> None:
    recorded = failure_of(exc)
    assert decode(encode(recorded)) == recorded
    assert isinstance(exception_of(recorded), ActivityFailedError)
    assert isinstance(cause_of(recorded), Exception)


def test_a_time_out_says_which() -> None:
    """A4."""
    for kind in ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat"):
        back = exception_of(failure(f"timeout:{kind}", "after 5 s"), activity="charge")
        assert isinstance(back, ActivityTimedOutError)
        assert (back.kind, back.activity) == (kind, "charge")


def test_a_failure_of_the_engine_is_an_activity_failed_error_of_its_kind() -> None:
    back = exception_of(failure("crashed", "it crashed too often"), activity="charge")
    assert isinstance(back, ActivityFailedError)
    assert back.type == "crashed"


def test_the_failure_of_a_child_carries_the_childs_own_exception() -> None:
    """C2."""
    back = child_exception_of(failure_of(DeclinedError(5, "no")), "child-1")
    assert isinstance(back, ChildWorkflowFailedError)
    assert (back.kind, back.child_id) == ("failed", "child-1")
    assert isinstance(back.__cause__, RecordedError)
    assert repr(child_exception_of(failure_of(KeyError("k"))).__cause__) == "KeyError('k')"


@pytest.mark.parametrize("kind", ["cancelled", "terminated", "timed_out", "already_started"])
def test_a_child_that_ended_otherwise_says_how(kind: str) -> None:
    back = child_exception_of(failure(kind, "why"), "child-1")
    assert (back.kind, back.__cause__) == (kind, None)


def test_errors_of_the_engine_come_back_as_a_cause() -> None:
    original = ActivityFailedError("activity charge failed", activity="charge", type="DeclinedError", details=[1])
    back = cause_of(failure_of(original))
    assert type(back) is ActivityFailedError
    assert (back.activity, back.type, back.details) == ("charge", "DeclinedError", [1])


def test_a_name_in_a_history_makes_nothing_but_exceptions() -> None:
    for name in ("eval", "object", "print", "aion_trio.errors.annotations", "os.system", "SystemExit", "ExceptionGroup", ""):
        recorded = failure("application", "message", name)
        assert type(cause_of(recorded)) is RecordedError
        assert type(exception_of(recorded)) is ActivityFailedError


def test_details_go_through_the_payload_codecs() -> None:
    codec = Codec((ZlibCodec(minimum_bytes=0),))
    recorded = failure_of(DeclinedError(5, "secret " * 50), codec)
    assert b"secret secret" not in recorded[3]
    back = exception_of(recorded, [DeclinedError], codec=codec)
    assert isinstance(back, DeclinedError)
    assert back.code == 5


def test_details_that_do_not_make_the_exception_leave_it_a_record() -> None:
    recorded = failure_of(DeclinedError(5, "no"))
    for other in (encode([1]), encode([[], {5: 5}]), encode(None)):
        recorded[3] = other
        assert isinstance(exception_of(recorded, [DeclinedError]), ActivityFailedError | DeclinedError)
        assert isinstance(cause_of(recorded), RecordedError)


def test_details_that_cannot_be_read_are_an_error_and_no_other_exception() -> None:
    """J7: with a codec that is missing, workflow code must not take another branch than it took before."""
    recorded = failure_of(DeclinedError(5, "no" * 300), Codec((ZlibCodec(),)))
    with pytest.raises(JournalFormatError, match="zlib"):
        exception_of(recorded, [DeclinedError])
    recorded[3] = b"\xff"
    with pytest.raises(JournalFormatError):
        exception_of(recorded, [DeclinedError])


class _Locked:
    """A payload codec that cannot do its work."""

    name = "locked"

    def encode(self, data: bytes, /) -> bytes:
        raise PermissionError("no key")

    def decode(self, data: bytes, /) -> bytes:
        raise AssertionError


def test_a_failure_is_recorded_without_details_where_a_payload_codec_fails() -> None:
    recorded = failure_of(ValueError("x", 5), Codec((_Locked(),)))
    assert recorded == ["application", "ValueError", "('x', 5)", None, None, False]
    assert exception_of(recorded, [ValueError]).args == ("('x', 5)",)


class _Opaque:
    pass


@dataclass
class OpaqueError(Exception):
    limit: int
    inner: _Opaque


def test_an_exception_with_fields_that_cannot_be_stored_is_recorded_as_a_plain_one() -> None:
    back = exception_of(failure_of(OpaqueError(5, _Opaque())), [OpaqueError])
    assert isinstance(back, OpaqueError)
    assert back.limit == 5
    assert not hasattr(back, "inner")


def test_an_exception_whose_field_holds_something_else_is_recorded_as_a_plain_one() -> None:
    back = exception_of(failure_of(QuotaError("much")), [QuotaError])  # type: ignore[arg-type]
    assert isinstance(back, QuotaError)
    assert (back.limit, back.unit) == ("much", "MB")


def test_an_exception_that_had_other_fields_when_it_was_recorded_still_comes_back() -> None:
    recorded = failure_of(AttrsError(5))
    recorded[1] = "old.place.DamagedError"
    back = exception_of(recorded, [DamagedError])
    assert isinstance(back, DamagedError)
    assert back.limit == 5  # type: ignore[attr-defined]
