"""The plain page, which stands in for the built one, in Chromium: what its script makes of a link's
token."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from chatd.auth.mint import mint
from chatd.net.http.page import STAND_INS, web_directory
from tests.page.browser.files import FileServer
from tests.peers.browser import FLAGS
from tests.peers.servers import LIMIT_S, SECRET


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is as a daemon without a built one serves it, headers and all."""
    web = tmp_path_factory.mktemp("web")
    for name in STAND_INS:
        (web / name).write_bytes(web_directory().joinpath(name).read_bytes())
    with FileServer(web) as server:
        yield server.url
        server.shutdown()


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
    plain_page: str, tmp_path: Path
) -> None:
    token = jwt.encode({"sub": "<b>ann</b>", "exp": int(time.time()) + 86_400}, SECRET, "HS256")
    page = shown(f"{plain_page}/#token={token}", tmp_path)
    assert f'const token = "{token}";' in page
    assert f'io("{plain_page}"' in page
    assert re.fullmatch(
        r"The snippet holds the token of this link, for the user “&lt;b&gt;ann&lt;/b&gt;”\. "
        r"It is good until [^<]*\d\d[^<]*\. Keep it to yourself\.",
        note(page),
    )
    late = minted("ann", 60, time.time() - 3600)
    assert " “ann”. It has expired: " in note(shown(f"{plain_page}/#token={late}", tmp_path))


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "a.bnVsbA.c", "a.eyJleHAiOjFlOTl9.c"],
    ids=["no token", "no base64", "null", "a date beyond all"],
)
def test_the_page_says_nothing_of_a_token_that_it_cannot_read(
    plain_page: str, tmp_path: Path, token: str
) -> None:
    page = shown(f"{plain_page}/#token={token}", tmp_path)
    assert note(page) == "The snippet holds the token of this link. Keep it to yourself."
    assert f'const token = "{token}";' in page


def test_a_link_puts_nothing_into_the_code_that_is_no_token(
    plain_page: str, tmp_path: Path
) -> None:
    page = shown(f'{plain_page}/#token=x"%E2%80%AE;alert(1)//', tmp_path)
    assert 'const token = "…";' in page
    assert "alert(1)" not in page


def test_the_page_names_no_user_by_what_turns_text_around(plain_page: str, tmp_path: Path) -> None:
    token = jwt.encode({"sub": "\u202eann"}, SECRET, "HS256")
    page = shown(f"{plain_page}/#token={token}", tmp_path)
    assert note(page) == "The snippet holds the token of this link. Keep it to yourself."


def test_without_a_token_the_page_says_where_one_comes_from(
    plain_page: str, tmp_path: Path
) -> None:
    page = shown(f"{plain_page}/", tmp_path)
    assert note(page) == "Put a token in the place of the dots."
    assert "chatd token mint --user alice" in page
