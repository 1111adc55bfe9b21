"""Checks of untyped data that tell type checkers what they found."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Set as AbstractSet
from typing import Any, TypeGuard


def is_list(value: object) -> TypeGuard[list[Any]]:
    """A list."""
    return isinstance(value, list)


def is_sequence(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """A list or a tuple: the sequences that data is made of; text is none."""
    return isinstance(value, (list, tuple))


def is_set(value: object) -> TypeGuard[AbstractSet[Any]]:
    """A set or a frozenset."""
    return isinstance(value, (set, frozenset))


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Any mapping."""
    return isinstance(value, Mapping)


def is_deque(value: object) -> TypeGuard[deque[Any]]:
    """A deque."""
    return isinstance(value, deque)


def is_group(value: object) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """A group of exceptions."""
    return isinstance(value, BaseExceptionGroup)


def is_class(value: object) -> TypeGuard[type[Any]]:
    """A class."""
    return isinstance(value, type)


def class_of(value: object) -> type:
    """The exact class of a value."""
    return type(value)


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """A dict."""
    return isinstance(value, dict)
