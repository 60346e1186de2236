"""What a module needs that is imported in the middle of a run."""

SEEN: list[object] = []
