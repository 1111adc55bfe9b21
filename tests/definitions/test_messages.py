"""Signals, queries and updates are typed once and delegate to the workflow that uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aion_trio.definitions import Query, Signal, Update
from aion_trio.errors import DefinitionError, InvalidInputError, NotInWorkflowError, UnsupportedTypeError

from .fakes import inside_workflow


@dataclass
class Approval:
    by: str


approval = Signal("approval", Approval)
progress = Query("progress", int)
readdress = Update("readdress", str, Approval)
anything = Signal("anything")


def test_values_are_encoded_by_the_declared_type() -> None:
    assert approval.decode(approval.encode(Approval("me"))) == Approval("me")
    assert progress.decode(progress.encode(5)) == 5
    assert readdress.decode_input(readdress.encode_input("x")) == "x"
    assert readdress.decode_result(readdress.encode_result(Approval("me"))) == Approval("me")
    assert anything.decode(anything.encode([1, {"a": None}])) == [1, {"a": None}]


def test_a_value_of_another_type_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidInputError, match=r"Signal\('approval'\).by: expected str, found int 5") as caught:
        approval.encode(Approval(5))  # type: ignore[arg-type]
    assert caught.value.path == "Signal('approval').by"


def test_a_mapping_stands_for_the_class() -> None:
    assert approval.decode(Signal("approval").encode({"by": "me"})) == Approval("me")


async def test_receive_and_iteration_ask_the_workflow() -> None:
    """S1."""
    with inside_workflow() as host:
        assert await approval.receive() == 1  # type: ignore[comparison-overlap]
        received: list[Any] = []
        async for value in approval:
            received.append(value)
            if len(received) == 2:
                break
    assert received == [2, 3]
    assert host.asked == [("signal", approval)] * 3


def test_serve_asks_the_workflow() -> None:
    def answer() -> int:
        return 5

    def change(address: str) -> Approval:
        return Approval(address)

    def check(address: str) -> None: ...

    with inside_workflow() as host:
        assert progress.serve(answer) is answer
        readdress.serve(change)
        readdress.serve(change, check)
    assert host.asked == [("query", progress, answer), ("update", readdress, change, None), ("update", readdress, change, check)]


def test_outside_of_a_workflow_each_raises() -> None:
    with pytest.raises(NotInWorkflowError, match=r"Signal\('approval'\).receive\(\) was called outside of a workflow"):
        approval.receive()
    with pytest.raises(NotInWorkflowError, match="Query"):
        progress.serve(lambda: 5)
    with pytest.raises(NotInWorkflowError, match="Update"):
        readdress.serve(Approval)


async def test_iteration_outside_of_a_workflow_raises() -> None:
    with pytest.raises(NotInWorkflowError):
        async for _ in approval:
            break


@pytest.mark.parametrize("kind", [Signal, Query, Update])
def test_a_malformed_declaration_is_refused(kind: Any) -> None:
    for name in ("", " ", None, 5):
        with pytest.raises(DefinitionError, match=f"{kind.__name__}: expected a name"):
            kind(name)
    with pytest.raises(UnsupportedTypeError, match=rf"{kind.__name__}\('x'\).*`type` cannot be stored"):
        kind("x", type)


async def test_arrivals_can_be_iterated_from_where_they_are() -> None:
    with inside_workflow():
        arrivals, seen = aiter(anything), list[Any]()
        async for value in arrivals:
            seen.append(value)
            break
        async for value in arrivals:
            seen.append(value)
            break
    assert seen == [1, 2]
