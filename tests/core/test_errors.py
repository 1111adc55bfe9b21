"""The errors stand in one tree, and each keeps what it names beside its words."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from aion_trio import errors

ATTRIBUTES: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (errors.InvalidInputError, {}, {"path": ""}),
    (errors.InvalidInputError, {"path": "order.id"}, {"path": "order.id"}),
    (errors.NonDeterminismError, {}, {"workflow_id": "", "ordinal": 0, "seq": 0, "recorded": "", "asked": "", "line": ""}),
    (
        errors.NonDeterminismError,
        {"workflow_id": "w", "ordinal": 3, "seq": 7, "recorded": "r", "asked": "a", "line": "l"},
        {"workflow_id": "w", "ordinal": 3, "seq": 7, "recorded": "r", "asked": "a", "line": "l"},
    ),
    (errors.WorkflowContinuedAsNewError, {"new_run_id": "r2"}, {"new_run_id": "r2"}),
    (errors.WorkflowQuarantinedError, {"reason": "no code"}, {"reason": "no code"}),
    (errors.ActivityFailedError, {}, {"activity": "", "type": "", "message": "words", "details": None}),
    (
        errors.ActivityFailedError,
        {"activity": "charge", "type": "OSError", "details": [1]},
        {"activity": "charge", "type": "OSError", "message": "words", "details": [1]},
    ),
    (errors.ActivityTimedOutError, {}, {"activity": "", "kind": "start_to_close", "type": "ActivityTimedOutError"}),
    (errors.ActivityTimedOutError, {"activity": "charge", "kind": "heartbeat"}, {"activity": "charge", "kind": "heartbeat"}),
    (errors.ChildWorkflowFailedError, {}, {"kind": "failed", "child_id": ""}),
    (errors.ChildWorkflowFailedError, {"kind": "timed_out", "child_id": "c"}, {"kind": "timed_out", "child_id": "c"}),
    (errors.RecordedError, {"details": [5]}, {"type": "", "message": "words", "details": [5]}),
    (errors.JournalLockedError, {}, {"pid": 0}),
    (errors.JournalLockedError, {"pid": 42}, {"pid": 42}),
    (errors.JournalCorruptedError, {}, {"workflow_id": "", "seq": 0}),
    (errors.JournalCorruptedError, {"workflow_id": "w", "seq": 3}, {"workflow_id": "w", "seq": 3}),
    (errors.SequenceConflict, {"expected": 3, "found": 4}, {"expected": 3, "found": 4}),
]


@pytest.mark.parametrize(("cls", "given", "kept"), ATTRIBUTES, ids=lambda part: getattr(part, "__name__", ""))
def test_an_error_keeps_what_it_names(cls: Any, given: dict[str, Any], kept: dict[str, Any]) -> None:
    error = cls("words", **given)
    assert str(error) == "words"
    assert {name: getattr(error, name) for name in kept} == kept


def test_a_recorded_error_says_what_it_was() -> None:
    assert str(errors.RecordedError("no money", type="Declined")) == "Declined: no money"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every error but NonRetryableError is an AionError, and the docstring names each."""
    classes = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls) and cls.__module__ == errors.__name__}
    assert [name for name, cls in classes.items() if not issubclass(cls, errors.AionError)] == ["NonRetryableError"]
    assert [name for name in classes if name not in str(errors.__doc__)] == []
    assert issubclass(errors.ActivityTimedOutError, errors.ActivityFailedError)
