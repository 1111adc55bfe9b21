"""Server-sent events, from lines."""

from __future__ import annotations

from typing import NamedTuple


class ServerEvent(NamedTuple):
    """One event: its id, a number, and its data."""

    id: int
    data: str


class Lines:
    """Puts lines together to events; comments, which are signs of life, make none."""

    def __init__(self) -> None:
        self._id, self._data = 0, ""

    def feed(self, line: str) -> ServerEvent | None:
        """The event that this line ends, if it ends one."""
        if line.startswith("id:"):
            self._id = int(line[3:])
        elif line.startswith("data:"):
            self._data += line[5:].removeprefix(" ")
        elif not line and self._data:
            event, self._data = ServerEvent(self._id, self._data), ""
            return event
        return None
