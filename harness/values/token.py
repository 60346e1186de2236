"""Tokens: a failing program as one line of text that any machine can run again.

``exh1.<check>.<base64url(zlib(canonical JSON))>``. The short id of a token is six letters of the same hash;
it names the file under which a token is kept. A token is data from strangers: it holds names of the closed
vocabulary only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from dataclasses import dataclass

from harness.values.codec import DecodeError, decode, encode
from harness.values.course import Course  # noqa: TC001 - the codec reads the types of the fields
from harness.values.program import Program  # noqa: TC001 - as above

FORMAT = "exh1"
_LARGEST = 1 << 20  # bytes of JSON; a token that inflates beyond is damage or malice
_LONGEST_SHOWN = 40  # characters of a foreign text that an error repeats


class TokenError(ValueError):
    """The text is not a token this version can run; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A program, the executor and rule it was found with, and the Python that ran it.

    What was found in the simulated arena has its `course`: that brings back the same run, step by step.
    """

    program: Program
    target: str
    rule: str = ""
    python: str = ""
    course: Course | None = None

    def to_text(self) -> str:
        """The token's text."""
        data = json.dumps(encode(self), sort_keys=True, separators=(",", ":")).encode()
        body = base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")
        return f"{FORMAT}.{_check(data)}.{body}"

    @property
    def short(self) -> str:
        """Six letters that name this token on this machine."""
        data = json.dumps(encode(self), sort_keys=True, separators=(",", ":")).encode()
        return base64.b32encode(hashlib.sha256(data).digest()).decode()[:6]

    @staticmethod
    def from_text(text: str) -> Token:
        """Read a token.

        Raises:
            TokenError: the text is no token, is damaged, or comes from another version.
        """
        head, _, rest = text.strip().partition(".")
        check, _, body = rest.partition(".")
        if not head.startswith("exh") or not body:
            raise TokenError(f"{_shown(text)} is no token: a token looks like {FORMAT}.0dc722.eNpd")
        if head != FORMAT:
            raise TokenError(
                f"the token has the format {_shown(head)}, and this version reads {FORMAT!r} only"
            )
        data = _inflate(body)
        if _check(data) != check:
            raise TokenError(
                "the token is damaged: its check does not match its content; copy it again, whole"
            )
        try:
            token = decode(Token, json.loads(data))
            if token.course is not None:
                _ = token.course.decisions
            return token  # noqa: TRY300 - all of it may fail
        except RecursionError:
            raise TokenError(
                "the token holds something this version does not know: endless nesting"
            ) from None
        except (DecodeError, ValueError) as error:
            raise TokenError(f"the token holds something this version does not know: {error}") from None


def _inflate(body: str) -> bytes:
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        inflater = zlib.decompressobj()
        data = inflater.decompress(packed, _LARGEST)
    except (binascii.Error, ValueError, zlib.error):
        raise TokenError("the token is damaged: its body cannot be unpacked; copy it again, whole") from None
    if not inflater.eof or inflater.unused_data:
        raise TokenError("the token is damaged: its body is cut short, too long or far too large")
    return data


def _check(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:6]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "...")
