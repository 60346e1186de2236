"""Programs for the world's own tests, and what a run of one looks like in a fresh interpreter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from harness.arenas.simulated import backends
from harness.arenas.simulated.strategies.portfolio import standard_portfolio
from harness.arenas.simulated.world import World
from harness.values import operation as op
from harness.values.program import Lane, Program, Script

if TYPE_CHECKING:
    from harness.arenas.simulated.actor import Strategy
    from harness.arenas.simulated.world import Run

POOLS: Final = (
    "concurrent.futures:ThreadPoolExecutor",
    "concurrent.futures:ProcessPoolExecutor",
    "reference_executor:ThreadPoolExecutor",
    "reference_executor:ProcessPoolExecutor",
)

BUSY: Final = Program(
    tasks=(Script(task="t0", gates=("g0",)), Script(task="t1"), Script(task="t2", argument=-1)),
    lanes=(
        Lane(
            operations=(
                *(op.Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(3)),
                op.AddCallback(future="f0", callback="c0"),
                op.Cancel(future="f1"),
                op.Open(gate="g0"),
                op.Wait(futures=("f0", "f1"), timeout=5.0),
                op.Shutdown(executor="e0"),
            )
        ),
        Lane(operations=(op.Observe(future="f0"), op.Result(future="f1", timeout=1.0))),
    ),
)
"""Some of everything: a gate, a callback, a cancel, a payload that fails, time, two lanes."""

KILL: Final = Program(
    tasks=(Script(task="t0"), Script(task="t1")),
    lanes=(
        Lane(
            operations=(
                *(op.Submit(executor="e0", future=f"f{number}", task=f"t{number}") for number in range(2)),
                op.Kill(executor="e0"),
                op.Shutdown(executor="e0"),
            )
        ),
    ),
)


def make_run(world: World, program: Program, strategy: Strategy, seed: int) -> Run:
    """One run, as the strategy chooses with this seed."""
    strategy.begin(seed)
    run = world.run(program, strategy)
    strategy.end(len(run.trace.log), len(run.trace.went))
    return run


def trace(target: str, backend: str, granularity: str, count: int) -> list[str]:
    """The digests of some runs, with what was observed in them."""
    made = {"greenlets": backends.best, "threads": backends.Threads}[backend]
    world = World(target, granularity=granularity, backend=made)  # type: ignore[arg-type]  # from the command line
    strategy = standard_portfolio()
    programs = (BUSY, KILL) if "Process" in target else (BUSY,)
    runs = [make_run(world, program, strategy, seed) for program in programs for seed in range(count)]
    world.close()
    return [
        f"{run.trace.digest()} {run.ending} {run.trace.schedule().to_text()} {run.events}" for run in runs
    ]


if __name__ == "__main__":
    for pool in POOLS:
        sys.stdout.writelines(f"{line}\n" for line in trace(pool, sys.argv[1], sys.argv[2], int(sys.argv[3])))
