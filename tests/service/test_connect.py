"""Who comes in, and what is said first (docs/protocol, "Connecting")."""

import base64
import re
from pathlib import Path

import jwt
import pytest

from chatd.observe import AuthenticationFailed, LimitHit, SessionClosed, SocketReconnected
from chatd.service.connect import NAMED_ROOMS_MAX, REFUSALS_MAX
from tests.net.peers import NO_CODE
from tests.service.chats import SECRET, Chat, connected, open_chat, refused, token


async def test_the_first_event_says_who_and_where_one_is(chat: Chat) -> None:
    user_token = token("ada", ["sales", "stock"], name="Ada")
    peer = await chat.connect({"token": user_token, "reconnectAttempts": 3})
    await connected(peer)
    status = await peer.expect("connection:status")
    assert abs(status.pop("serverTime") + 3600_000 - status.pop("expiresAt")) < 5000
    del status["server"]
    places = [
        (it["connectionId"], it["lastSeq"], it["lastRev"], it["owed"]) for it in status.pop("rooms")
    ]
    assert places == [("sales", 0, 0, 0), ("stock", 0, 0, 0)]
    assert status == {
        "status": "connected",
        "userId": "ada",
        "name": "Ada",
        "epoch": chat.store.epoch,
        "resumed": False,
        "limits": {
            "contentChars": 10_000,
            "historyPage": 200,
            "messagesPerMinute": 30,
            "typingPerMinute": 10,
            "maxPayload": 1_000_000,
        },
        "reconnectAttempts": 3,
    }
    assert [event.attempts for event in chat.recorder.of(SocketReconnected)] == [3]


@pytest.mark.parametrize("attempts", [-1, 2**31, True, "3", 1.5, None])
async def test_attempts_that_are_no_count_are_not_echoed(chat: Chat, attempts: object) -> None:
    peer = await chat.connect({"token": token(), "reconnectAttempts": attempts})
    await connected(peer)
    assert "reconnectAttempts" not in await peer.expect("connection:status")


async def rooms_joined(chat: Chat, count: int, **auth: object) -> list[str]:
    peer = await chat.connect({"token": token("ada", ["a", "b", "c"]), **auth})
    await connected(peer)
    await peer.expect("connection:status")
    joined = [(await peer.expect("chat:history"))["connectionId"] for _ in range(count)]
    await peer.quiet()
    return joined


async def test_without_a_name_every_room_of_the_directory_is_joined(chat: Chat) -> None:
    assert await rooms_joined(chat, 3) == ["a", "b", "c"]
    assert await rooms_joined(chat, 3, connectionId=None) == ["a", "b", "c"]
    assert await rooms_joined(chat, 3, connectionId=[]) == ["a", "b", "c"]


async def test_the_rooms_that_the_handshake_names_are_joined(chat: Chat) -> None:
    assert await rooms_joined(chat, 1, connectionId="b") == ["b"]
    assert await rooms_joined(chat, 2, connectionId=["c", "a", "c"]) == ["c", "a"]


async def test_a_room_that_one_may_not_use_is_refused_and_the_others_are_joined(
    chat: Chat,
) -> None:
    peer = await chat.connect({"token": token(), "connectionId": ["secret", "sales"]})
    await connected(peer)
    await peer.expect("connection:status")
    error = await peer.expect("chat:error")
    assert (error["event"], error["code"], error["connectionId"]) == (
        "connection:join",
        "forbidden_room",
        "secret",
    )
    assert (await peer.expect("chat:history"))["connectionId"] == "sales"


@pytest.mark.parametrize("named", [1, {"a": 1}, ["sales", 1], True])
async def test_names_of_rooms_that_are_no_names_are_refused(chat: Chat, named: object) -> None:
    peer = await chat.connect({"token": token(), "connectionId": named})
    await connected(peer)
    await peer.expect("connection:status")
    assert (await peer.expect("chat:error"))["code"] == "invalid_payload"
    await peer.quiet()


async def test_a_token_may_stand_in_three_places(chat: Chat) -> None:
    bearer = [f"Authorization: Bearer {token('in the header')}"]
    query = f"EIO=4&transport=websocket&auth={token('in-the-query')}"
    other_query = f"EIO=4&transport=websocket&token={token('in-the-query')}"
    for auth, request, user_id in [
        ({"token": token("in the payload")}, {"headers": bearer}, "in the payload"),
        (None, {"headers": bearer, "query": query}, "in the header"),
        (None, {"query": query}, "in-the-query"),
        (None, {"query": other_query}, "in-the-query"),
    ]:
        peer = await chat.connect(auth, **request)
        await connected(peer)
        assert (await peer.expect("connection:status"))["userId"] == user_id


async def test_the_query_can_be_switched_off(tmp_path: Path) -> None:
    async with open_chat(tmp_path, auth={"query_token": False}) as chat:
        peer = await chat.connect(None, query=f"EIO=4&transport=websocket&auth={token()}")
        assert (await refused(peer))["data"]["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, "unauthorized"),
        ({}, "unauthorized"),
        ({"token": ""}, "unauthorized"),
        ({"token": None}, "unauthorized"),
        ({"token": 1}, "token_invalid"),
        ({"token": "not a token"}, "token_invalid"),
        ({"token": token(secret=SECRET + "!")}, "token_invalid"),
        ({"token": token(now_s=1_700_000_000)}, "token_expired"),
    ],
)
async def test_a_token_that_is_no_good_is_refused_with_its_code(
    chat: Chat, auth: dict[str, object] | None, code: str
) -> None:
    peer = await chat.connect(auth)
    error = await refused(peer)
    assert error["data"]["code"] == code
    assert error["data"]["retryable"] is False
    assert error["message"]
    assert [event.code for event in chat.recorder.of(AuthenticationFailed)] == [code]


async def test_the_log_says_why_a_token_was_refused_and_the_client_hears_a_sentence(
    chat: Chat,
) -> None:
    expired = token(now_s=1_700_000_000)
    error = await refused(await chat.connect({"token": expired}))
    assert error["message"] == "The token has expired: get a new one."
    [event] = chat.recorder.of(AuthenticationFailed)
    assert re.fullmatch(r"The token expired [0-9]+ s ago \(exp\)\.", event.reason)
    error = await refused(await chat.connect({"token": token(secret=SECRET + "!")}))
    assert error["message"] == "The token's signature is wrong."
    assert "auth.jwt_secret" in chat.recorder.of(AuthenticationFailed)[-1].reason


async def test_the_log_says_why_the_next_token_of_a_client_was_refused(chat: Chat) -> None:
    peer = await chat.enter()
    ack = await peer.call("auth:refresh", {"token": token(now_s=1_700_000_000)})
    assert ack["error"]["code"] == "token_expired"
    [event] = chat.recorder.of(AuthenticationFailed)
    assert "expired" in event.reason


async def test_who_was_refused_may_try_again_on_the_same_session(chat: Chat) -> None:
    peer = await chat.connect({"token": "bad"})
    await refused(peer)
    await peer.peer.send(f'40{{"token":"{token()}"}}')
    await connected(peer)
    await peer.expect("connection:status")


async def test_of_the_rooms_that_a_handshake_names_so_many_are_refused(chat: Chat) -> None:
    named = [f"room {number}" for number in range(NAMED_ROOMS_MAX + 5)]
    peer = await chat.connect({"token": token(), "connectionId": [*named, "sales"]})
    await connected(peer)
    await peer.expect("connection:status")
    told = [await peer.expect("chat:error") for _ in named[:NAMED_ROOMS_MAX]]
    assert {one["code"] for one in told} == {"forbidden_room"}
    assert [one["connectionId"] for one in told] == named[:NAMED_ROOMS_MAX]
    assert (await peer.expect("chat:history"))["connectionId"] == "sales"
    await peer.quiet()


async def test_who_never_gets_in_is_closed_in_time(tmp_path: Path) -> None:
    async with open_chat(tmp_path, server={"connect_timeout_s": 2.0}) as chat:
        peer = await chat.connect({"token": "bad"})
        await refused(peer)
        assert await peer.ended() == NO_CODE


async def test_before_connect_nothing_is_done(chat: Chat) -> None:
    peer = await chat.open()
    await peer.send('42["connection:join",{"connectionId":"sales"}]')
    assert await peer.end() == NO_CODE


async def test_the_chat_is_in_the_main_namespace_only(chat: Chat) -> None:
    peer = await chat.open()
    await peer.send(f'40/chat,{{"token":"{token()}"}}')
    assert await peer.message() == '44/chat,{"message":"Invalid namespace"}'


async def test_bad_tokens_make_an_address_wait_and_keep_no_good_one_out(chat: Chat) -> None:
    answers = []
    for _ in range(4):
        peer = await chat.open()
        for _ in range(3):
            await peer.send('40{"token":"bad"}')
            answers.append(str(await peer.message()))
    assert all('"code":"token_invalid"' in answer for answer in answers[:11])
    assert '"code":"rate_limited"' in answers[11]
    assert '"retryAfterMs":' in answers[11]
    await peer.connect(f'40{{"token":"{token()}"}}')


async def test_having_no_token_costs_no_wait_but_a_session_may_not_try_for_ever(chat: Chat) -> None:
    peer = await chat.open()
    for _ in range(REFUSALS_MAX):
        await peer.send("40")
        assert '"code":"unauthorized"' in str(await peer.message())
    assert await peer.end() == NO_CODE
    [closed] = chat.recorder.of(SessionClosed)
    assert (closed.reason, closed.user_id) == ("connects refused", None)
    assert chat.recorder.of(LimitHit) == [LimitHit("refused_connects", None, "127.0.0.1")]
    await chat.connect({"token": token()})


async def test_a_token_whose_rooms_are_no_list_is_invalid(chat: Chat) -> None:
    claims = {"sub": "ada", "aud": "authenticated", "iat": 1, "exp": 2**31, "connections": "sales"}
    peer = await chat.connect({"token": jwt.encode(claims, SECRET)})
    error = await refused(peer)
    assert (error["data"]["code"], error["data"]["retryable"]) == ("token_invalid", False)


async def test_a_user_has_only_so_many_sockets(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"sockets_per_user": 2}) as chat:
        first = await chat.enter()
        await chat.enter()
        third = await chat.connect({"token": token()})
        assert (await refused(third))["data"]["code"] == "rate_limited"
        await chat.enter("grace")
        await first.peer.send("41")
        await first.peer.send("1")
        await first.ended()
        await chat.enter()


async def test_no_token_is_in_any_event(chat: Chat) -> None:
    for place in ({"token": token() + "x"}, {"token": token()}):
        peer = await chat.connect(place)
        await peer.packet()
    secret_part = base64.urlsafe_b64encode(b'{"alg"').decode()[:6]
    assert not any(secret_part in repr(event) for event in chat.recorder.events)
