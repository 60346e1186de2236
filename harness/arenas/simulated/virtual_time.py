"""What the clocks of a world show at the beginning of a run; nanoseconds, like all virtual time."""

from __future__ import annotations

from typing import Final

SECOND: Final = 1_000_000_000

EPOCH: Final = 1_700_000_000 * SECOND
"""What the wall clock says."""

UPTIME: Final = 1_000_000 * SECOND
"""What the monotonic clock says: so much that no duration is taken for a time."""
