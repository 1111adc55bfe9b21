"""Sentences about the codec that only hold to the letter: sizes, names of keys, paths in messages, and damaged details."""

from __future__ import annotations

import json
import typing
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar

import cbor2
import msgspec
import pydantic
import pytest

from aion_trio.codec import (
    PLAIN,
    Arguments,
    Parameter,
    Value,
    cause_of,
    child_exception_of,
    decode,
    digest,
    encode,
    failure_of,
    from_line,
    to_line,
    type_name_of,
)
from aion_trio.codec.lines import _PREVIEW_CHARACTERS
from aion_trio.codec.misfit import Misfit
from aion_trio.codec.shapes import readable
from aion_trio.errors import InvalidInputError, JournalFormatError, RecordedError
from aion_trio.events import CHILD_WORKFLOW_STARTED, FIELD_NAMES, SIGNAL_RECEIVED

T = TypeVar("T")


class Odd(Exception):
    """An exception of the user's."""


@dataclass
class Spot:
    x: int
    y: int


class Members(pydantic.BaseModel):
    names: list[str]


class Box(TypedDict, Generic[T]):
    content: T


class Row(msgspec.Struct, array_like=True):
    number: int


def test_a_digest_is_these_sixteen_bytes() -> None:
    """K3: it is compared with the one on record."""
    assert digest(b"").hex() == "cae66941d9efbd404e4d88758ea67670"


def test_a_missing_field_is_told_by_its_type_and_place() -> None:
    message = r"^v\.y: expected int \(the field has no default\), found nothing$"
    with pytest.raises(InvalidInputError, match=message) as caught:
        Value(Spot, "v").decode(encode({"x": 1}))
    assert caught.value.path == "v.y"


def test_a_misfit_of_a_nameless_whole_is_called_value() -> None:
    with pytest.raises(InvalidInputError, match=r"^value: expected int, found str 'x'$"):
        raise Misfit("int", "str 'x'", at="x").error()


def test_a_path_loses_the_dot_before_it_and_nothing_else() -> None:
    misfit = Misfit("int", "nothing", ".x", at={})
    assert misfit.error().path == "x"
    assert misfit.args == ("int", "nothing", ".x")
    assert Misfit("int", "nothing", at={}).args == ("int", "nothing", "")


@pytest.mark.parametrize(("value", "path"), [({"\ud800"}, "[0]"), (["a", "\ud800"], "[1]"), ({"k": "\ud800"}, "['k']")])
def test_a_lone_surrogate_is_told_by_its_place(value: Any, path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        encode(value)
    assert str(caught.value) == f"{path}: expected text, found a string with a lone surrogate, which has no UTF-8 form"


def test_a_model_keeps_the_order_of_its_list() -> None:
    value = Value(Members)
    assert decode(value.encode(Members(names=["c", "a", "b"]))) == {"names": ["c", "a", "b"]}


def test_an_array_like_struct_beside_a_mapping_needs_no_tag() -> None:
    value = Value(Row | dict[str, int])
    assert decode(value.encode(Row(1))) == [1]
    assert value.decode(encode([1])) == Row(1)
    assert value.decode(encode({"number": 1})) == {"number": 1}


@pytest.mark.parametrize("parts", [[["zlib"], 5], [["zlib"]], ["zlib", b"x"], 5])
def test_a_coded_payload_that_is_not_names_and_bytes_is_damaged(parts: Any) -> None:
    """J7."""
    with pytest.raises(JournalFormatError, match=r"^a coded payload of \d+ bytes is damaged$"):
        PLAIN.unwrap(b"\xda\x61\x69\x6f\x00" + cbor2.dumps(parts))


def test_an_exception_that_nobody_lists_keeps_its_arguments() -> None:
    cause = cause_of(failure_of(Odd("late", 3)))
    assert isinstance(cause, RecordedError)
    assert (cause.type, cause.details) == ("Odd", ["late", 3])


@pytest.mark.parametrize("details", [[["late"], 5], [["late"], None], [5, {}], [["late"]], 5])
def test_details_of_another_form_are_no_details(details: Any) -> None:
    failure = failure_of(Odd("late"))
    failure[3] = encode(details)
    cause = cause_of(failure)
    assert isinstance(cause, RecordedError)
    assert cause.details is None


def test_only_a_failure_of_the_application_is_one_of_the_listed_exceptions() -> None:
    failure = failure_of(Odd("late"))
    assert type(cause_of(failure, raises=[Odd])) is Odd
    assert type(cause_of(["terminated", *failure[1:]], raises=[Odd])) is RecordedError
    assert type_name_of(Odd) == failure[1]


@pytest.mark.parametrize(("count", "end"), [(5, "E: 4"), (6, "E: 4; and 1 more")])
def test_a_group_tells_five_of_its_exceptions(count: int, end: str) -> None:
    class E(Exception):
        pass

    assert failure_of(ExceptionGroup("g", [E(number) for number in range(count)]))[2].endswith(end)


def test_a_line_says_whose_type_a_childs_is() -> None:
    fields: list[Any] = [1, "c", "kind", 1, b"", b"", 0, {}, None, None]
    assert len(fields) == len(FIELD_NAMES[CHILD_WORKFLOW_STARTED])
    line = to_line("w", "n", 1, [CHILD_WORKFLOW_STARTED, 5, *fields])
    assert json.loads(line)["workflow_type"] == "kind"
    assert from_line(line)[3][4] == "kind"


@pytest.mark.parametrize(
    ("payload", "preview"),
    [
        (encode({"b", "a"}), ["a", "b"]),
        (encode("x" * (_PREVIEW_CHARACTERS - 3)), "x" * (_PREVIEW_CHARACTERS - 3)),
        (encode("x" * (_PREVIEW_CHARACTERS - 2)), None),
        (b"", None),
    ],
)
def test_a_line_shows_a_short_payload_to_its_reader(payload: bytes, preview: Any) -> None:
    line = json.loads(to_line("w", "n", 1, [SIGNAL_RECEIVED, 5, "go", payload, None, None]))
    assert line["payload"].get("$preview") == preview


def test_a_fault_among_plain_arguments_is_told_by_its_parameter() -> None:
    arguments = Arguments("f", [Parameter("a"), Parameter("b", Any, False)])
    with pytest.raises(InvalidInputError, match=r"^f: a: expected text, found a string with a lone surrogate"):
        arguments.encode(["\ud800"])


def test_a_typed_dict_with_a_parameter_is_filled_in() -> None:
    value = Value(Box[int], "box")
    assert value.decode(value.encode({"content": 1})) == {"content": 1}
    with pytest.raises(InvalidInputError, match=r"^box\['content'\]: expected int, found str 'x'$"):
        value.encode({"content": "x"})  # type: ignore[typeddict-item]


def test_a_failed_child_without_a_known_id_has_an_empty_one() -> None:
    assert child_exception_of(failure_of(Odd("late"))).child_id == ""


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (typing.Tuple[int, ...], "tuple[int, ...]"),  # noqa: UP006  # as older code says it
        (list[Annotated[int, "metres"]], "list[int]"),
        (Annotated[dict[str, int], "metres"], "dict[str, int]"),
        (Annotated[int, "metres"] | None, "int | None"),
        (typing.ForwardRef("Order"), "ForwardRef('Order')"),
        (list[Any], "list[Any]"),
        (Literal["a", 1], "Literal['a', 1]"),
    ],
    ids=str,
)
def test_errors_name_annotations_as_a_person_writes_them(annotation: Any, name: str) -> None:
    assert readable(annotation) == name


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (dict[Sequence[int], str], {(1, 2): "a"}),
        (dict[int | Sequence[int], str], {(1, 2): "a"}),
        (dict[tuple[Sequence[int], ...], str], {((1,),): "a"}),
        (set[Sequence[int]], {(1, 2)}),
        (frozenset[Collection[int]], frozenset({(1, 2)})),
    ],
    ids=str,
)
def test_keys_that_would_come_back_as_lists_are_refused_before_they_are_stored(annotation: Any, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"is hashable when it comes back \(a Sequence comes back as a list: annotate tuple"):
        Value(annotation).encode(value)
