"""What the page at /admin asks of the server: for administrators alone, and no content in it."""

import json
from pathlib import Path

import h11
import trio
import trio.testing

from chatd.auth import mint
from chatd.net.http.page import POLICY
from chatd.observe.clock import Clock
from chatd.observe.events import EventLog
from chatd.observe.recorder import Recorder
from chatd.observe.tap import FOLLOWERS_MAX, EventTap
from chatd.service.admin_page import EVENTS_PATH, OVERVIEW_PATH
from tests.service.chats import SECRET, Chat, message, open_chat, token

ADMIN = {"admin_claim": "roles"}


def admin_token() -> str:
    """A token whose list of rooms stands in for its roles."""
    return mint(
        SECRET,
        user_id="root",
        rooms=["admin"],
        name=None,
        ttl_s=3600,
        now_s=Clock().wall_s(),
        audience="authenticated",
        issuer="",
        claim="roles",
    )


async def ask(
    chat: Chat, path: str, bearer: str | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    headers = [("host", "localhost"), ("connection", "close")]
    if bearer is not None:
        headers.append(("authorization", f"Bearer {bearer}"))
    client = h11.Connection(h11.CLIENT)
    async with await trio.open_tcp_stream(*chat.address) as stream:
        request = h11.Request(method="GET", target=path, headers=headers)
        await stream.send_all(
            (client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b"")
        )
        head, body = None, b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                client.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
    assert head is not None
    return head.status_code, dict(head.headers), body


async def test_an_administrator_sees_users_and_rooms_and_no_content(tmp_path: Path) -> None:
    async with open_chat(tmp_path, auth=ADMIN) as chat:
        ada = await chat.enter("ada", name="Ada")
        await ada.say(message("marmalade"))
        status, headers, body = await ask(chat, OVERVIEW_PATH, admin_token())
        assert status == 200
        assert headers[b"cache-control"] == b"no-store"
        shown = json.loads(body)
        assert [user["userId"] for user in shown["users"]["users"]] == ["ada"]
        assert shown["rooms"]["rooms"][0]["lastSeq"] == 1
        assert shown["status"]["status"] == "ok"
        assert b"marmalade" not in body


async def test_everybody_else_is_refused_in_a_sentence(tmp_path: Path) -> None:
    async with open_chat(tmp_path, auth=ADMIN) as chat:
        expired = token("root", ttl_s=1, now_s=Clock().wall_s() - 3600)
        for path in (OVERVIEW_PATH, EVENTS_PATH):
            for bearer, status, code in (
                (None, 401, "unauthorized"),
                (expired, 401, "token_expired"),
                (token("ada", ["admin"]), 403, "forbidden"),
            ):
                told, _, body = await ask(chat, path, bearer)
                error = json.loads(body)["error"]
                assert (told, error["code"]) == (status, code)
                assert error["message"].endswith(".")


async def test_nobody_is_an_administrator_unless_the_configuration_says_who(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        status, _, body = await ask(chat, OVERVIEW_PATH, admin_token())
        assert status == 403
        assert "auth.admin_claim" in json.loads(body)["error"]["message"]


async def test_the_page_is_served_under_the_strict_policy(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for path, kind in (
            ("/admin", b"text/html; charset=utf-8"),
            ("/admin/admin.js", b"text/javascript; charset=utf-8"),
            ("/admin/admin.css", b"text/css; charset=utf-8"),
        ):
            status, headers, body = await ask(chat, path)
            assert status == 200
            assert headers[b"content-security-policy"] == POLICY
            assert headers[b"content-type"] == kind
            if path == "/admin":
                assert b"<script src=" in body
                assert b'<link rel="icon" href="icon.svg"' in body  # else browsers ask for one
                for inline in (b"<script>", b"<style", b" style=", b" onclick=", b"javascript:"):
                    assert inline not in body
        for path in ("/admin/", "/admin/index.html", "/admin/nothing.js"):
            assert (await ask(chat, path))[0] == 404


class Source:
    """Hands no events on."""

    def pass_to(self, log: EventLog) -> None:
        """Nothing comes."""


async def test_pages_that_are_closed_make_room_for_others_at_once(tmp_path: Path) -> None:
    head = f"GET {EVENTS_PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin_token()}"
    async with open_chat(tmp_path, auth=ADMIN) as chat:
        tap = EventTap(Source(), Recorder())
        chat.parts.http.admin_page._tap = tap
        for _ in range(2 * FOLLOWERS_MAX):
            stream = await trio.open_tcp_stream(*chat.address)
            await stream.send_all(f"{head}\r\n\r\n".encode())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
            assert tap.count == 1
            await trio.aclose_forcefully(stream)
            while tap.count:
                await trio.testing.wait_all_tasks_blocked(0.001)
        tap.drain()
        told, _, body = await ask(chat, EVENTS_PATH, admin_token())
        assert (told, json.loads(body)["error"]["code"]) == (503, "draining")
