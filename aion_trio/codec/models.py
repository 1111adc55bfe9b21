"""Shapes of pydantic models and msgspec structs, where those libraries are loaded.

Both know how to turn their models into plain data and back, so their own rules (aliases, validators, tags) apply.
Neither library is imported here: a class can only be a model if its library has been.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_origin
from uuid import UUID

from aion_trio.codec.misfit import Misfit, misfit
from aion_trio.codec.narrow import class_of, is_deque, is_dict, is_list, is_mapping, is_sequence, is_set
from aion_trio.codec.plain import encode
from aion_trio.codec.shapes import Shape, Shapes, readable
from aion_trio.errors import UnsupportedTypeError

_KEPT = (bytes, datetime, date, time, timedelta, UUID, Decimal)


def description(cls: type) -> Callable[[Any, Shapes], Shape] | None:
    """How to describe a model class; None for a class that is none."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and issubclass(cls, pydantic.BaseModel):
        return _pydantic_shape
    msgspec = sys.modules.get("msgspec")
    if msgspec is not None and issubclass(cls, msgspec.Struct):
        return _msgspec_shape
    return None


def _pydantic_shape(annotation: Any, _shapes: Shapes) -> Shape:
    """A model, stored in its JSON form.

    A value that its own JSON form does not give back equal (a set in a field of any type, say) is refused rather than
    changed.
    """
    name = readable(annotation)
    _require_usable(name, lambda: annotation.model_rebuild(), ())

    def plain(value: Any) -> Any:
        model = value if type(value) is annotation else _validated(_mapping(name, annotation, value), value)
        try:
            data = _ordered(model, model.model_dump(mode="json", round_trip=True, by_alias=True))
        except Exception as error:  # serialisers are the user's
            raise Misfit(f"{name} that can be dumped", f"{error}", at=value) from error
        back = _validated(data, value)
        if back != model and repr(back) != repr(model):  # NaN differs from itself
            raise Misfit(f"{name} that its JSON form gives back", f"{model!r}", at=value)
        return data

    def build(data: Any) -> Any:
        return _validated(data, data)

    def _validated(data: Any, at: Any) -> Any:
        try:
            return annotation.model_validate(data)
        except Exception as error:
            raise _refused(name, at, error) from error

    return Shape(name, plain, build, frozenset({dict}), frozenset({annotation}), hashable=False)


def _ordered(value: Any, data: Any) -> Any:
    """`data`, the JSON form of `value`, with the members of sets in the order of their encoding.

    JSON has no sets: pydantic lists their members in the order of their hashes, which differs from process to process (K1).
    The value itself is walked, since its set has the very order that the list has.
    """
    if getattr(class_of(value), "__pydantic_root_model__", False):
        return _ordered(value.root, data)
    if (is_set(value) or is_sequence(value) or is_deque(value)) and is_list(data) and len(value) == len(data):
        items = [_ordered(part, item) for part, item in zip(value, data, strict=True)]
        return sorted(items, key=encode) if is_set(value) else items
    if is_dict(data):
        parts = value if is_mapping(value) else _fields_of(value)
        if len(parts) == len(data):  # keys became text, and names others
            parts = dict(zip(data, parts.values(), strict=True))
        return {key: _ordered(parts.get(key), item) for key, item in data.items()}
    return data


def _fields_of(value: Any) -> Mapping[str, Any]:
    """What a model or a dataclass holds, in its order, by the names that it has in JSON."""
    cls = class_of(value)
    fields = getattr(cls, "__pydantic_fields__", None) or getattr(cls, "model_fields", None) or getattr(cls, "__dataclass_fields__", {})
    named = {getattr(field, "serialization_alias", None) or name: getattr(value, name, None) for name, field in fields.items()}
    return {**named, **(getattr(value, "__pydantic_extra__", None) or {})}


def _msgspec_shape(annotation: Any, _shapes: Shapes) -> Shape:
    """A struct, stored by msgspec's rules; dates, UUID, Decimal and bytes stay what they are."""
    msgspec = sys.modules["msgspec"]
    cls = get_origin(annotation) or annotation
    name = readable(annotation)
    _require_usable(name, lambda: msgspec.convert({}, annotation), msgspec.ValidationError)

    def plain(value: Any) -> Any:
        struct = value if type(value) is cls else _converted(_mapping(name, cls, value), value)
        try:
            data = msgspec.to_builtins(struct, builtin_types=_KEPT, order="deterministic")
            msgspec.convert(data, annotation, builtin_types=_KEPT)  # structs do not check what they are made of
        except Exception as error:
            raise _refused(name, value, error) from error
        return data

    def build(data: Any) -> Any:
        return _converted(data, data)

    def _converted(data: Any, at: Any) -> Any:
        try:
            return msgspec.convert(data, annotation, builtin_types=_KEPT)
        except Exception as error:
            raise _refused(name, at, error) from error

    kind = list if cls.__struct_config__.array_like else dict
    return Shape(name, plain, build, frozenset({kind}), frozenset({cls}), hashable=False)


def _require_usable(name: str, attempt: Callable[[], object], expected: Any) -> None:
    """Refuse a model whose annotations its own library cannot resolve or convert."""
    try:
        attempt()
    except expected:
        return
    except Exception as error:
        raise UnsupportedTypeError(f"`{name}` cannot be stored: {error}") from error


def _mapping(name: str, cls: type, value: Any) -> dict[Any, Any]:
    if is_mapping(value):
        return dict(value)
    if isinstance(value, cls):
        raise Misfit(f"{name} itself", f"its subclass {type(value).__name__}", at=value)
    raise misfit(name, value)


def _refused(name: str, data: Any, error: Exception) -> Misfit:
    """The misfit of a model's own error, with the place that it names."""
    text = str(error)
    errors: Any = getattr(error, "errors", None)
    if callable(errors):
        reported: Any = errors()
        first: dict[str, Any] = reported[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.get("loc", ()))
        return Misfit(f"{name}: {first.get('msg', text)}", f"{type(first.get('input', data)).__name__}", path, at=data)
    message, _, path = text.partition(" - at `$")
    return Misfit(f"{name}: {message}", type(data).__name__, path.rstrip("`"), at=data)
