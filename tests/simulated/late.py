"""A module that is imported in the middle of a run, with state of its own."""

import itertools
import threading

NUMBERS = itertools.count()
LOCK = threading.Lock()
