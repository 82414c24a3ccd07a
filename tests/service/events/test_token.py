"""The later life of a token: renewed, expiring, expired (docs/protocol, "Tokens").

The test moves the clock.
"""

from pathlib import Path

import pytest
import trio
import trio.testing

from chatd.auth import FormerSecret
from chatd.observe import SessionClosed
from chatd.observe.clock import Clock
from tests.net.peers import NO_CODE
from tests.service.chats import Chat, message, open_chat, token

LEEWAY_S = 30


async def test_a_renewal_tells_the_new_end(chat: Chat) -> None:
    ada = await chat.enter()
    ack = await ada.call("auth:refresh", {"token": token(ttl_s=7200)})
    assert ack["ok"] is True
    assert abs(ack["expiresAt"] / 1000 - 7200 - Clock().wall_s()) < 10


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (token("grace"), "token_invalid"),
        ("not a token", "token_invalid"),
        ("", "unauthorized"),
        (token(now_s=1_700_000_000), "token_expired"),
    ],
)
async def test_a_renewal_that_is_no_good_changes_nothing(chat: Chat, new: str, code: str) -> None:
    ada = await chat.enter()
    ack_id = await ada.ask("auth:refresh", {"token": new})
    assert (await ada.expect(ack_id))["error"]["code"] == code
    error = await ada.expect("chat:error")
    assert (error["event"], error["code"]) == ("auth:refresh", code)
    join = await ada.call("connection:join", {"connectionId": "sales"})
    assert join["ok"] is True


async def test_rooms_that_the_new_token_does_not_give_are_left_at_once(chat: Chat) -> None:
    ada, grace = await chat.enter("ada", ["sales", "stock"]), await chat.enter("grace", ["sales"])
    ack_id = await ada.ask("auth:refresh", {"token": token("ada", ["stock", "hr"])})
    left = await ada.expect("connection:left")
    assert left == {"connectionId": "sales", "code": "forbidden_room"}
    assert (await ada.expect("connection:granted")) == {"connectionId": "hr", "role": "member"}
    assert (await ada.expect(ack_id))["ok"] is True
    await grace.call("chat:message", message())
    await ada.quiet()
    assert (await ada.call("chat:message", message()))["error"]["code"] == "forbidden_room"
    assert (await ada.call("connection:join", {"connectionId": "hr"}))["ok"] is True


async def test_a_token_that_runs_out_is_announced_and_ends_the_transport(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True, server={"ping_timeout_s": 1e6}) as chat:
        expires_s = int(Clock().wall_s()) + 3600
        ada = await chat.attach_and_enter(token(ttl_s=3600))
        assert [name for name, _ in ada.take_events()] == [
            "connection:status",
            "presence:snapshot",
            "chat:history",
        ]
        await trio.sleep(3600 - 60 - 5)
        assert ada.take_events() == []
        await trio.sleep(10)
        ((name, payload),) = ada.take_events()
        assert name == "auth:expiring"
        assert abs(payload["expiresAt"] / 1000 - expires_s) <= 1
        await ada.transport.closed.wait()
        assert ada.take_events() == [
            ("connection:status", {"status": "closing", "code": "token_expired"})
        ]
        assert [event.reason for event in chat.recorder.of(SessionClosed)] == ["token expired"]
        assert ada.take() == [], "no DISCONNECT: a stock client is to come back"


async def test_a_renewed_token_is_announced_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True, server={"ping_timeout_s": 1e6}) as chat:
        ada = await chat.attach_and_enter(token(ttl_s=100))
        await trio.sleep(100)
        await ada.emit("auth:refresh", {"token": token(ttl_s=1000)})
        ada.take()
        await trio.sleep(1000 - 60 - 5)
        assert ada.take_events() == []
        await trio.sleep(10)
        assert [name for name, _ in ada.take_events()] == ["auth:expiring"]
        assert not ada.transport.closed.is_set()


async def test_a_token_of_a_former_secret_ends_with_the_secret(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    former = FormerSecret("the secret of before, which somebody has seen", Clock().wall_s() + 300)
    async with open_chat(
        tmp_path,
        in_memory=True,
        server={"ping_timeout_s": 1e6},
        auth={"former_secrets": (former,)},
    ) as chat:
        ada = await chat.attach_and_enter(token(ttl_s=3600, secret=former.secret))
        ada.take()
        await trio.sleep(300 - 60 + 5)
        ((name, payload),) = ada.take_events()
        assert name == "auth:expiring"
        assert payload == {"expiresAt": int(former.until_s * 1000)}
        await ada.emit("auth:refresh", {"token": token(ttl_s=7200)})
        await trio.sleep(300)
        assert not ada.transport.closed.is_set()
        grace = await chat.attach_and_enter(token("grace", secret=former.secret))
        grace.take()
        await grace.transport.closed.wait()
        assert ("connection:status", {"status": "closing", "code": "token_expired"}) in (
            grace.take_events()
        )


async def test_over_the_wire_an_expired_token_closes_without_a_disconnect(tmp_path: Path) -> None:
    async with open_chat(tmp_path, auth={"leeway_s": 0}) as chat:
        ada = await chat.connect({"token": token(ttl_s=2)})
        assert await ada.until("connection:status")
        assert await ada.until("auth:expiring")
        assert await ada.until("connection:status") == {
            "status": "closing",
            "code": "token_expired",
        }
        assert await ada.peer.end() == NO_CODE
