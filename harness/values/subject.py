"""A subject: an executor under test, what it can do, and who keeps its promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["thread", "process", "interpreter", "remote"]
DeathModel: TypeAlias = Literal["breaks", "heals", "retries", "undefined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the harness knows of an executor before it runs programs on it.

    `target` is its import path ``package.module:Name``; `prefetch` how many queued futures may refuse to be
    cancelled besides the running ones; `components` maps each component to ``cpython`` or ``own``.
    """

    name: str
    target: str
    kind: Kind
    prefetch: int = 0
    inline: bool = False
    single: bool = False
    fifo: bool = True
    death: DeathModel = "undefined"
    capabilities: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()
    version: str = ""

    def inherits(self, component: str) -> bool:
        """Whether CPython's own function objects do the work of this component."""
        return "cpython" in {who for name, who in self.components if name == component}
