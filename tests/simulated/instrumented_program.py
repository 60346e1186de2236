"""Runs ordinary programs on pools whose modules are instrumented while imported; prints what it saw.

A script: the first argument is the granularity. Started in an interpreter of its own by
`test_instrumented_modules`, since private copies of `threading` leave traces in a process.
"""

from __future__ import annotations

import builtins
import json
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source
from typing import TYPE_CHECKING, Any, cast

from harness.arenas.simulated.instrument import Point, instrument

if TYPE_CHECKING:
    from types import CodeType

    from harness.values.granularity import Granularity

TABLE: list[Point] = []
PASSED: set[int] = set()
MODULES = (
    "threading", "queue", "concurrent.futures._base", "concurrent.futures.thread",
    "concurrent.futures.process", "multiprocessing.queues", "multiprocessing.connection",
    "multiprocessing.synchronize",
)  # fmt: skip


class Loader(SourceFileLoader):
    """Instruments the modules above and the reference executor."""

    granularity: Granularity = "synchronisation"
    plain = SourceFileLoader.get_code

    def get_code(self, fullname: str) -> CodeType | None:
        """Used in place of the original, for every module that comes from a file."""
        if fullname not in MODULES and not fullname.startswith("reference_executor"):
            return Loader.plain(self, fullname)
        made = instrument(
            decode_source(self.get_data(self.path)), filename=self.path, module=fullname,
            granularity=Loader.granularity, hook="@point", first=len(TABLE),
        )  # fmt: skip
        TABLE.extend(made.points)
        return made.code


def instrument_imports(granularity: Granularity) -> None:
    """From here on the modules above are instrumented."""
    Loader.granularity = granularity
    assert not set(MODULES) & set(sys.modules), "too late"
    SourceFileLoader.get_code = Loader.get_code  # type: ignore[method-assign, assignment] # on purpose
    vars(builtins)["@point"] = PASSED.add


def fails(number: int) -> int:
    """A task."""
    raise LookupError(number)


def exercise(futures: Any, pool: Any) -> list[object]:  # noqa: ANN401 - modules and classes by name
    """What a client can do with a pool, in answers that do not depend on timing."""
    seen: list[object] = []
    with pool(2) as executor:
        work = [executor.submit(pow, number, 2) for number in range(8)]
        seen.append([each.result(60) for each in work])
        seen.append(list(executor.map(divmod, range(6), [2] * 6, timeout=60)))
        seen.append(sorted(each.result() for each in futures.as_completed(work, 60)))
        failed = executor.submit(fails, 3)
        failed.add_done_callback(lambda future: seen.append(repr(future.exception())))
        done, late = futures.wait([failed, *work], 60)
        seen.append([len(done), len(late), repr(failed.exception())])
    try:
        executor.submit(abs, 1)
    except RuntimeError as error:
        seen.append(str(error))
    waiting = futures.Future()
    seen.append([waiting.cancel(), waiting.cancelled(), waiting.done(), len(futures.wait([failed], 0).done)])
    try:
        futures.Future().result(0)
    except futures.TimeoutError as error:
        seen.append(repr(error))
    return seen


def queues(queue: Any, threading: Any) -> list[object]:  # noqa: ANN401 - modules that were loaded late
    """A producer and a consumer over a bounded queue."""
    channel, got = queue.Queue(2), []

    def consume() -> None:
        while (item := channel.get()) is not None:
            got.append(item)
            channel.task_done()
        channel.task_done()

    consumer = threading.Thread(target=consume)
    consumer.start()
    for number in (*range(20), None):
        channel.put(number)
    channel.join()
    consumer.join()
    barrier = threading.Barrier(1)
    return [got, channel.empty(), barrier.wait(), threading.active_count() >= 1]


def main() -> None:
    """Everything, in one line of JSON."""
    instrument_imports(cast("Granularity", sys.argv[1]))
    import queue  # noqa: PLC0415 - must come after the loader
    import threading  # noqa: PLC0415 - the same
    from concurrent import futures  # noqa: PLC0415 - the same

    import reference_executor as reference  # noqa: PLC0415 - the same

    seen = {
        "threads": exercise(futures, futures.ThreadPoolExecutor),
        "processes": exercise(futures, futures.ProcessPoolExecutor),
        "reference threads": exercise(reference, reference.ThreadPoolExecutor),
        "reference processes": exercise(reference, reference.ProcessPoolExecutor),
        "queues": queues(queue, threading),
    }
    modules = sorted({TABLE[number].module for number in PASSED})
    print(json.dumps({"seen": seen, "points": len(TABLE), "passed": len(PASSED), "modules": modules}))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
