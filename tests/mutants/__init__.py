"""Executors that each break one rule on purpose: the harness must catch each of them by that rule.

``base`` holds the correct thread pool, future, ``wait`` and ``as_completed`` that the mutants are made from.
The other modules are named after the families of rules, and each lists its classes in ``MUTANTS``.
"""
