"""The forms in which tokens are pasted and handed over: taken, or named for what they are."""

import base64
import contextlib
import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.auth import KeyRing, TokenRefused, Verifier, token_in
from chatd.auth.pasted import PASTED_CHARS_MAX
from tests.auth.tokens_by_hand import NOW_S, SECRET, USER, good_claims, token
from tests.rows import rows

TOKEN = token(good_claims())
SESSION: dict[str, Any] = {
    "access_token": TOKEN,
    "token_type": "bearer",
    "expires_in": 3600,
    "refresh_token": "v7rTgqWqUDR2aNyRVdLdPw",
    "user": {"id": USER, "app_metadata": {"provider": "email"}},
}
ENCODED = base64.urlsafe_b64encode(json.dumps(SESSION).encode()).decode().rstrip("=")
COOKIE = f"base64-{ENCODED}"
PAGE = "https://chat.example/callback"

TAKEN: dict[str, object] = {
    "bare": TOKEN,
    "spaces around it": f"  {TOKEN}\t",
    "a line break behind it": f"{TOKEN}\r\n",
    "a mark of the byte order before it": f"\ufeff{TOKEN}",
    "a space that does not break": f"\u00a0{TOKEN}\u00a0",
    "characters that do not show": f"\u200b{TOKEN}\u2060",
    "line breaks of a terminal in it": f"{TOKEN[:80]}\n{TOKEN[80:160]}\r\n   {TOKEN[160:]}",
    "quotes": f'"{TOKEN}"',
    "single quotes": f"'{TOKEN}'",
    "back quotes": f"`{TOKEN}`",
    "quotes of a word processor": f"\u201c{TOKEN}\u201d",
    "angle brackets": f"<{TOKEN}>",
    "a comma behind it": f'"{TOKEN}",',
    "a semicolon behind it": f"{TOKEN};",
    "Bearer": f"Bearer {TOKEN}",
    "bearer": f"bearer   {TOKEN}",
    "Bearer with a colon": f"Bearer: {TOKEN}",
    "Bearer twice": f"Bearer Bearer {TOKEN}",
    "Bearer in quotes": f'"Bearer {TOKEN}"',
    "quotes behind Bearer": f'Bearer "{TOKEN}"',
    "a header": f"Authorization: Bearer {TOKEN}",
    "a header of curl": f"'Authorization: Bearer {TOKEN}'",
    "a property of JSON": f'"access_token": "{TOKEN}",',
    "a variable": f"TOKEN={TOKEN}",
    "a variable of a shell": f'export SUPABASE_ACCESS_TOKEN="{TOKEN}"',
    "JSON of a text": json.dumps(TOKEN),
    "a session": SESSION,
    "a session as JSON": json.dumps(SESSION),
    "a session as indented JSON": json.dumps(SESSION, indent=2) + "\n",
    "what getSession gives": {"data": {"session": SESSION}, "error": None},
    "what getSession gives, as JSON": json.dumps({"data": {"session": SESSION}, "error": None}),
    "a session of an earlier client": json.dumps({"currentSession": SESSION, "expiresAt": 1}),
    "an object with a token": {"token": TOKEN},
    "a list of an earlier cookie": json.dumps([TOKEN, "refresh", None, None, None]),
    "a cookie": COOKIE,
    "a cookie in standard base64": "base64-"
    + base64.b64encode(json.dumps(SESSION).encode()).decode(),
    "a cookie in percents": quote(json.dumps(SESSION)),
    "a list in percents": quote(json.dumps([TOKEN, "refresh"])),
    "a cookie with its name": f"sb-abcdefgh-auth-token={COOKIE}",
    "a header of cookies": f"Cookie: theme=dark; sb-abcdefgh-auth-token={COOKIE}; lang=en",
    "a cookie in pieces": f"sb-x-auth-token.1={COOKIE[99:]}; sb-x-auth-token.0={COOKIE[:99]}",
    "a link": f"{PAGE}#access_token={TOKEN}&expires_in=3600&refresh_token=x&token_type=bearer",
    "a link of chatd": f"http://127.0.0.1:8765/#token={TOKEN}",
    "a link with a query": f"{PAGE}?a=b&access_token={TOKEN}",
    "a fragment": f"#access_token={TOKEN}&token_type=bearer",
    "a link in angle brackets": f"<{PAGE}#access_token={TOKEN}>",
}


@rows("pasted", TAKEN.values(), ids=TAKEN.keys())
def test_a_form_in_which_people_paste_tokens_is_taken(pasted: object) -> None:
    taken = token_in(pasted)
    assert taken == TOKEN
    verifier = Verifier(KeyRing.of_secret(SECRET), "authenticated", "", 30, 8192)
    assert verifier.verify(taken, NOW_S).user_id == USER


NAMED: dict[str, tuple[object, str]] = {
    "a refresh token": ("v7rTgqWqUDR2aNyRVdLdPw", "refresh token"),
    "a short refresh token": ("Qhx2LTqz9abc", "refresh token"),
    "a refresh token of small letters": ("2jvd3jb7wqja", "refresh token"),
    "a session without its token": ({"refresh_token": "v7rTgqWqUDR2"}, "refresh token"),
    "nobody's session": (json.dumps({"data": {"session": None}}), "nobody is signed in"),
    "nobody's session as it is": ({"data": {"session": None}, "error": None}, "nobody"),
    "a user": ({"id": USER, "email": "ada@example.org"}, "holds no token"),
    "a publishable key": ("sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH", "publishable key"),
    "a secret key": ("sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz", "replace it"),
    "a secret key in quotes": ("'sb_secret_N7UND0UgjKTVK-Uodkm0Hg'", "replace it"),
    "undefined": ("undefined", "no token"),
    "null": ("null", "no token"),
    "None": ("None", "no token"),
    "an object as a text": ("[object Object]", "no token"),
    "Bearer undefined": ("Bearer undefined", "no token"),
    "the beginning of a token": (TOKEN[:60], "cut"),
    "a token with a part left out": (f"{TOKEN[:60]}...", "left out"),
    "a token with an ellipsis": (f"{TOKEN[:20]}\u2026{TOKEN[-9:]}", "left out"),
    "a token that is masked": ("eyJ***", "left out"),
    "a piece of a cookie": (f"sb-x-auth-token.0={COOKIE[:99]}", "cut"),
    "the second piece of a cookie": (f"sb-x-auth-token.1=base64-{ENCODED[100:]}", "cut"),
    "a part of a session": (json.dumps(SESSION)[:99], "cut"),
    "a link of a sign-in that failed": (f"{PAGE}#error=access_denied&error_code=403", "failed"),
    "a link with a code": (f"{PAGE}?code=3f1c9a52-0a4b", "open it"),
    "a link of a mail": (f"{PAGE}?token_hash=pkce_1&type=email", "open it"),
    "a link": ("https://abcdefgh.supabase.co", "link without a token"),
    "a public key": ("-----BEGIN PUBLIC KEY-----\nMII=\n-----END PUBLIC KEY-----", "key"),
    "an encrypted token": ("eyJhbGciOiJkaXIifQ..a.b.c", "encrypted"),
}


@rows(("pasted", "said"), NAMED.values(), ids=NAMED.keys())
def test_what_is_clearly_something_else_is_named(pasted: object, said: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        token_in(pasted)
    assert caught.value.code == "token_invalid"
    assert said in str(caught.value)
    for word in str(pasted).replace('"', " ").split():
        assert len(word) < 20 or word not in str(caught.value)


@rows("pasted", ["", {}, None, 7, True, [], [TOKEN], "not a token", "a.b", "Basic YTpi c", b"x"])
def test_what_is_not_known_is_left_to_the_verifier(pasted: object) -> None:
    assert token_in(pasted) == pasted


def test_white_space_alone_is_no_token() -> None:
    assert token_in(" \n\u200b ") == ""


def test_forms_inside_of_each_other_end() -> None:
    with pytest.raises(TokenRefused, match="holds no token"):
        token_in('{"data":' * 500 + "{}" + "}" * 500)
    deep: dict[str, Any] = SESSION
    for _ in range(9):
        deep = {"data": deep}
    with pytest.raises(TokenRefused, match="holds no token"):
        token_in(deep)


@rows(
    "part",
    ["sb-", "sb-x-auth-token=;", "token", "%7b", "'", '"', "{", "[", "a", "a.", "eyJ.", " ",
     "\u200b ", "Bearer ", "base64-", "https://", "#", "x=", ",", "-auth-token", "\n"],
)  # fmt: skip
def test_no_text_takes_long(part: str) -> None:
    text = (part * PASTED_CHARS_MAX)[: PASTED_CHARS_MAX - 1] + "!"
    began_s = time.thread_time()
    with contextlib.suppress(TokenRefused):
        token_in(text)
    assert time.thread_time() - began_s < 5, "some milliseconds; seconds are the machine's"


anything = st.text(max_size=60) | st.sampled_from(["Bearer ", "base64-", '{"access_token":', "#"])


@given(
    st.lists(anything | st.just(TOKEN), max_size=5).map("".join)
    | st.dictionaries(
        st.sampled_from(["access_token", "token", "session", "data", "refresh_token"]),
        st.none() | st.text(max_size=9) | st.just({}) | st.integers(),
    )
)
def test_anything_gives_something_or_a_refusal(pasted: object) -> None:
    said = ""
    try:
        token_in(pasted)
    except TokenRefused as error:
        said = str(error)
    assert TOKEN not in said
