"""Tokens on this machine, under the short id that failure texts print."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.check.profile import UsageError
from harness.values.token import Token, TokenError

if TYPE_CHECKING:
    from pathlib import Path


def keep(folder: Path, token: str, short: str) -> None:
    """Keep a token under its short id."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{short}.token"
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(token + "\n", encoding="ascii")
    scratch.replace(path)


def find(text: str, folder: Path, here: Path) -> Token:
    """Read a token from its text, its short id in `folder`, or a file as seen from `here`.

    Raises:
        UsageError: it is none of these, or damaged.
    """
    try:
        if text.startswith("exh"):
            return Token.from_text(text)
        kept = folder / f"{text.upper()}.token"
        for candidate in (kept, here / text):
            if candidate.is_file():
                return Token.from_text(candidate.read_text(encoding="utf-8"))
    except TokenError as error:
        raise UsageError(str(error)) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"the token {text!r} cannot be read: {error}") from None
    raise UsageError(
        f"there is no token {text!r} here: give its text (exh1.…), a file, or a short id kept in {folder}"
    )
