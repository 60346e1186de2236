"""The public names of `concurrent.futures.process`."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from typing import Final

from reference_executor._management import EXTRA_QUEUED_CALLS
from reference_executor._messages import RemoteTraceback
from reference_executor._process_pool import ProcessPoolExecutor

__all__ = ["EXTRA_QUEUED_CALLS", "BrokenProcessPool", "ProcessPoolExecutor"]

#: Private in the standard library, and yet asked for: by it one tells that a cause is a worker's traceback.
_RemoteTraceback: Final = RemoteTraceback
