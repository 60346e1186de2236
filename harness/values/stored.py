"""A history that is kept on disk, with the subject it was observed on, so that it can be judged again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.values.codec import decode, encode
from harness.values.history import History  # noqa: TC001 - the codec reads the types of the fields
from harness.values.subject import Subject  # noqa: TC001 - as above

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What one run showed of one subject: all that the judge needs."""

    subject: Subject
    history: History

    def to_json(self) -> str:
        """One line of text; the same value always gives the same text."""
        return json.dumps(encode(self), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Stored:
        """Read the text back; raises `codec.DecodeError` or `json.JSONDecodeError`."""
        return decode(Stored, json.loads(text))


def read_stored(path: Path) -> Stored:
    """Read a stored history from its file.

    Raises:
        OSError: there is no such file.
        ValueError: it holds something else; the message says what.
    """
    return Stored.from_json(path.read_text(encoding="utf-8"))
