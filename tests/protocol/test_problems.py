"""Errors over the wire: one code each, and the same classes on the other side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import aion_trio.client
import aion_trio.daemon  # noqa: F401  # both, so that every class of errors is there
from aion_trio import errors
from aion_trio.errors import AionError
from aion_trio.protocol import KINDS, DaemonError, DaemonFaultError, error_of, kind_of, models, problem_of, refused
from aion_trio.protocol.kinds import code_of
from tests.daemon.harness import ROOT

OURS_ALONE = {"ObligationSettled"}
"""Never leaves a run's actor."""


def all_errors(root: type[AionError] = AionError) -> Iterator[type[AionError]]:
    """The root and every class below it that the package defines."""
    yield root
    for cls in root.__subclasses__():
        if cls.__module__.startswith("aion_trio."):
            yield from all_errors(cls)


def test_every_error_of_the_tree_has_a_code_a_status_and_a_hint() -> None:
    for cls in set(all_errors()):
        if cls.__name__ in OURS_ALONE or issubclass(cls, DaemonError):
            continue
        kind = kind_of(cls.__new__(cls))
        assert kind.error is not AionError or cls is AionError, f"{cls.__name__} has no code"
        if cls.__module__ == errors.__name__:
            assert kind.code == code_of(cls), f"{cls.__name__} has no code of its own"
    for kind in KINDS.values():
        assert 400 <= kind.status < 600 and kind.hint and kind.title


def test_the_docs_have_the_table() -> None:
    chapter = ROOT / "docs" / "api.md"
    if not chapter.exists():
        pytest.skip("the docs are not beside the tests")
    text = chapter.read_text()
    for kind in KINDS.values():
        assert f"| `{kind.code}` | {kind.status} | {kind.hint} |" in text, kind.code


EXAMPLES: list[AionError] = [
    errors.InvalidInputError("n: expected int", "n"),
    errors.NonDeterminismError("no", workflow_id="w", ordinal=3, seq=7, recorded="a", asked="b", line="f.py:1"),
    errors.WorkflowContinuedAsNewError("on", "0" * 32),
    errors.WorkflowQuarantinedError("stuck", "why"),
    errors.ActivityFailedError("a failed", activity="a", type="T", details=[1, {"x": b"y"}]),
    errors.ActivityTimedOutError("late", activity="a", kind="heartbeat"),
    errors.ChildWorkflowFailedError("c", kind="cancelled", child_id="c"),
    errors.JournalLockedError("locked", 42),
    errors.JournalCorruptedError("bad", "w", 9),
    errors.SequenceConflict("head", 1, 2),
    errors.WorkflowNotFoundError("none"),
    errors.WorkflowFailedError("failed"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_itself(error: AionError) -> None:
    error.__cause__ = KeyError("k", 1)
    error.__cause__.__cause__ = ValueError("v")
    back = over_the_wire(error)
    assert type(back) is type(error) and str(back) == str(error) and vars(back) == vars(error)
    assert isinstance(back.__cause__, KeyError) and back.__cause__.args == ("k", 1)
    assert isinstance(back.__cause__.__cause__, ValueError)


def test_a_class_that_nobody_knows_comes_back_as_its_record() -> None:
    class Strange(Exception):
        pass

    error = errors.WorkflowFailedError("failed")
    error.__cause__ = Strange("odd", 3)
    cause: Any = over_the_wire(error).__cause__
    assert type(cause) is errors.RecordedError and cause.type == "Strange" and cause.message == str(Strange("odd", 3))
    again: Any = over_the_wire(over_the_wire(error)).__cause__
    assert (again.type, again.message, again.details) == (cause.type, cause.message, cause.details)


def test_what_http_refuses_keeps_code_and_hint() -> None:
    for code in ("unauthorized", "unavailable", "internal_error", "headers_too_large"):
        back = over_the_wire(refused(code, "no"))
        assert isinstance(back, DaemonError) and (back.code, back.hint) == (code, KINDS[code].hint)
        assert type(back) is KINDS[code].error


def test_a_fault_of_ours_tells_nothing_of_itself() -> None:
    problem = problem_of(ZeroDivisionError("secret"))
    assert problem.code == "internal_error" and "secret" not in str(problem) and kind_of(ZeroDivisionError()).status == 500


def test_a_code_of_a_later_daemon_is_still_an_error() -> None:
    problem = models.Problem(type="x", title="X", status=418, detail="teapot", code="teapot", hint="tea")
    back = error_of(problem)
    assert isinstance(back, DaemonFaultError) and back.code == "teapot"


def over_the_wire(error: AionError) -> AionError:
    """The error that a client makes of the one that a daemon told."""
    data = msgspec.json.encode(problem_of(error))
    return error_of(msgspec.json.decode(data, type=models.Problem))
