"""How finely the execution of a subject's sources can be interrupted."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

Granularity: TypeAlias = Literal["synchronisation", "statement", "access"]
"""Where a thread can be preempted.

``synchronisation``: only at operations of the simulated C layer, the code is as it was written.
``statement``: before every statement of every function as well.
``access``: before those that touch an attribute, a subscript or a shared name, and between the read and the
write of one that does both.
"""

GRANULARITIES: Final[tuple[Granularity, ...]] = get_args(Granularity)
