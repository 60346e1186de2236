"""The `multiprocessing.reduction` of the world: a pickler whose reducers are its own."""

from __future__ import annotations

import io
from multiprocessing.reduction import ForkingPickler as RealForkingPickler
from typing import Any


class ForkingPickler(RealForkingPickler):
    """`multiprocessing.reduction.ForkingPickler`; what is registered here is not registered there."""

    _extra_reducers: dict[type, Any] = dict(RealForkingPickler._extra_reducers)  # type: ignore[attr-defined]  # noqa: RUF012, SLF001 - it is the class's

    @classmethod
    def dumps(cls, obj: Any, protocol: int | None = None) -> memoryview:  # noqa: ANN401 - anything
        """Pickle.

        The view is of bytes, not of a stream: one that a killed process leaves behind would complain when it
        is collected before its views.
        """
        stream = io.BytesIO()
        cls(stream, protocol).dump(obj)
        return memoryview(stream.getvalue())
