"""Finds the token in what somebody pasted, or a program handed over.

People copy a token with its quotes, its `Bearer`, the line breaks of a terminal, or the whole
session around it; if it is clear what is meant, that is taken. What is clearly something else (a
refresh token, an API key, the word "undefined") is named, so that the sentence says what to send
instead. Nothing here proves anything: what comes out is verified like any token.
"""

import re
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import orjson

from chatd.auth.refusals import TokenRefused
from chatd.wire.codes import Code

PASTED_CHARS_MAX: Final = 32_768
"""Characters that are looked at; a Supabase session, with its user, has a few thousand."""

_DEPTH_MAX: Final = 5
"""Forms inside each other: a quoted cookie that holds a session that holds a token."""

_BARE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_UNSEEN: Final = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_WHITE = re.compile(rf"[\s{_UNSEEN}]+")
_AT_ENDS: Final = f" \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u202f\u3000{_UNSEEN},;"
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb<>"
_BEARER = re.compile(r"(?:authorization\s*[:=]\s*[\"']?)?bearer(?:\s*:\s*|\s+)", re.IGNORECASE)
_NAMED = re.compile(r"(?:export\s+)?[\"']?[a-z_-]*(?:token|jwt)[\"']?\s*[:=]\s*", re.IGNORECASE)
_COOKIE = re.compile(r"\s*(?:cookie:\s*)?sb-[\w.-]{1,100}?-auth-token(?:\.(\d{1,2}))?=(\S+)", re.I)
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://\S*|[/?#]\S*", re.IGNORECASE)
_ENCODED: Final = "base64-"  # before a Supabase cookie
_PERCENT: Final = ("%7b", "%5b", "%22")  # { [ "
_TOKENS: Final = ("access_token", "accessToken", "token", "auth")
_AROUND: Final = ("session", "currentSession", "data")

_UNSET: Final = frozenset({"undefined", "null", "none", "nil", "nan", "[object object]"})
_OPAQUE = re.compile(r"(?=\D{0,63}\d|[^A-Z]{0,63}[A-Z][^a-z]{0,63}[a-z])[A-Za-z0-9_-]{12,64}")
"""Refresh tokens are random; a word that somebody typed is none."""
_ENCRYPTED = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){4}")

_INSTEAD: Final = "send the access_token of the session."
_SECRET_KEY: Final = (
    "This is a secret key of the project (sb_secret_...), not a user's token. Take it out of this "
    "client, and replace it: whoever has seen it may do everything there. For a user, " + _INSTEAD
)
_PUBLIC_KEY: Final = (
    "This is the publishable key of the project (sb_publishable_...), which everybody has, not a "
    f"user's token. Sign in, and {_INSTEAD}"
)
_REFRESH: Final = f"This is not an access token; it may be a refresh token. Instead, {_INSTEAD}"
_CUT: Final = "The token was cut on the way: copy all of it."


def token_in(pasted: object) -> object:
    """The token in `pasted`, or `pasted` itself if its form is not known.

    A text may hold the token alone, or in one of the forms of docs/protocol ("Tokens"); an object
    may be a session. Raises TokenRefused, with a sentence of its own, for what is clearly something
    other than a token.
    """
    if isinstance(pasted, str):
        if _BARE.fullmatch(pasted):  # nearly all of them, and quick
            return pasted
        return pasted if len(pasted) > PASTED_CHARS_MAX else _in_text(pasted, _DEPTH_MAX)
    if isinstance(pasted, Mapping) and pasted:
        return _in_session(pasted, _DEPTH_MAX)
    return pasted


def _in_text(text: str, depth: int) -> object:
    bare = text.strip(_AT_ENDS)
    if not bare or depth <= 0:
        return bare
    if cookies := [found for found in map(_COOKIE.match, bare.split(";")) if found]:
        cookies.sort(key=lambda cookie: int(cookie[1] or 0))  # a long one is cut into pieces
        return _in_text("".join(cookie[2] for cookie in cookies), depth - 1)
    if bare.startswith(_ENCODED):
        return _in_json(_decoded(bare[len(_ENCODED) :]), depth)
    if bare[:3].lower() in _PERCENT:
        return _in_text(unquote(bare), depth - 1)
    if bare[0] in "{[" and bare.lower() not in _UNSET:
        return _in_json(bare.encode(errors="replace"), depth)
    if bare[0] in _QUOTES or bare[-1] in _QUOTES:
        return _in_text(bare.strip(_QUOTES), depth - 1)
    for prefix in (_BEARER, _NAMED):
        found = prefix.match(bare)
        if found and found.end() < len(bare):
            return _in_text(bare[found.end() :], depth - 1)
    if _LINK.fullmatch(bare):
        return _in_link(bare, depth)
    joined = _WHITE.sub("", bare)
    if _BARE.fullmatch(joined):
        return joined
    _refuse_known(bare)
    return bare


def _in_json(text: bytes, depth: int) -> object:
    try:
        value = orjson.loads(text)
    except ValueError:
        raise _refused(f"This is a part of a session, or of its cookie. {_CUT}") from None
    if isinstance(value, list) and value:  # as earlier Supabase cookies: access, refresh, ...
        value = value[0]
    if isinstance(value, dict):
        return _in_session(value, depth)
    return _in_text(value, depth - 1) if isinstance(value, str) else value


def _in_session(session: Mapping[str, Any], depth: int) -> object:
    """The token in a session, or in what holds one, as Supabase's client returns it."""
    for name in _TOKENS:
        if session.get(name):
            token = session[name]
            return _in_text(token, depth - 1) if isinstance(token, str) else token
    for name in _AROUND:
        inner = session.get(name)
        if isinstance(inner, Mapping) and depth > 0:
            return _in_session(inner, depth - 1)
    if "session" in session and session["session"] is None:
        raise _refused(f"There is no session: nobody is signed in. Sign in, and {_INSTEAD}")
    if session.get("refresh_token"):
        raise _refused(_REFRESH)
    raise _refused(f"This object holds no token: {_INSTEAD}")


def _in_link(link: str, depth: int) -> object:
    """The token that a page was opened with: after the #, else after the ?."""
    before, _, fragment = link.partition("#")
    query = before.partition("?")[2]
    said = dict(parse_qsl(query)) | dict(parse_qsl(fragment))
    for name in _TOKENS:
        if said.get(name):
            return _in_text(said[name], depth - 1)
    if said.get("error") or said.get("error_code"):
        raise _refused("This link says that signing in has failed; it holds no token. Try again.")
    if said.get("code") or said.get("token_hash"):
        raise _refused(f"This link is not used up yet: open it to sign in, then {_INSTEAD}")
    raise _refused(f"This is a link without a token. Instead, {_INSTEAD}")


def _decoded(encoded: str) -> bytes:
    text = unquote(encoded).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return a2b_base64(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raise _refused(f"This is a part of a session, or of its cookie. {_CUT}") from None


def _refuse_known(text: str) -> None:
    """Refuse what is known not to be a token."""
    if text.startswith("sb_secret_"):
        raise _refused(_SECRET_KEY)
    if text.startswith("sb_publishable_"):
        raise _refused(_PUBLIC_KEY)
    if text.lower() in _UNSET:
        raise _refused("The client sent no token, but the word for nothing. Sign in first.")
    if text.startswith("-----BEGIN"):
        raise _refused(f"This is a key or certificate, not a token. Instead, {_INSTEAD}")
    if "..." in text or "\u2026" in text or "***" in text:
        raise _refused(f"This is a token as it is shown, with a part left out. {_CUT}")
    if text.startswith("eyJ") and text.count(".") < 2:
        raise _refused(_CUT)
    if _ENCRYPTED.fullmatch(text):
        raise _refused(
            f"This is an encrypted token, which only its issuer reads. Instead, {_INSTEAD}"
        )
    if _OPAQUE.fullmatch(text):
        raise _refused(_REFRESH)


def _refused(sentence: str) -> TokenRefused:
    return TokenRefused(Code.TOKEN_INVALID, sentence)
