"""Shapes of classes with fields: dataclasses, attrs classes, named tuples and typed dictionaries.

cattrs writes the two functions of a class; the hooks of the fields are our shapes. This is the one module that touches
its loosely typed interface.

A class is stored as a map of its fields by name. Unknown keys are ignored and missing ones take the field's default,
so that a payload outlives small changes of its class. Fields with `init=False` are not stored: the class computes
them again.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter, cols, override
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from aion_trio.codec.misfit import Misfit, located, misfit
from aion_trio.codec.narrow import is_mapping, is_sequence
from aion_trio.codec.shapes import Hook, Shape, Shapes, readable
from aion_trio.errors import UnsupportedTypeError

_named: Any = cols
_TAKEN = frozenset({"cl", "converter"})
Description = Callable[[Any, Shapes], Shape]


def description(cls: type) -> Description | None:
    """How to describe a class, None for one that has no fields that we know of."""
    if typing.is_typeddict(cls):
        return _typed_dict_shape
    if cols.is_namedtuple(cls):
        return _class_shape
    if attrs.has(cls) or dataclasses.is_dataclass(cls):
        return _class_shape
    return None


def _class_shape(annotation: Any, shapes: Shapes) -> Shape:
    cls: type = get_origin(annotation) or annotation
    name = readable(annotation)
    _require_plain_init(cls)
    fields = {field: shapes.of(hint) for field, hint in _fields(annotation).items()}
    plain_of, build_of = _generated(annotation, fields)
    named_tuple = cols.is_namedtuple(cls)

    def plain(value: Any) -> Any:
        instance = value if type(value) is cls else _instance(value)
        try:
            return plain_of(instance)
        except Misfit as found:
            parts = ((f".{field}", shape.plain, getattr(instance, field)) for field, shape in fields.items())
            raise located(parts, found, value) from None
        except AttributeError as error:
            raise Misfit(f"{name} with all its fields", f"an instance without one: {error}", at=value) from None

    def _instance(value: Any) -> Any:
        if is_mapping(value):
            return build(value)
        if isinstance(value, cls):
            subclass = type(value).__name__
            raise Misfit(f"{name} itself", f"its subclass {subclass} (annotate {name} | {subclass})", at=value)
        raise misfit(name, value)

    def build(data: Any) -> Any:
        if type(data) is cls:  # a caller's plain data may hold instances; `plain` looks into them
            return data
        given = _given(data)
        try:
            return build_of(given, cls)
        except Misfit as found:
            parts = ((f".{field}", shape.build, given[field]) for field, shape in fields.items() if field in given)
            raise located(parts, found, data) from None
        except RecursionError:
            raise
        except Exception as error:  # validators and __post_init__ are the user's
            raise _refusal(name, fields, given, error).under("", data) from error

    def _given(data: Any) -> dict[str, Any]:
        if named_tuple and is_sequence(data) and len(data) <= len(fields):
            return dict(zip(fields, data, strict=False))
        if not is_mapping(data):
            raise misfit(name, data)
        return dict(data)

    bounded = all(shape.bounded for shape in fields.values())
    return Shape(name, plain, build, frozenset({dict}), frozenset({cls}), hashable=False, bounded=bounded)


def _refusal(name: str, fields: Mapping[str, Shape], data: Any, error: Exception) -> Misfit:
    """Why fields that fit one by one did not make an instance."""
    missing = str(error.args[0]) if isinstance(error, KeyError) and error.args else ""
    if missing in fields and missing not in data:
        return Misfit(f"{fields[missing].name} (the field has no default)", "nothing", f".{missing}", at=data)
    return Misfit(name, f"fields that it refuses ({type(error).__name__}: {error})", at=data)


def _typed_dict_shape(annotation: Any, shapes: Shapes) -> Shape:
    cls: Any = get_origin(annotation) or annotation
    name = readable(annotation)
    variables = _variables(annotation)
    hints = _hints(cls)
    members = {key: shapes.of(_filled(hint, variables)) for key, hint in hints.items()}
    # `__required_keys__` cannot see a NotRequired inside an annotation that is a string.
    required = [key for key, hint in hints.items() if key in cls.__required_keys__ and get_origin(hint) is not typing.NotRequired]

    def hook(converts: Mapping[str, Hook]) -> Hook:
        def convert(value: Any) -> Any:
            if not is_mapping(value):
                raise misfit(name, value)
            for key in required:
                if key not in value:
                    raise Misfit("a value (the key is required)", "nothing", f"[{key!r}]", at=value)
            try:
                return {key: converts[key](part) if key in converts else part for key, part in value.items()}
            except Misfit as found:
                parts = ((f"[{key!r}]", converts[key], part) for key, part in value.items() if key in converts)
                raise located(parts, found, value) from None

        return convert

    plain, build = hook({key: shape.plain for key, shape in members.items()}), hook({key: shape.build for key, shape in members.items()})
    return Shape(name, plain, build, frozenset({dict}), frozenset({dict}), hashable=False)


def _generated(annotation: Any, fields: Mapping[str, Shape]) -> tuple[Hook, Callable[[Any, Any], Any]]:
    """The functions that cattrs writes for a class, with our hooks for its fields."""
    cls: Any = get_origin(annotation) or annotation
    parameters = getattr(cls, "__parameters__", ())
    if not _TAKEN.isdisjoint(fields) or (parameters and cols.is_namedtuple(cls)):
        return _written_out(cls, fields)
    converter = Converter(detailed_validation=False)
    hooks: dict[str, Any] = {
        name: override(unstruct_hook=shape.plain, struct_hook=_with_type(shape.build)) for name, shape in fields.items()
    }
    plain: Any
    build: Any
    if cols.is_namedtuple(cls):
        plain = _named.namedtuple_dict_unstructure_factory(cls, converter, **hooks)
        build = _named.namedtuple_dict_structure_factory(cls, converter, **hooks)
    else:
        filled = cls[(Any,) * len(parameters)] if parameters else cls  # the hooks know what stands for them
        plain = make_dict_unstructure_fn(filled, converter, **hooks)
        build = make_dict_structure_fn(filled, converter, **hooks)
    return plain, build


def _written_out(cls: Any, fields: Mapping[str, Shape]) -> tuple[Hook, Callable[[Any, Any], Any]]:
    """The same where cattrs cannot: a field has the name of an argument of its own, or a named tuple has parameters."""
    aliases = {field.name: field.alias for field in attrs.fields(cls)} if attrs.has(cls) else {}

    def plain(value: Any) -> dict[str, Any]:
        return {name: shape.plain(getattr(value, name)) for name, shape in fields.items()}

    def build(data: Any, _annotation: Any) -> Any:
        given = {aliases.get(name, name): shape.build(data[name]) for name, shape in fields.items() if name in data}
        return cls(**given)

    return plain, build


def _with_type(build: Hook) -> Callable[[Any, Any], Any]:
    def structure(data: Any, _annotation: Any) -> Any:
        return build(data)

    return structure


def _fields(annotation: Any) -> dict[str, Any]:
    """The annotation of each stored field, with the type variables of a generic class filled in."""
    cls: Any = get_origin(annotation) or annotation
    if cols.is_namedtuple(cls):
        names: tuple[str, ...] = tuple(cls._fields)
    elif attrs.has(cls):
        names = tuple(field.name for field in attrs.fields(cls) if field.init)
    else:
        names = tuple(field.name for field in dataclasses.fields(cls) if field.init)
    hints, variables = _hints(cls), _variables(annotation)
    return {name: _filled(hints.get(name, Any), variables) for name in names}


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise UnsupportedTypeError(
            f"`{cls.__name__}` has an annotation that cannot be resolved ({error}); define or import it at the top of the class's module, "
            "not in a function nor under TYPE_CHECKING"
        ) from None


def _variables(annotation: Any) -> dict[Any, Any]:
    """What stands for each type variable of a class and of its generic bases."""
    cls: Any = get_origin(annotation) or annotation
    known = dict(zip(getattr(cls, "__parameters__", ()), get_args(annotation), strict=False))
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) not in (None, typing.Generic, typing.Protocol):
            known.update(_variables(_filled(base, known)))
    return known


def _filled(hint: Any, variables: Mapping[Any, Any]) -> Any:
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(variables.get(parameter, parameter) for parameter in parameters)]


def _require_plain_init(cls: Any) -> None:
    """A class whose constructor wants what it does not keep cannot be made again."""
    declared = set(getattr(cls, "__dataclass_fields__", ()))
    if not declared:
        return
    pseudo = (declared - {field.name for field in dataclasses.fields(cls)}) & set(inspect.signature(cls).parameters)
    if pseudo:
        raise UnsupportedTypeError(f"`{readable(cls)}` cannot be stored: its InitVar {', '.join(sorted(pseudo))} is not kept by instances")
