"""Plain JSON for frozen dataclasses: what a token, a journal line and a message to the child are made of.

A value encodes as an object with its fields and, under ``"is"``, the tag of its class. Fields that hold their
default are left out, which keeps tokens short and lets an older token be read after a field was added.
Decoding checks every name and type, because tokens come from strangers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import math
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Union

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Json: TypeAlias = Any  # JSON has no useful static type: objects, arrays, strings, numbers, booleans, null
Shape: TypeAlias = Any  # what annotations are made of: classes, unions, literals, generic aliases


class DecodeError(ValueError):
    """The JSON is not a value of the closed vocabulary; the message says which part and why."""


def tag_of(cls: type) -> str:
    """The tag under which a class travels in a union: its name in lower case."""
    return cls.__name__.lower()


def encode(value: object) -> Json:
    """Turn a frozen dataclass (or a collection of such, or a scalar) into JSON-ready objects.

    Tuples become lists, enumerations the values of their members.
    """
    encoder = _encoder(type(value))  # type: ignore[arg-type]  # typeshed: the class `object` hashes instances
    return value if encoder is None else encoder(value)


@functools.cache
def _encoder(cls: type) -> Callable[[Any], Json] | None:
    """How values of a class are encoded, found once per class; None for those that stay as they are."""
    if dataclasses.is_dataclass(cls):
        return _dataclass_encoder(cls)
    if issubclass(cls, tuple):
        return lambda value: [encode(item) for item in value]
    if issubclass(cls, dict):
        return lambda value: {key: encode(item) for key, item in value.items()}
    if issubclass(cls, enum.Enum):
        return lambda value: value.value
    return None


def _dataclass_encoder(cls: type) -> Callable[[Any], Json]:
    tag = tag_of(cls)
    plan = [(field.name, _default(field)) for field in dataclasses.fields(cls)]

    def run(value: object) -> dict[str, Json]:
        made: dict[str, Json] = {"is": tag}
        for name, default in plan:
            part = getattr(value, name)
            if part is not default and part != default:
                made[name] = encode(part)
        return made

    return run


def _default(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default is not dataclasses.MISSING else _NOTHING


_NOTHING = object()


def decode(shape: type[T], data: Json) -> T:
    """Read a value of the given dataclass back.

    Raises:
        DecodeError: the data has an unknown tag, an unknown or missing field, or a field of another type.
    """
    return typing.cast("T", _decode(shape, data, shape.__name__))


def decode_union(shape: object, data: Json) -> Any:  # noqa: ANN401 - a member of the caller's union
    """Read a member of a union of dataclasses back, by its tag.

    Raises:
        DecodeError: as `decode`.
    """
    return _decode(shape, data, "value")


def _decode(shape: Shape, data: Json, where: str) -> object:
    """Check `data` against a shape and build the value; `where` is its place, for messages."""
    if type(data) is shape and shape is not float:  # most of what there is
        return data
    special = _special(shape)
    if special is not None:
        return special(shape, data, where)
    if dataclasses.is_dataclass(shape):
        return _decode_fields(shape, data, where)
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return _decode_enum(shape, data, where)
    if shape is float:
        return _decode_float(data, where)
    if type(data) is not (type(None) if shape is None else shape):
        raise DecodeError(f"{where} must be {getattr(shape, '__name__', shape)}, not {_shown(data)}")
    return data


@functools.cache
def _special(shape: Shape) -> Callable[[Shape, Json, str], object] | None:
    """How data of a shape is read that is no class."""
    return _DECODERS.get(typing.get_origin(shape))


def _decode_literal(shape: Shape, data: Json, where: str) -> object:
    known = typing.get_args(shape)
    if data not in known:
        raise DecodeError(f"{where} is {_shown(data)}, which is none of {', '.join(map(repr, known))}")
    return data


def _decode_tuple(shape: Shape, data: Json, where: str) -> tuple[object, ...]:
    """A tuple of any length (``tuple[X, ...]``) or of a fixed one."""
    items = typing.get_args(shape)
    if items[-1] is Ellipsis:
        return tuple(_decode_items(items[0], data, where))
    if not isinstance(data, list):
        raise DecodeError(f"{where} must be a list, not {_shown(data)}")
    if len(items) != len(data):
        raise DecodeError(f"{where} must have {len(items)} items, not {len(data)}")
    return tuple(
        _decode(item, part, f"{where}[{index}]")
        for index, (item, part) in enumerate(zip(items, data, strict=True))
    )


def _decode_items(item: Shape, data: Json, where: str) -> list[object]:
    if not isinstance(data, list):
        raise DecodeError(f"{where} must be a list, not {_shown(data)}")
    return [_decode(item, part, f"{where}[{index}]") for index, part in enumerate(data)]


def _decode_dict(shape: Shape, data: Json, where: str) -> dict[str, object]:
    if not isinstance(data, dict):
        raise DecodeError(f"{where} must be an object, not {_shown(data)}")
    _, item = typing.get_args(shape)
    return {name: _decode(item, part, f"{where}[{name!r}]") for name, part in data.items()}


def _decode_enum(shape: type[enum.Enum], data: Json, where: str) -> enum.Enum:
    try:
        return shape(data)
    except ValueError:
        known = ", ".join(repr(member.value) for member in shape)
        raise DecodeError(f"{where} is {_shown(data)}, which is none of {known}") from None


def _decode_float(data: Json, where: str) -> float:
    if type(data) in (int, float):
        with contextlib.suppress(OverflowError):  # a whole number may be larger than any float
            if math.isfinite(data):
                return float(data)
    raise DecodeError(f"{where} must be a finite number, not {_shown(data)}")


def _decode_member(shape: Shape, data: Json, where: str) -> object:
    tagged = _tagged(shape)
    if not tagged or data is None:
        return _decode_scalar(typing.get_args(shape), data, where)
    tag = data.get("is") if isinstance(data, dict) else None
    member = tagged.get(tag) if isinstance(tag, str) else None
    if member is None:
        raise DecodeError(f"{where} has the unknown kind {_shown(tag)}")
    return _decode_fields(member, data, where)


@functools.cache
def _tagged(shape: object) -> dict[str, type]:
    """The dataclasses of a union by their tags."""
    members = typing.get_args(shape)
    return {
        tag_of(each): each for each in members if isinstance(each, type) and dataclasses.is_dataclass(each)
    }


def _decode_scalar(members: tuple[Shape, ...], data: Json, where: str) -> object:
    for member in members:
        try:
            return _decode(type(None) if member is type(None) else member, data, where)
        except DecodeError:
            continue
    raise DecodeError(f"{where} has the unexpected value {_shown(data)}")


def _decode_fields(cls: Shape, data: Json, where: str) -> object:
    if not isinstance(data, dict) or data.get("is", tag_of(cls)) != tag_of(cls):
        raise DecodeError(f"{where} is not a {tag_of(cls)}")
    hints, required = _fields(cls)
    for name in data:
        if name != "is" and name not in hints:
            raise DecodeError(f"{where} has the unknown field {_shown(name)}")
    for name in required:
        if name not in data:
            raise DecodeError(f"{where} lacks the field {name!r}")
    return cls(
        **{name: _decode(hint, data[name], f"{where}.{name}") for name, hint in hints.items() if name in data}
    )


@functools.cache
def _fields(cls: type) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The types of a dataclass's fields, and the names of those without a default."""
    required = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return typing.get_type_hints(cls), tuple(required)


_LONGEST_SHOWN = 80  # characters of foreign data that a message repeats


def _shown(data: Json) -> str:
    text = repr(data)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


_DECODERS: dict[Any, Callable[[Shape, Json, str], object]] = {
    Literal: _decode_literal,
    tuple: _decode_tuple,
    dict: _decode_dict,
    Union: _decode_member,
    types.UnionType: _decode_member,
}
