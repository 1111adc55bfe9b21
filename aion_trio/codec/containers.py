"""Shapes of containers: sequences, sets, mappings and tuples of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aion_trio.codec.misfit import Misfit, located, misfit
from aion_trio.codec.narrow import is_deque, is_mapping, is_sequence, is_set
from aion_trio.codec.plain import encode
from aion_trio.codec.shapes import ANYTHING, Hook, Shape, readable

Make = Callable[[Iterable[Any]], Any]


def _claimed(make: Make) -> frozenset[type]:
    return frozenset({make}) if isinstance(make, type) else frozenset()


def _need_no_hook(shape: Shape, values: Iterable[Any]) -> bool:
    """Whether all of `values` are stored as they are."""
    return shape is ANYTHING or (shape.flat is not None and {shape.flat}.issuperset(map(type, values)))


def _indexed(hook: Hook, values: Iterable[Any]) -> Iterable[tuple[str, Hook, Any]]:
    return ((f"[{index}]", hook, value) for index, value in enumerate(values))


def _entries(pairs: Iterable[Any], key: Hook, item: Hook) -> Iterator[tuple[str, Hook, Any]]:
    """The keys and values of a mapping, in its order."""
    for k, v in pairs:
        yield f" key {k!r}", key, k
        yield f"[{k!r}]", item, v


_HASHABLE_AGAIN = "is hashable when it comes back (a Sequence comes back as a list: annotate tuple[T, ...])"


def _come_back_hashable(shape: Shape, parts: list[Any]) -> bool:
    """Whether what will be made of the stored parts can be keys: if not, nobody could read them again."""
    try:
        for part in parts:
            hash(shape.build(part))
    except TypeError:
        return False
    return True


def sequence_shape(annotation: Any, element: Shape, make: Make) -> Shape:
    """A sequence of any length, made by `make` when it is read back; text is no sequence."""
    name = readable(annotation)
    kept: type = tuple if make is tuple else list

    def hook(convert: Hook, into: Make) -> Hook:
        def convert_all(value: Any) -> Any:
            if not is_sequence(value) and not is_deque(value):
                raise misfit(name, value)
            if _need_no_hook(element, value):
                return into(value)
            try:
                return into([convert(part) for part in value])
            except Misfit as found:
                raise located(_indexed(convert, value), found, value) from None

        return convert_all

    plain, build = hook(element.plain, kept), hook(element.build, make)
    hashable = kept is tuple and element.hashable
    return Shape(name, plain, build, frozenset({list}), _claimed(make), hashable, bounded=element.bounded)


def set_shape(annotation: Any, element: Shape, make: Make) -> Shape:
    """A set; one whose elements are stored as maps or lists is stored as a list in the order of their encodings."""
    name = readable(annotation)

    def plain(value: Any) -> Any:
        if not is_set(value) and not is_sequence(value):
            raise misfit(name, value)
        try:
            parts = [element.plain(part) for part in value]
        except Misfit as found:
            raise located(_indexed(element.plain, value), found, value) from None
        if element.hashable:
            return make(parts)
        if not _come_back_hashable(element, parts):
            raise misfit(f"{name} of what {_HASHABLE_AGAIN}", value)
        return sorted(parts, key=encode)

    def build(value: Any) -> Any:
        if not is_set(value) and not is_sequence(value):
            raise misfit(name, value)
        try:
            return make([element.build(part) for part in value])
        except Misfit as found:
            raise located(_indexed(element.build, value), found, value) from None
        except TypeError:
            raise misfit(f"{name} with hashable elements", value) from None

    kind: type = set if element.hashable else list
    hashable = make is frozenset and element.hashable
    return Shape(name, plain, build, frozenset({kind}), _claimed(make), hashable, bounded=element.bounded)


def mapping_shape(annotation: Any, parts: tuple[Shape, Shape], make: Make) -> Shape:
    """A mapping, in its order; one whose keys are stored as maps or lists is stored as a list of pairs."""
    name = readable(annotation)
    key, item = parts
    paired = not key.hashable

    def plain(value: Any) -> Any:
        if not is_mapping(value):
            raise misfit(name, value)
        if _need_no_hook(key, value) and _need_no_hook(item, value.values()):
            return dict(value)
        try:
            pairs = [(key.plain(k), item.plain(v)) for k, v in value.items()]
        except Misfit as found:
            raise located(_entries(value.items(), key.plain, item.plain), found, value) from None
        if not paired:
            return dict(pairs)
        if not _come_back_hashable(key, [k for k, _ in pairs]):
            raise misfit(f"{name} with keys of what {_HASHABLE_AGAIN}", value)
        return pairs

    def build(value: Any) -> Any:
        pairs: list[Any]
        if is_mapping(value):
            if _need_no_hook(key, value) and _need_no_hook(item, value.values()):
                return make(value)
            pairs = list(value.items())
        elif paired and is_sequence(value) and all(is_sequence(pair) and len(pair) == 2 for pair in value):
            pairs = list(value)
        else:
            raise misfit(name, value)
        try:
            return make({key.build(k): item.build(v) for k, v in pairs})
        except Misfit as found:
            raise located(_entries(pairs, key.build, item.build), found, value) from None
        except TypeError:
            raise misfit(f"{name} with hashable keys", value) from None

    kinds: frozenset[type] = frozenset({list if paired else dict})
    return Shape(name, plain, build, kinds, _claimed(make), hashable=False, bounded=key.bounded and item.bounded)


def tuple_shape(annotation: Any, elements: list[Shape]) -> Shape:
    """A tuple of fixed length, stored as an array."""
    name = readable(annotation)
    count = len(elements)

    def hook(converts: list[Hook]) -> Hook:
        def convert_each(value: Any) -> Any:
            if not is_sequence(value):
                raise misfit(name, value)
            if len(value) != count:
                raise Misfit(f"{name} ({count} elements)", f"{len(value)} elements", at=value)
            try:
                return tuple([convert(part) for convert, part in zip(converts, value, strict=True)])
            except Misfit as found:
                parts = enumerate(zip(converts, value, strict=True))
                raise located(((f"[{index}]", convert, part) for index, (convert, part) in parts), found, value) from None

        return convert_each

    plain, build = hook([element.plain for element in elements]), hook([element.build for element in elements])
    hashable, bounded = all(element.hashable for element in elements), all(element.bounded for element in elements)
    return Shape(name, plain, build, frozenset({list}), frozenset({tuple}), hashable, bounded=bounded)
