"""The page at `/` in Chromium: what its script makes of the token in a link."""

import re
import subprocess
import time
from pathlib import Path

import jwt
import pytest

from chatd.auth.mint import mint
from tests.peers.browser import FLAGS
from tests.peers.servers import LIMIT_S, SECRET, Server


def shown(url: str, profile: Path) -> str:
    """The page's HTML after its script has run."""
    command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "--dump-dom", url]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def note(page: str) -> str:
    found = re.search(r'<p id="token-note"[^>]*>([^<]*)</p>', page)
    assert found is not None, page
    return found[1]


def minted(user_id: str, ttl_s: int, now_s: float) -> str:
    return mint(
        SECRET,
        user_id=user_id,
        rooms=["demo"],
        name=None,
        ttl_s=ttl_s,
        now_s=now_s,
        audience="authenticated",
        issuer="",
        claim="connections",
    )


def test_the_page_says_whose_the_token_of_the_link_is_and_for_how_long(
    chat_server: Server, tmp_path: Path
) -> None:
    token = jwt.encode({"sub": "<b>ann</b>", "exp": int(time.time()) + 86_400}, SECRET, "HS256")
    page = shown(f"{chat_server.url}/#token={token}", tmp_path)
    assert f'const token = "{token}";' in page
    assert f'io("{chat_server.url}"' in page
    assert re.fullmatch(
        r"The snippet holds the token of this link, for the user “&lt;b&gt;ann&lt;/b&gt;”\. "
        r"It is good until [^<]*\d\d[^<]*\. Keep it to yourself\.",
        note(page),
    )
    late = minted("ann", 60, time.time() - 3600)
    assert " “ann”. It has expired: " in note(shown(f"{chat_server.url}/#token={late}", tmp_path))


@pytest.mark.parametrize("token", ["x", "a.b.c", "a.bnVsbA.c", "a.eyJleHAiOjFlOTl9.c"])
def test_the_page_says_nothing_of_a_token_that_it_cannot_read(
    chat_server: Server, tmp_path: Path, token: str
) -> None:
    page = shown(f"{chat_server.url}/#token={token}", tmp_path)
    assert note(page) == "The snippet holds the token of this link. Keep it to yourself."
    assert f'const token = "{token}";' in page


def test_a_link_puts_nothing_into_the_code_that_is_no_token(
    chat_server: Server, tmp_path: Path
) -> None:
    page = shown(f'{chat_server.url}/#token=x"%E2%80%AE;alert(1)//', tmp_path)
    assert 'const token = "…";' in page
    assert "alert(1)" not in page


def test_the_page_names_no_user_by_what_turns_text_around(
    chat_server: Server, tmp_path: Path
) -> None:
    token = jwt.encode({"sub": "\u202eann"}, SECRET, "HS256")
    page = shown(f"{chat_server.url}/#token={token}", tmp_path)
    assert note(page) == "The snippet holds the token of this link. Keep it to yourself."


def test_without_a_token_the_page_says_where_one_comes_from(
    chat_server: Server, tmp_path: Path
) -> None:
    page = shown(f"{chat_server.url}/", tmp_path)
    assert note(page) == "Put a token in the place of the dots."
    assert "chatd token mint --user alice" in page
