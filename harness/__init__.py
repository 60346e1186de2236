"""A harness that finds the bugs in `concurrent.futures` executors.

Generated programs run on the executor under test in a sacrificial process; what was observed is judged
against numbered rules; every failure ends with a token that brings it back. Names are imported from the
modules that define them: workers of the executor under test import this package, so it stays empty and light.
"""

__version__ = "0.1.0"
