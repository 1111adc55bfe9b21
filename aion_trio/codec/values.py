"""Typed values to encoded bytes and back: one value, or the positional arguments of a function.

The converters of an annotation are built when a `Value` or `Arguments` is made, so that a type which cannot be stored
is an error there. Arguments whose annotations are all plain (`int`, `str`, …) skip the converters: if their exact types are the
annotated ones, they are encoded as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from aion_trio.codec.misfit import Misfit
from aion_trio.codec.narrow import class_of, is_list, is_mapping, is_sequence, is_set
from aion_trio.codec.plain import MAX_DEPTH, decode, decode_flat, encode, encode_flat
from aion_trio.codec.scalars import CHECKS
from aion_trio.codec.shapes import ANYTHING, Hook, Shape, Shapes
from aion_trio.errors import InvalidInputError, UnsupportedTypeError


@cache
def _shapes() -> Shapes:
    return Shapes()


def plain_data(value: object) -> Any:
    """`value` as plain data, by its own classes: for callers who address something by its name alone.

    InvalidInputError for an instance of a class that cannot be stored.
    """
    if is_mapping(value):
        return {plain_data(key): plain_data(part) for key, part in value.items()}
    if is_sequence(value):
        return [plain_data(part) for part in value] if is_list(value) else tuple(plain_data(part) for part in value)
    cls = class_of(value)
    if cls in CHECKS or is_set(value):
        return value
    try:
        return shape_of(cls).plain(value)
    except UnsupportedTypeError as error:
        raise InvalidInputError(f"a value of type {cls.__name__}: {error}") from None
    except Misfit as found:
        raise found.error(cls.__name__) from None


def shape_of(annotation: Any) -> Shape:
    """The shape of an annotation, made once. UnsupportedTypeError if its values cannot be stored."""
    return _shapes().of(annotation)


class Value:
    """One value of an annotation: a result, a signal's or a query's payload."""

    __slots__ = ("_flat", "_name", "_shape")

    def __init__(self, annotation: Any = Any, name: str = "value") -> None:
        self._shape = shape_of(annotation)
        self._flat = self._shape.flat
        self._name = name

    def encode(self, value: object) -> bytes:
        """The bytes of `value`; InvalidInputError with the path of what does not fit."""
        if type(value) is self._flat:
            return encode_flat(value)
        if self._shape is ANYTHING:
            return encode(value)
        try:
            plain = self._shape.plain(value)
        except Misfit as found:
            raise found.error(self._name) from None
        except RecursionError:
            raise _too_deep(self._name) from None
        return encode(plain, self._shape.bounded)

    def decode(self, data: bytes) -> Any:
        """The value of bytes; InvalidInputError if they hold something else than the annotation says."""
        if self._flat is not None and type(value := decode_flat(data)) is self._flat:
            return value
        plain = decode(data)
        if self._shape is ANYTHING:
            return plain
        try:
            return self._shape.build(plain)
        except Misfit as found:
            raise found.error(self._name) from None
        except RecursionError:
            raise _too_deep(self._name) from None


def _too_deep(name: str) -> InvalidInputError:
    return Misfit(f"data nested at most {MAX_DEPTH} deep", "a deeper or cyclic value", at=None).error(name)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A positional parameter of a definition."""

    name: str
    annotation: Any = Any
    required: bool = True


class Arguments:
    """The positional arguments of a definition, stored as one array.

    Arguments that were left out are not stored: a parameter with a default can be added later, and histories from
    before it stay valid.
    """

    __slots__ = ("_all_flat", "_bounded", "_build", "_flat", "_needed", "_owner", "_parameters", "_plain")

    def __init__(self, owner: str, parameters: Sequence[Parameter]) -> None:
        self._owner = owner
        self._parameters = tuple(parameters)
        shapes = [shape_of(parameter.annotation) for parameter in parameters]
        self._plain, self._build = [shape.plain for shape in shapes], [shape.build for shape in shapes]
        self._needed = sum(parameter.required for parameter in parameters)
        self._bounded = all(shape.bounded for shape in shapes)
        self._flat = [shape.flat for shape in shapes]
        self._all_flat = None not in self._flat

    def encode(self, args: Sequence[object]) -> bytes:
        """The array of `args`; InvalidInputError names the parameter, what it expects and what was found."""
        if list(map(type, args)) == self._flat:
            return encode_flat(args)
        self._require_arity(len(args))
        plain = self._convert(self._plain, args)
        try:
            return encode(plain, self._bounded)
        except InvalidInputError:
            self._name_fault(plain)
            raise

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """The arguments of an array; InvalidInputError if it does not fit the parameters."""
        if self._all_flat and is_list(values := decode_flat(data)) and list(map(type, values)) == self._flat:
            return tuple(values)
        plain = decode(data)
        if not is_list(plain):
            raise InvalidInputError(f"{self._owner}: expected an array of arguments, found {type(plain).__name__}")
        self._require_arity(len(plain))
        return tuple(self._convert(self._build, plain))

    def _convert(self, hooks: Sequence[Hook], values: Sequence[object]) -> list[Any]:
        converted: list[Any] = []
        try:
            for hook, value in zip(hooks, values, strict=False):
                converted.append(hook(value))
        except Misfit as found:
            error = found.error(self._parameters[len(converted)].name)
            raise InvalidInputError(f"{self._owner}: {error}", error.path) from None
        except RecursionError:
            raise _too_deep(self._parameters[len(converted)].name) from None
        return converted

    def _name_fault(self, plain: Sequence[object]) -> None:
        """Raise the fault of the first argument that cannot be encoded, under its parameter's name."""
        for parameter, value in zip(self._parameters, plain, strict=False):
            try:
                encode(value)
            except InvalidInputError as error:
                path = f"{parameter.name}{error.path}"
                text = str(error) if error.path else f": {str(error).removeprefix('value: ')}"
                raise InvalidInputError(f"{self._owner}: {parameter.name}{text}", path) from None

    def _require_arity(self, count: int) -> None:
        if self._needed <= count <= len(self._parameters):
            return
        names = ", ".join(p.name if p.required else f"{p.name}=…" for p in self._parameters)
        raise InvalidInputError(f"{self._owner}({names}): expected {self._expected()}, found {count}", "")

    def _expected(self) -> str:
        most = len(self._parameters)
        return f"{most} argument{'s' * (most != 1)}" if self._needed == most else f"{self._needed} to {most} arguments"
