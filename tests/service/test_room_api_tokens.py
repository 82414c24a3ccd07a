"""Who may ask over HTTP, and how much: users, bots, limits."""

from pathlib import Path

import jwt
import trio

from chatd.auth import bot_digest, make_bot_token
from chatd.observe import AuthenticationFailed, LimitHit, MessageReceived
from chatd.observe.clock import Clock
from tests.engine.polls import until
from tests.service.api_callers import GOOD, Api, code_of
from tests.service.asking import Answer
from tests.service.chats import (
    ROOM,
    SECRET,
    message,
    open_chat,
    token,
)

BOT = make_bot_token()
READER = make_bot_token()
TOKENS = {
    "tokens": {
        "alerts": {
            "sha256": bot_digest(BOT),
            "rooms": [ROOM],
            "name": "Alerts",
            "rights": ["write"],
        },
        "reader": {"sha256": bot_digest(READER), "rooms": [ROOM]},
    }
}


async def test_who_shows_no_good_token_learns_nothing(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        backoff = chat.parts.access.api_authenticator._backoff
        for bearer, code in [
            (None, "unauthorized"),
            ("", "unauthorized"),
            ("x", "token_invalid"),
            (token(now_s=Clock().wall_s() - 7_200), "token_expired"),
            ("chatd_" + "x" * 43, "token_invalid"),
        ]:
            for method, what in [("GET", "messages"), ("GET", "events"), ("POST", "messages")]:
                backoff.record_success("127.0.0.1")
                answer = await Api(chat, bearer).ask(method, what)
                assert (answer.status, code_of(answer)) == (401, code), (bearer, what)
                assert answer.headers["www-authenticate"] == "Bearer"
        assert (await Api(chat).ask("GET", "messages")).json()["lastSeq"] == 0


async def test_a_token_in_the_query_or_a_cookie_is_not_read(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        api = Api(chat, None)
        for query, headers in [
            ({"token": token()}, {}),
            ({"auth": token()}, {}),
            ({"access_token": token()}, {}),
            ({}, {"cookie": f"token={token()}; sb-access-token={token()}"}),
            ({}, {"authorization": f"Basic {token()}"}),
        ]:
            answer = await api.ask("GET", "messages", headers, **query)
            assert (answer.status, code_of(answer)) == (401, "unauthorized")


async def test_bad_tokens_back_off_together_with_those_of_handshakes(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        chat.parts.access.api_authenticator._backoff.free_failures = 0
        first = await Api(chat, "chatd_wrong").ask("GET", "messages")
        assert (first.status, code_of(first)) == (401, "token_invalid")
        again = await Api(chat, "x.y.z").ask("GET", "messages")
        assert (again.status, code_of(again)) == (429, "rate_limited")
        assert int(again.headers["retry-after"]) >= 1
        assert again.json()["error"]["retryAfterMs"] >= 1
        assert (await Api(chat).ask("GET", "messages")).status == 200, "a good token is let in"
        reasons = [one.reason for one in chat.recorder.of(AuthenticationFailed)]
        assert reasons == ["An API token came that [api.tokens] does not have."]


async def test_a_bot_writes_under_a_name_that_no_user_has(tmp_path: Path) -> None:
    async with open_chat(tmp_path, api=TOKENS) as chat:
        reader = await chat.enter("bob")
        await Api(chat, BOT).say("Disk is full.")
        told = await reader.expect("chat:message")
        assert (told["userId"], told["name"]) == ("bot:alerts", "Alerts")
        claims = jwt.decode(token(), SECRET, ["HS256"], audience="authenticated")
        forgery = jwt.encode({**claims, "sub": "bot:alerts"}, SECRET)
        forged = await Api(chat, forgery).ask("GET", "messages")
        assert (forged.status, code_of(forged)) == (401, "token_invalid")


async def test_a_bot_has_its_rooms_and_its_rights_and_no_socket(tmp_path: Path) -> None:
    async with open_chat(tmp_path, api=TOKENS) as chat:
        for bearer, method, what, status, code in [
            (BOT, "GET", "messages", 403, "forbidden"),
            (BOT, "GET", "search", 403, "forbidden"),
            (BOT, "GET", "events", 403, "forbidden"),
            (BOT, "HEAD", "messages", 403, None),
            (READER, "POST", "messages", 403, "forbidden"),
        ]:
            answer = await Api(chat, bearer).ask(method, what, body=None)
            assert answer.status == status
            assert code is None or code_of(answer) == code
        assert (await Api(chat, READER).ask("GET", "messages")).status == 200
        elsewhere = await Api(chat, READER, "stock").ask("GET", "messages")
        assert (elsewhere.status, code_of(elsewhere)) == (403, "forbidden_room")
        peer = await chat.connect({"token": READER})
        reply, _ = await peer.packet()
        assert "token_invalid" in reply


async def test_a_bot_has_rates_of_its_own(tmp_path: Path) -> None:
    api = {
        "tokens": {
            "fast": {
                "sha256": bot_digest(BOT),
                "rooms": [ROOM],
                "rights": ["write"],
                "messages_per_minute": 4,
            },
            "slow": {
                "sha256": bot_digest(READER),
                "rooms": [ROOM],
                "rights": ["read"],
                "requests_per_minute": 2,
            },
        }
    }
    limits = {"user_messages_per_minute": 1}
    async with open_chat(tmp_path, api=api, limits=limits) as chat:
        for _ in range(4):
            await Api(chat, BOT).say("x")
        fifth = await Api(chat, BOT).post({"content": "x"})
        assert (fifth.status, code_of(fifth)) == (429, "rate_limited")
        for _ in range(2):
            assert (await Api(chat, READER).ask("GET", "messages")).status == 200
        third = await Api(chat, READER).ask("GET", "search", query="x")
        assert (third.status, code_of(third)) == (429, "rate_limited")


async def test_a_users_messages_count_wherever_they_are_sent(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"user_messages_per_minute": 2}) as chat:
        ada = await chat.enter("ada")
        await ada.say(message("by a socket"))
        await Api(chat).say("by a request")
        third = await Api(chat).post({"content": "too many"})
        assert (third.status, code_of(third)) == (429, "rate_limited")
        wait_ms = third.json()["error"]["retryAfterMs"]
        assert int(third.headers["retry-after"]) == -(-wait_ms // 1000)
        assert not (await ada.call("chat:message", message("here too")))["ok"]


async def test_requests_of_a_user_count_as_the_events_of_a_socket_do(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"socket_events_per_minute": 3}) as chat:
        for what in ("messages", "search", "messages"):
            assert (await Api(chat).ask("GET", what, query="x")).status == 200
        for what in ("messages", "events"):
            fourth = await Api(chat).ask("GET", what)
            assert (fourth.status, code_of(fourth)) == (429, "rate_limited")
        assert (await Api(chat, token("bob")).ask("GET", "messages")).status == 200


async def test_requests_that_are_refused_count_too(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"socket_events_per_minute": 4}) as chat:
        wrong = [
            await Api(chat).post(b"{"),
            await Api(chat).post(GOOD, headers={"content-type": "text/plain"}),
            await Api(chat).ask("GET", "messages", before="x"),
            await Api(chat, room="stock").ask("GET", "messages"),
        ]
        assert [one.status for one in wrong] == [400, 415, 400, 403]
        assert (await Api(chat).post(GOOD)).status == 429


async def test_requests_of_a_user_that_are_under_way_are_bounded(tmp_path: Path) -> None:
    async with open_chat(tmp_path, api={"requests_per_user": 2}) as chat:
        chat.log.held = trio.Event()
        answers: list[Answer] = []

        async def post() -> None:
            answers.append(await Api(chat).post({"content": "held"}))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(post)
            nursery.start_soon(post)
            await until(lambda: len(chat.recorder.of(MessageReceived)) == 2)
            third = await Api(chat).ask("GET", "messages")
            assert third.status == 503
            assert code_of(third) == "overloaded"
            assert third.headers["retry-after"] == "1"
            assert (await Api(chat, token("bob")).ask("GET", "messages")).status == 200
            chat.log.held.set()
        assert [one.status for one in answers] == [201, 201]
        assert (await Api(chat).ask("GET", "messages")).status == 200
        assert [one.limit for one in chat.recorder.of(LimitHit)] == ["requests_per_user"]
