"""Executors that keep every rule and differ from others all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


class SaysGoodbye(ThreadPoolExecutor):
    """Its `shutdown` returns something, which no rule speaks of."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> str:  # type: ignore[override]  # noqa: D102, FBT001, FBT002 - as everywhere
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        return "goodbye"
