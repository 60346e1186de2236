"""Strategies for the harness's values, derived from the dataclasses: a new field is covered at once."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from typing import Any, Literal, TypeVar, Union

from hypothesis import strategies as st

from harness.values.course import Course
from harness.values.schedule import Schedule

T = TypeVar("T")

TEXTS = ("0", "1:2yKP1-MT1Aj", "2:1fMT1-A3,4P2-MT1R1", "2:0.odd%2Fone.,1C")

SCALARS: dict[object, st.SearchStrategy[Any]] = {
    Schedule: st.sampled_from(TEXTS),
    str: st.text(max_size=8),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
}


def values_of(cls: type[T]) -> st.SearchStrategy[T]:
    """Values of a dataclass, an enumeration or a scalar."""
    shape: Any = cls
    strategy: st.SearchStrategy[T] = shaped(shape)
    return strategy


@functools.cache
def shaped(shape: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - shapes are typing objects
    """Values of any shape that the codec knows."""
    if shape in SCALARS:
        return SCALARS[shape]
    if isinstance(shape, type) and dataclasses.is_dataclass(shape):
        return _fields(shape)
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return st.sampled_from(list(shape))
    return _generic(typing.get_origin(shape), typing.get_args(shape))


def _fields(cls: type) -> st.SearchStrategy[Any]:
    """Each field at its default (left out) or with some value."""
    hints = typing.get_type_hints(cls)
    if cls is Course:
        hints["schedule"] = Schedule  # as text: any other would be refused
    fields = {field.name: field for field in dataclasses.fields(cls)}
    required = {name: shaped(hints[name]) for name in fields if not _has_default(fields[name])}
    optional = {name: shaped(hints[name]) for name in fields if _has_default(fields[name])}
    return st.fixed_dictionaries(required, optional=optional).map(lambda parts: cls(**parts))


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _generic(origin: object, arguments: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(shaped(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(shaped, arguments))
    if origin is dict:
        return st.dictionaries(st.text(max_size=4), shaped(arguments[1]), max_size=3)
    assert origin in (Union, types.UnionType), origin
    return st.one_of(*map(shaped, arguments))
