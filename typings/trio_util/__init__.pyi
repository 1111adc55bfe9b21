"""Types for the parts of trio-util that are used here; the library itself has no marker for type checkers."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import trio

class AsyncBool:
    value: bool
    def __init__(self, value: bool = False) -> None: ...
    async def wait_value(self, value: bool, *, held_for: float = 0) -> bool: ...

def move_on_when(
    fn: Callable[..., Awaitable[object]], *args: object, **kwargs: object
) -> AbstractAsyncContextManager[trio.CancelScope]: ...
