"""Plain JSON for frozen dataclasses: what a token, a journal line and a message to the child are made of.

A value encodes as an object with its fields; a member of a union also carries its tag under ``"is"``. Fields that
hold their default are left out, which keeps tokens short and lets an older token be read after a field was added.
Decoding checks every name and type, because tokens come from strangers.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, Literal, TypeVar, Union

T = TypeVar("T")
type_json = Any  # JSON has no useful static type: objects, arrays, strings, numbers, booleans, null


class DecodeError(ValueError):
    """The JSON is not a value of the closed vocabulary; the message says which part and why."""


def tag_of(cls: type) -> str:
    """The tag under which a class travels in a union: its name in lower case."""
    return cls.__name__.lower()


def encode(value: object) -> type_json:
    """Turn a frozen dataclass (or a tuple, or a scalar) into JSON-ready objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        encoder = _encoder(type(value))
        return encoder(value)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


@functools.cache
def _encoder(cls: type) -> Any:  # noqa: ANN401 - a cached closure per class
    tag = tag_of(cls)
    plan = [(field.name, _default(field)) for field in dataclasses.fields(cls)]

    def run(value: object) -> dict[str, type_json]:
        made: dict[str, type_json] = {"is": tag}
        for name, default in plan:
            part = getattr(value, name)
            if part is not default and part != default:
                made[name] = encode(part)
        return made

    return run


def _default(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default is not dataclasses.MISSING else _NOTHING


_NOTHING = object()


def decode(shape: type[T], data: type_json) -> T:
    """Read a value of the given dataclass back.

    Raises:
        DecodeError: the data has an unknown tag, an unknown or missing field, or a field of another type.
    """
    return typing.cast("T", _decode(shape, data, shape.__name__))


def decode_union(shape: object, data: type_json) -> Any:  # noqa: ANN401 - the union's members are the caller's
    """Read a member of a union of dataclasses back, by its tag."""
    return _decode(shape, data, "value")


def _decode(shape: Any, data: type_json, where: str) -> Any:  # noqa: ANN401 - shapes are typing objects
    origin = typing.get_origin(shape)
    if origin is Literal:
        if data not in typing.get_args(shape):
            raise DecodeError(
                f"{where} is {data!r}, which is none of {', '.join(map(repr, typing.get_args(shape)))}"
            )
        return data
    if origin is tuple:
        if not isinstance(data, list):
            raise DecodeError(f"{where} must be a list, not {data!r}")
        item = typing.get_args(shape)[0]
        return tuple(_decode(item, part, f"{where}[{index}]") for index, part in enumerate(data))
    if origin in (Union, types.UnionType):
        return _decode_member(shape, data, where)
    if dataclasses.is_dataclass(shape):
        return _decode_fields(shape, data, where)
    if shape is float and type(data) is int:
        return float(data)
    if type(data) is not (type(None) if shape is None else shape):
        raise DecodeError(f"{where} must be {getattr(shape, '__name__', shape)}, not {data!r}")
    return data


def _decode_member(shape: Any, data: type_json, where: str) -> Any:  # noqa: ANN401 - shapes are typing objects
    members = typing.get_args(shape)
    tagged = {tag_of(member): member for member in members if dataclasses.is_dataclass(member)}
    if not tagged or data is None:
        return _decode_scalar(members, data, where)
    tag = data.get("is") if isinstance(data, dict) else None
    if tag not in tagged:
        raise DecodeError(f"{where} has the unknown kind {tag!r}")
    return _decode_fields(tagged[tag], data, where)


def _decode_scalar(members: tuple[Any, ...], data: type_json, where: str) -> Any:  # noqa: ANN401 - as above
    for member in members:
        try:
            return _decode(type(None) if member is type(None) else member, data, where)
        except DecodeError:
            continue
    raise DecodeError(f"{where} has the unexpected value {data!r}")


def _decode_fields(cls: Any, data: type_json, where: str) -> Any:  # noqa: ANN401 - as above
    if not isinstance(data, dict) or data.get("is", tag_of(cls)) != tag_of(cls):
        raise DecodeError(f"{where} is not a {tag_of(cls)}")
    hints = _hints(cls)
    for name in data:
        if name != "is" and name not in hints:
            raise DecodeError(f"{where} has the unknown field {name!r}")
    parts = {
        name: _decode(hint, data[name], f"{where}.{name}") for name, hint in hints.items() if name in data
    }
    try:
        return cls(**parts)
    except (TypeError, ValueError) as error:
        raise DecodeError(f"{where}: {error}") from None


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)
