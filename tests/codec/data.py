"""Strategies and types that the codec's tests share."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar

import attrs
from hypothesis import strategies as st

T = TypeVar("T")

OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds)))
DATETIMES = st.datetimes(timezones=st.none() | OFFSETS)
FLOATS = st.floats(allow_nan=False)

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | FLOATS
    | st.text()
    | st.binary(max_size=40)
    | DATETIMES
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.ip_addresses()
)
KEYS = st.text() | st.integers() | st.binary(max_size=8) | st.tuples(st.integers(), st.text(max_size=5)) | st.dates()
PLAIN: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5) | st.sets(st.integers() | st.text(), max_size=5),
    max_leaves=25,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Shade(enum.Enum):
    """Values that are no plain scalars: stored by name."""

    LIGHT = (1, 2)
    DARK = (3, 4)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Parcel:
    weight: int
    note: str = ""


@dataclass(frozen=True)
class Order:
    id: str
    parcels: list[Parcel]
    placed: dt.datetime | None = None
    price: Decimal = Decimal(0)


@attrs.define
class Point:
    x: float
    y: float = 0.0
    _hidden: int = 3


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)
    parent: Tree | None = None


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: T | None = None


@dataclass
class IntPage(Page[int]):
    total: int = 0


@attrs.define
class Taken:
    """Names that cattrs keeps for its own arguments."""

    cl: int
    _converter: str = "c"


class Pair(NamedTuple):
    left: int
    right: Parcel | None = None


class Options(TypedDict):
    depth: int
    parcel: NotRequired[Parcel]


@dataclass
class Computed:
    width: int
    area: int = field(init=False)

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError("a width is not negative")
        self.area = self.width**2
