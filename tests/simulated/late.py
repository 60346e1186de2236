"""A module that is imported in the middle of a run, with state of its own."""

import itertools
import threading

from tests.simulated import later

NUMBERS = itertools.count()
LOCK = threading.Lock()

__all__ = ["LOCK", "NUMBERS", "later"]
