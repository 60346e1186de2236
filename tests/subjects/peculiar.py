"""Executors that keep every rule and differ from others all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar


class SaysGoodbye(ThreadPoolExecutor):
    """Its `shutdown` returns something, which no rule speaks of."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> str:  # type: ignore[override]  # noqa: D102, FBT001, FBT002 - as everywhere
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        return "goodbye"


class SaysWhatItIs(ThreadPoolExecutor):
    """Declares what cannot be found out by looking at it, and that one thing is not to be used."""

    executor_harness: ClassVar = {
        "death": "heals", "prefetch": 3, "order": "other", "cancels_running": True, "cancel_futures": False,
    }  # fmt: skip
