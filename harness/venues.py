"""The arenas of one process: opened when first needed, closed at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.arenas.real.arena import RealArena
from harness.arenas.real.journal import Journal
from harness.arenas.simulated.arena import SimulatedArena
from harness.arenas.steered.arena import SteeredArena
from harness.check.profile import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.values.granularity import Granularity

_SCRATCH = "exh-run-"


class Venues:
    """Where programs can be run."""

    def __init__(self, home: Path, import_from: tuple[str, ...], look_back: Callable[[], None]) -> None:
        """Nothing is open yet.

        Args:
            home: Where the journal is kept.
            import_from: Extra folders for the imports of children.
            look_back: Called before anything is opened: what earlier runs left behind must not be in the way.
        """
        self._home = home
        self._import_from = import_from
        self._look_back = look_back
        self._journal: Journal | None = None
        self._scratch: Path | None = None
        self._real: RealArena | None = None
        self._simulated: SimulatedArena | None = None
        self._steered: dict[Granularity, SteeredArena] = {}

    @property
    def real(self) -> RealArena:
        """The real arena.

        Raises:
            UsageError: the journal cannot be written.
        """
        if self._real is None:
            scratch, journal = self._open()
            self._real = RealArena(scratch, journal, import_from=self._import_from)
        return self._real

    @property
    def simulated(self) -> SimulatedArena:
        """The simulated arena.

        Raises:
            UsageError: the journal cannot be written.
        """
        if self._simulated is None:
            scratch, journal = self._open()
            self._simulated = SimulatedArena(scratch, journal, import_from=self._import_from)
        return self._simulated

    def steered(self, granularity: Granularity) -> SteeredArena:
        """The steered arena with hooks at this granularity.

        Raises:
            UsageError: the journal cannot be written.
        """
        if granularity not in self._steered:
            scratch, journal = self._open()
            self._steered[granularity] = SteeredArena(
                scratch, journal, import_from=self._import_from, granularity=granularity
            )
        return self._steered[granularity]

    def _open(self) -> tuple[Path, Journal]:
        if self._journal is None or self._scratch is None:
            self._look_back()
            try:
                self._journal = Journal(self._home / "journal")
            except OSError as error:
                raise UsageError(
                    f"{self._home} cannot be written ({error.strerror}): run from another folder"
                ) from None
            self._scratch = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-"))
        return self._scratch, self._journal

    def rest(self) -> None:
        """A process that only waits for others from now on has no program in flight."""
        if self._journal is not None:
            self._journal.note("", "")

    def close(self) -> None:
        """Leave nothing behind."""
        for arena in (self._real, self._simulated, *self._steered.values()):
            if arena is not None:
                arena.close()
        if self._journal is not None:
            self._journal.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def sweep_scratch() -> None:
    """Remove the folders of runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*-*"):
        pid = folder.name.removeprefix(_SCRATCH).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)
