"""The public names of `concurrent.futures.thread`."""

from __future__ import annotations

from concurrent.futures.thread import BrokenThreadPool

from reference_executor._thread_pool import ThreadPoolExecutor

__all__ = ["BrokenThreadPool", "ThreadPoolExecutor"]
