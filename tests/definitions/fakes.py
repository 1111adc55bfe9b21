"""A host that records what workflow code asks of it, and a way to be inside it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, cast

from aion_trio.kernel import context


class RecordingHost:
    """Answers each request with its own name, and keeps it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def _answer(self, answer: object) -> Any:
        return answer

    def call_activity(self, definition: Any, args: tuple[Any, ...], /) -> Coroutine[Any, Any, Any]:
        self.asked.append(("activity", definition, args))
        return self._answer("activity's result")

    def call_child(self, definition: Any, args: tuple[Any, ...], /) -> Coroutine[Any, Any, Any]:
        self.asked.append(("child", definition, args))
        return self._answer("child's result")

    def receive_signal(self, definition: Any, /) -> Coroutine[Any, Any, Any]:
        self.asked.append(("signal", definition))
        return self._answer(len(self.asked))

    def serve_query(self, definition: Any, fn: Any, /) -> None:
        self.asked.append(("query", definition, fn))

    def serve_update(self, definition: Any, fn: Any, validate: Any, /) -> None:
        self.asked.append(("update", definition, fn, validate))


@contextmanager
def inside_workflow() -> Iterator[RecordingHost]:
    """A block whose code runs as workflow code does."""
    host = RecordingHost()
    before, context.local.host = context.local.host, cast(context.Host, host)
    try:
        yield host
    finally:
        context.local.host = before
