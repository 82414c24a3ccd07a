"""Revoking the tokens of a user: sockets are closed, older tokens refused, restart or not."""

import os
from pathlib import Path

import pytest
import trio

from chatd.auth import ClaimDirectory, Grant, Identity
from chatd.net.disconnects import DisconnectReason
from chatd.observe import SessionClosed, UserRevoked
from chatd.observe.clock import Clock
from chatd.service.revoking import RevocationNotKept
from tests.net.peers import NO_CODE
from tests.service.chats import Chat, connected, open_chat, refused, token


def now_s() -> float:
    return Clock().wall_s()


def newer(user_id: str = "ada") -> str:
    """A token that is issued later than now, within the leeway of clocks."""
    return token(user_id, now_s=now_s() + 20)


async def test_the_sockets_of_the_user_are_closed_with_a_code(chat: Chat) -> None:
    phone, laptop, grace = await chat.enter(), await chat.enter(), await chat.enter("grace")
    assert await chat.parts.access.revoking.revoke("ada") == 2
    for ada in (phone, laptop):
        closing = await ada.until("connection:status")
        assert closing == {"status": "closing", "code": "token_revoked"}
        assert await ada.peer.end() == NO_CODE, "a stock client is to come back, and to be refused"
    assert (await grace.call("connection:join", {"connectionId": "sales"}))["ok"]
    reasons = [event.reason for event in chat.recorder.of(SessionClosed)]
    assert reasons.count(DisconnectReason.TOKEN_REVOKED) == 2
    assert chat.recorder.of(UserRevoked) == [UserRevoked("ada", 2, durable=True)]


async def test_what_was_issued_before_is_refused_and_what_is_issued_later_is_taken(
    chat: Chat,
) -> None:
    old = token()
    await chat.parts.access.revoking.revoke("ada")
    refusal = await refused(await chat.connect({"token": old}))
    assert refusal["data"] == {"code": "token_revoked", "retryable": False}
    assert refusal["message"] == "An administrator has ended your sessions; sign in again."
    await connected(await chat.connect({"token": newer()}))
    await connected(await chat.connect({"token": token("grace")}))


async def test_a_renewal_with_a_token_of_before_is_refused(chat: Chat) -> None:
    ada = await chat.attach_and_enter(newer())
    await chat.parts.access.revoking.revoke("grace")
    assert not ada.transport.closed.is_set()
    grace = await chat.enter("grace-2")
    await chat.parts.access.revoking.revoke("ada")
    assert ada.transport.closed.is_set()
    ack = await grace.call("auth:refresh", {"token": token("ada")})
    assert ack["error"]["code"] == "token_revoked"


async def test_a_token_of_a_clock_that_is_ahead_was_issued_before_too(chat: Chat) -> None:
    shown = newer()
    ada = await chat.attach_and_enter(shown)
    assert await chat.parts.access.revoking.revoke("ada") == 1
    assert ada.transport.closed.is_set()
    assert (await refused(await chat.connect({"token": shown})))["data"]["code"] == "token_revoked"


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    old = token()
    async with open_chat(tmp_path) as chat:
        await chat.parts.access.revoking.revoke("ada")
    async with open_chat(tmp_path) as chat:
        refusal = await refused(await chat.connect({"token": old}))
        assert refusal["data"]["code"] == "token_revoked"
        await connected(await chat.connect({"token": token("grace")}))


async def test_who_is_revoked_while_the_directory_is_asked_does_not_come_in(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_answer = trio.Event(), trio.Event()

    async def grants(_directory: object, _identity: Identity) -> dict[str, Grant]:
        asked.set()
        await may_answer.wait()
        return {"sales": Grant("sales", None)}

    monkeypatch.setattr(ClaimDirectory, "grants_now", lambda *_: None)
    monkeypatch.setattr(ClaimDirectory, "grants", grants)
    ada = await chat.connect({"token": token()})
    await asked.wait()
    await chat.parts.access.revoking.revoke("ada")
    may_answer.set()
    assert (await refused(ada))["data"]["code"] == "token_revoked"
    assert chat.parts.publishing.clients.count == 0


async def test_a_disk_that_does_not_take_it_is_told_and_it_holds_all_the_same(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await chat.enter()
    old = token()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RevocationNotKept, match="No space left"):
        await chat.parts.access.revoking.revoke("ada")
    assert (await ada.until("connection:status"))["code"] == "token_revoked"
    assert (await refused(await chat.connect({"token": old})))["data"]["code"] == "token_revoked"
    assert chat.recorder.of(UserRevoked) == [UserRevoked("ada", 1, durable=False)]


async def test_revocations_at_once_are_all_kept(tmp_path: Path) -> None:
    users = [f"user {number}" for number in range(20)]
    old = {user: token(user) for user in users}
    async with open_chat(tmp_path) as chat, trio.open_nursery() as nursery:
        for user in users:
            nursery.start_soon(chat.parts.access.revoking.revoke, user)
    async with open_chat(tmp_path) as chat:
        for user in users:
            refusal = await refused(await chat.connect({"token": old[user]}))
            assert refusal["data"]["code"] == "token_revoked"


@pytest.mark.parametrize("user_id", ["", "db:sales", "a\nb", "u" * 256])
async def test_what_is_no_user_id_revokes_nothing(chat: Chat, user_id: str) -> None:
    with pytest.raises(ValueError, match="a user id is"):
        await chat.parts.access.revoking.revoke(user_id)
    assert chat.recorder.of(UserRevoked) == []


async def test_a_ticket_for_a_download_is_as_good_as_its_token(chat: Chat) -> None:
    tickets = chat.parts.access.tickets
    ada, grace = (Identity(user, None, 2**60, {"iat": now_s() - 1}) for user in ("ada", "grace"))
    for user in (ada, grace):
        assert tickets.look(tickets.give("m", "sales", user, 0.0), "m", 0.0) == user
    kept = [tickets.give("m", "sales", user, 0.0) for user in (ada, grace)]
    await chat.parts.access.revoking.revoke("ada")
    assert [tickets.use(ticket, "m", 0.0) for ticket in kept] == [None, grace]
    late = tickets.give("m", "sales", ada, 0.0)
    assert tickets.use(late, "m", 0.0) is None, "the token was shown before, and is no good now"
