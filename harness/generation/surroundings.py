"""Keeps what Hypothesis draws independent of the modules that happen to be loaded.

Now and then Hypothesis draws a constant that it found in the source of the user's own modules, whichever are
loaded by then. Ours would be that: a clone and an installed wheel, or a worker that ran another item first,
would draw other programs from one seed.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = "hypothesis.internal.conjecture.providers"


@contextmanager
def without_surroundings() -> Iterator[None]:
    """Draw no constants of anybody's source meanwhile; a Hypothesis that never does is left alone."""
    with ExitStack() as stack:
        try:
            providers = importlib.import_module(_MODULE)
            nothing = providers.Constants()
            cache = type(providers.CONSTANTS_CACHE)(1024)
        except (ImportError, AttributeError):  # before 6.131
            yield
            return
        stack.enter_context(patch.object(providers, "_get_local_constants", lambda: nothing))
        stack.enter_context(patch.object(providers, "CONSTANTS_CACHE", cache))  # it remembers what was found
        yield
