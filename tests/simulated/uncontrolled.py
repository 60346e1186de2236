"""An executor that loads, but uses something that the simulated world cannot control."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Listens(ThreadPoolExecutor):
    """Opens a socket when it is given work."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the base
        """Open a socket, whatever happens: catching everything must not hide a refusal."""
        with contextlib.suppress(BaseException):
            socket.socket()
        return super().submit(fn, *args, **kwargs)
