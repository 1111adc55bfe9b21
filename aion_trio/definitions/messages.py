"""Signals, queries and updates: named and typed once, used on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Generic, TypeVar, overload

from aion_trio.codec import Value
from aion_trio.errors import DefinitionError, NotInWorkflowError, UnsupportedTypeError
from aion_trio.kernel import context

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")


class Signal(Generic[T]):
    """A message that a workflow waits for; its values are of the type that it is declared with (S1).

    `await signal.receive()` and `async for value in signal` take the values in the order of their arrival; those that came early wait.
    """

    @overload
    def __init__(self, name: str, type: type[T], /) -> None: ...
    @overload
    def __init__(self: Signal[Any], name: str, type: object = Any, /) -> None: ...
    def __init__(self, name: str, type: Any = Any, /) -> None:
        self.name = _name("Signal", name)
        self._value = _value(f"Signal({name!r})", type)

    def receive(self) -> Coroutine[Any, Any, T]:
        """The next value; waits until there is one. NotInWorkflowError outside of workflow code."""
        return _host(f"{self!r}.receive()").receive_signal(self)

    def __aiter__(self) -> AsyncIterator[T]:
        return _Arrivals(self)

    def encode(self, value: T) -> bytes:
        """The bytes of a value; InvalidInputError if it does not fit the type."""
        return self._value.encode(value)

    def decode(self, data: bytes) -> T:
        """The value of bytes."""
        value: T = self._value.decode(data)
        return value

    def __repr__(self) -> str:
        return f"Signal({self.name!r})"


class _Arrivals(Generic[T]):
    """The values of a signal, without end. No generator: leaving the loop leaves nothing to be closed."""

    def __init__(self, signal: Signal[T]) -> None:
        self._signal = signal

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, T]:
        return self._signal.receive()


class Query(Generic[R]):
    """A question that a workflow answers from its state, without leaving a trace in its history (S4)."""

    @overload
    def __init__(self, name: str, type: type[R], /) -> None: ...
    @overload
    def __init__(self: Query[Any], name: str, type: object = Any, /) -> None: ...
    def __init__(self, name: str, type: Any = Any, /) -> None:
        self.name = _name("Query", name)
        self._value = _value(f"Query({name!r})", type)

    def serve(self, fn: Callable[[], R], /) -> Callable[[], R]:
        """Answer this query with `fn()` from now on, which must be plain and change nothing. Also a decorator.

        NotInWorkflowError outside of workflow code.
        """
        _host(f"{self!r}.serve()").serve_query(self, fn)
        return fn

    def encode(self, value: R) -> bytes:
        """The bytes of an answer; InvalidInputError if it does not fit the type."""
        return self._value.encode(value)

    def decode(self, data: bytes) -> R:
        """The answer of bytes."""
        value: R = self._value.decode(data)
        return value

    def __repr__(self) -> str:
        return f"Query({self.name!r})"


class Update(Generic[A, R]):
    """A request that changes a workflow and is answered: checked before it is recorded, and run once (S5)."""

    @overload
    def __init__(self, name: str, argument: type[A], result: type[R], /) -> None: ...
    @overload
    def __init__(self: Update[Any, Any], name: str, argument: object = Any, result: object = Any, /) -> None: ...
    def __init__(self, name: str, argument: Any = Any, result: Any = Any, /) -> None:
        self.name = _name("Update", name)
        self._argument = _value(f"Update({name!r}) argument", argument)
        self._result = _value(f"Update({name!r}) result", result)

    def serve(self, fn: Callable[[A], R] | Callable[[A], Coroutine[Any, Any, R]], /, validate: Callable[[A], object] | None = None) -> None:
        """Answer this update with `fn(argument)` from now on, plain or async.

        `validate(argument)` runs before anything is recorded: an exception that it raises refuses the update, and leaves no
        trace. NotInWorkflowError outside of workflow code.
        """
        _host(f"{self!r}.serve()").serve_update(self, fn, validate)

    def encode_input(self, value: A) -> bytes:
        """The bytes of an argument; InvalidInputError if it does not fit the type."""
        return self._argument.encode(value)

    def decode_input(self, data: bytes) -> A:
        """The argument of bytes."""
        value: A = self._argument.decode(data)
        return value

    def encode_result(self, value: R) -> bytes:
        """The bytes of an answer."""
        return self._result.encode(value)

    def decode_result(self, data: bytes) -> R:
        """The answer of bytes."""
        value: R = self._result.decode(data)
        return value

    def __repr__(self) -> str:
        return f"Update({self.name!r})"


def _host(what: str) -> context.Host:
    host = context.current()
    if host is None:
        raise NotInWorkflowError(f"{what} was called outside of a workflow; only workflow code can do that")
    return host


def _name(kind: str, name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise DefinitionError(f"{kind}: expected a name, found {name!r}")
    return name


def _value(what: str, annotation: Any) -> Value:
    try:
        return Value(annotation, what)
    except UnsupportedTypeError as error:
        raise UnsupportedTypeError(f"{what}: {error}") from None
