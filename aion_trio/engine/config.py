"""What can be set when an engine is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..arguments import text_of
from ..codec import PayloadCodec
from ..errors import InvalidInputError
from ..seams import Clock, Ids, RandomIds, SystemClock


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of one engine; every limit has a default that suits one process on one machine.

    `namespace` is part of every key, so that several engines' workflows can share ids. `task_limit` and `thread_limit`
    bound the activities that run at once (A6). `payload_limit_bytes` bounds one input, result or signal. `idle_after`
    (seconds) and `resident_limit` say when a parked run leaves memory; it comes back by replay. `fuel` is how many steps
    workflow code may take without waiting for anything. `payload_codecs` compress or encrypt payloads, first to last.
    `strict` makes what the static look finds in a workflow an error instead of a warning (K7). `ease_collector` lets Python's
    cyclic collector run more rarely until the engine closes and, for the first engine of a process, exempts what is loaded when
    it opens (`gc.freeze`): without it, a short workflow takes a third more. `clock` and `ids` are the seams of time and identity.
    """

    namespace: str = "default"
    task_limit: int = 1000
    thread_limit: int = 40
    payload_limit_bytes: int = 2 << 20
    idle_after: float = 60.0
    resident_limit: int = 10_000
    fuel: int = 1_000_000
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    payload_codecs: tuple[PayloadCodec, ...] = ()
    strict: bool = False
    ease_collector: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.namespace, str) or not self.namespace or "\0" in self.namespace:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidInputError(f"a namespace is a non-empty text without NUL, found {self.namespace!r}", "namespace")
        for name in ("task_limit", "thread_limit", "payload_limit_bytes", "resident_limit", "fuel"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InvalidInputError(f"{name} must be an int of at least 1, found {value!r}", name)
        if not isinstance(self.idle_after, (int, float)) or not self.idle_after > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidInputError(f"idle_after must be a positive number of seconds, found {self.idle_after!r}", "idle_after")
        for name in ("strict", "ease_collector"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInputError(f"{name} must be True or False, found {getattr(self, name)!r}", name)
        _require_methods("clock", self.clock, "now_us")
        _require_methods("ids", self.ids, "run_id")
        if not isinstance(self.payload_codecs, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidInputError(f"payload_codecs must be a sequence of codecs, found {self.payload_codecs!r}", "payload_codecs")
        object.__setattr__(self, "payload_codecs", tuple(self.payload_codecs))  # an iterator would be empty for the next who looks
        for each in self.payload_codecs:
            _require_methods("payload_codecs", each, "encode", "decode")
            text_of(getattr(each, "name", None), "the name of a payload codec")


def _require_methods(name: str, value: object, *methods: str) -> None:
    missing = " and ".join(f"{method}()" for method in methods if not callable(getattr(value, method, None)))
    if missing:
        raise InvalidInputError(f"{name}: expected an object with {missing}, found {value!r}", name)
