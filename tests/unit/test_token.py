"""A token brings its program back; a text that does not is refused with one sentence."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.values.program import Program, Script
from harness.values.token import FORMAT, Token, TokenError
from tests.unit.vocabulary import values_of

TOKEN = Token(
    program=Program(tasks=(Script(task="t0"),)), target="concurrent.futures:ThreadPoolExecutor", rule="FUT-08"
)
TEXT = TOKEN.to_text()
few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)


def _packed(data: bytes) -> str:
    """A token with the right check around whatever content."""
    body = base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")
    return f"{FORMAT}.{hashlib.sha256(data).hexdigest()[:6]}.{body}"


def _refused(text: str) -> str:
    with pytest.raises(TokenError) as caught:
        Token.from_text(text)
    return str(caught.value)


def _read_or_refuse(text: str) -> None:
    """Reading gives a token or a `TokenError` whose message is one short line."""
    try:
        read: object = Token.from_text(text)
    except TokenError as error:
        read = str(error)
    if not isinstance(read, Token):
        assert re.fullmatch(r".{10,1000}", str(read))


@few
@given(token=values_of(Token))
def test_a_token_reads_back(token: Token) -> None:
    """Every token survives its text, also with blanks and line ends around it."""
    text = token.to_text()
    assert Token.from_text(f"  {text}\n") == token
    assert re.fullmatch(r"exh1\.[0-9a-f]{6}\.[-_A-Za-z0-9]+", text)


@few
@given(token=values_of(Token))
def test_a_token_has_a_short_name(token: Token) -> None:
    """The short name is six letters or digits, and the same for equal tokens."""
    again = Token.from_text(token.to_text())
    assert re.fullmatch(r"[A-Z2-7]{6}", token.short)
    assert again.short == token.short


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no token: a token looks like exh1."),
        ("hello", "'hello' is no token"),
        ("exh1", "'exh1' is no token"),
        ("exh1.0dc722", "is no token"),
        ("x" * 1000, "'" + "x" * 37 + "...' is no token"),
        ("exh2.0dc722.eNpd", "has the format 'exh2', and this version reads 'exh1' only"),
        ("exh1.0dc722.eNpd", "is damaged: its body is cut short"),
        ("exh1.0dc722.!!!!", "is damaged: its body cannot be unpacked"),
        ("exh1.0dc722.ünïcode", "is damaged: its body cannot be unpacked"),
        ("exh1.0dc722.AAAAA", "is damaged: its body cannot be unpacked"),
        (TEXT[:-5], "is damaged: its body "),
        (TEXT.replace(TEXT[5:11], "000000"), "its check does not match its content"),
        (_packed(b"{}"), "does not know: Token lacks the field 'program'"),
        (_packed(b"[" * 100_000), "does not know: endless nesting"),
        (_packed(b"not json"), "does not know: Expecting value"),
        (_packed(b"\xff\xfe"), "does not know: "),
        (
            _packed(b'{"program":{},"target":"a:b","speed":1}'),
            "does not know: Token has the unknown field 'speed'",
        ),
        (
            _packed(b'{"program":{"lanes":[{"operations":[{"is":"sleep"}]}]},"target":"a:b"}'),
            "operations[0] has the unknown kind 'sleep'",
        ),
        (_packed(b'{"program":{},"target":"a:b","rule":' + b"9" * 5000 + b"}"), "does not know: "),
        (_packed(b" " * (1 << 21)), "far too large"),
        (
            _packed(b'{"program":{},"target":"a:b","course":{"is":"course","schedule":"2:1fMT1"}}'),
            "the schedule is damaged: it should have 2 decisions, and there are 1",
        ),
    ],
    ids=range(21),
)
def test_a_text_that_is_no_token_is_refused_with_a_sentence(text: str, message: str) -> None:
    """Foreign, future, damaged, cut, forged and oversized texts are each told what they are."""
    assert message in _refused(text)


def test_a_future_format_is_not_repeated_whole() -> None:
    """The message shows the beginning of a format it does not know."""
    assert re.fullmatch(r".{,200}", _refused("exh" + "9" * 10_000 + ".0dc722.eNpd"))


def test_a_token_with_something_behind_it_is_damaged() -> None:
    """Bytes behind the compressed content are not silently ignored."""
    data = json.dumps({"program": {}, "target": "a:b"}).encode()
    body = base64.urlsafe_b64encode(zlib.compress(data) + b"more").decode().rstrip("=")
    assert "is damaged" in _refused(f"{FORMAT}.{hashlib.sha256(data).hexdigest()[:6]}.{body}")


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_one_wrong_character_is_noticed(place: int) -> None:
    """A token with one character changed is refused, or is the same token still."""
    wrong = "A" if TEXT[place] != "A" else "B"
    with contextlib.suppress(TokenError):
        assert Token.from_text(TEXT[:place] + wrong + TEXT[place + 1 :]) == TOKEN


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_a_cut_token_is_refused(length: int) -> None:
    """No beginning of a token is a token."""
    assert _refused(TEXT[:length])


@few
@given(text=st.text())
@example("exh1.\ud800.\ud800")
@example("exh1..")
@example("exh1.\x00.\x00")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever text is given, the answer is a token or a sentence."""
    _read_or_refuse(text)


@few
@given(data=st.binary())
def test_any_content_is_read_or_refused(data: bytes) -> None:
    """Whatever the content under a right check, the answer is a token or a sentence."""
    _read_or_refuse(_packed(data))


@few
@given(body=st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Whatever bytes stand in the body, the answer is a token or a sentence."""
    _read_or_refuse(f"{FORMAT}.000000.{base64.urlsafe_b64encode(body).decode()}")


@few
@given(token=values_of(Token), data=st.data())
def test_damaged_tokens_are_read_or_refused(token: Token, data: st.DataObject) -> None:
    """A token with a piece cut out or put in is read or refused, never anything else."""
    text = token.to_text()
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    _read_or_refuse(text[:begin] + data.draw(st.text(max_size=5)) + text[end:])
