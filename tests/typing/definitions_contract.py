"""What type checkers know of definitions. Checked, never run: see `test_typing`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple, assert_type

import trio

from aion_trio.definitions import Query, RetryPolicy, Signal, Update, activity, workflow

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


class Order: ...


class Receipt: ...


@workflow
async def checkout(order: Order, note: str = "") -> Receipt:
    return Receipt()


@workflow(name="refunds", version=2, timeout=60)
async def refund(order: Order) -> int:
    return 1


@activity
async def charge(order_id: str, cents: int) -> bool:
    return True


@activity(retry=RetryPolicy(max_attempts=3), timeout=30, raises=[KeyError])
async def retried(order_id: str) -> bool:
    return True


@activity
def blocking(path: str) -> bytes:
    return b""


@activity(runs_in="process")
def crunch(numbers: list[int]) -> float:
    return 0.0


approval = Signal("approval", Order)
progress = Query("progress", float)
readdress = Update("readdress", str, Receipt)
loose = Signal("loose")


async def start(workflow: Callable[[*Ts], Coroutine[Any, Any, R]], *args: *Ts, id: str | None = None) -> R:
    """The shape of `Engine.execute`."""
    return await workflow(*args)


async def calls() -> None:
    assert_type(await checkout(Order()), Receipt)
    assert_type(await checkout(Order(), note="n"), Receipt)
    assert_type(await refund(Order()), int)
    assert_type(await charge("o", 5), bool)
    assert_type(await retried(order_id="o"), bool)
    assert_type(await blocking("p"), bytes)
    assert_type(await crunch([1]), float)
    assert_type(await charge.with_options(timeout=5)("o", 5), bool)
    assert_type(await refund.with_options(timeout=5)(Order()), int)

    await charge("o", "5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await charge("o")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await blocking(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def starts() -> None:
    assert_type(await start(refund, Order(), id="x"), int)
    assert_type(await start(checkout, Order(), "note"), Receipt)
    assert_type(await start(checkout, Order()), Receipt)
    assert_type(await start(charge, "o", 5), bool)
    await start(refund, "o")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(charge, "o", 5)
        nursery.start_soon(blocking, "p")
        nursery.start_soon(checkout, Order())
        nursery.start_soon(charge, "o", "5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def messages() -> None:
    assert_type(await approval.receive(), Order)
    async for order in approval:
        assert_type(order, Order)
    assert_type(progress.decode(b""), float)
    assert_type(readdress.decode_result(b""), Receipt)
    assert_type(await loose.receive(), Any)
    approval.encode(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    progress.serve(lambda: 0.5)
    readdress.serve(lambda address: Receipt())


@workflow  # type: ignore[arg-type] # pyright: ignore[reportArgumentType, reportCallIssue, reportUntypedFunctionDecorator, reportUnknownVariableType]
def plain() -> int:
    return 1
