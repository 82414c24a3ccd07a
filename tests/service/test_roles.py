"""Roles: a viewer reads all that a member reads, and changes nothing (docs/protocol, "Roles")."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
import trio
import trio.testing

from chatd.auth import Grant
from chatd.observe import ChangeRefused, MessageRefused
from chatd.observe.clock import Clock
from chatd.service.export_files import ExportFiles, FileWanted
from chatd.wire.codes import EXPLANATIONS, Code
from chatd.wire.names import ClientEvent, Role
from tests.service.chats import ROOM, SECRET, Chat, ChatPeer, connected, message, open_chat, token
from tests.service.events.test_answers import ask, open_answering
from tests.service.test_downloads import Asker, answered

ADA, GRACE, ZOE = "ada", "grace", "zoe"
FILE = {
    "source": "file",
    "connections": {ROOM: {"users": [ADA], "owners": [ZOE], "viewers": [GRACE]}},
}
WRITES = {
    ClientEvent.CHAT_MESSAGE,
    ClientEvent.MESSAGE_EDIT,
    ClientEvent.MESSAGE_DELETE,
    ClientEvent.MESSAGE_REACT,
    ClientEvent.TYPING_START,
}
OWN = {  # of the client itself, whichever room it may write in
    ClientEvent.AUTH_REFRESH,
    ClientEvent.CONNECTION_JOIN,
    ClientEvent.CONNECTION_LEAVE,
    ClientEvent.ANSWER_CANCEL,  # only of its own question
}


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path, directory=FILE) as chat:
        yield chat


async def entered(chat: Chat, user_id: str) -> tuple[ChatPeer, str]:
    """A user who is in the room, and the role that it was told."""
    peer = await chat.connect({"token": token(user_id, [])})
    await connected(peer)
    [room] = (await peer.expect("connection:status"))["rooms"]
    await peer.expect("chat:history")
    return peer, room["role"]


async def test_everybody_is_told_the_role(chat: Chat) -> None:
    roles = [(await entered(chat, user_id))[1] for user_id in (ZOE, ADA, GRACE)]
    assert roles == ["owner", "member", "viewer"]


async def test_a_viewer_reads_and_writes_nothing_whatever_the_event(chat: Chat) -> None:
    """Each event of a client is one that writes, and refused, or one that a viewer may send."""
    ada, _ = await entered(chat, ADA)
    written = message("One for all")
    ack = await ada.say(written)
    assert ack["ok"] is True
    grace, _ = await entered(chat, GRACE)
    known = {"connectionId": ROOM, "messageId": written["messageId"]}
    payloads: dict[ClientEvent, dict[str, object]] = {
        ClientEvent.CHAT_MESSAGE: message("I too"),
        ClientEvent.MESSAGE_EDIT: {**known, "content": "Another"},
        ClientEvent.MESSAGE_DELETE: known,
        ClientEvent.MESSAGE_REACT: {**known, "emoji": "👍", "on": True},
        ClientEvent.TYPING_START: {"connectionId": ROOM},
        ClientEvent.TYPING_STOP: {"connectionId": ROOM},
        ClientEvent.PRESENCE_UPDATE: {"connectionId": ROOM, "status": "away"},
        ClientEvent.CHAT_ACK: {"messageId": written["messageId"]},
        ClientEvent.CHAT_READ: {"connectionId": ROOM, "seq": 1},
        ClientEvent.MESSAGE_GET: known,
        ClientEvent.HISTORY_GET: {"connectionId": ROOM},
        ClientEvent.SEARCH: {"connectionId": ROOM, "query": "One"},
        ClientEvent.SCHEMA_GET: {"connectionId": ROOM},
    }
    assert set(ClientEvent) == payloads.keys() | OWN
    for event, payload in payloads.items():
        ack = await grace.call(event, payload)
        code = ack.get("error", {}).get("code")
        if event in WRITES:
            assert code == "read_only_room", (event, ack)
            assert ack["error"]["message"] == EXPLANATIONS[Code.READ_ONLY_ROOM].sentence
            assert ack["error"]["retryable"] is False
        else:
            assert code in (None, "db_unavailable", "not_found"), (event, ack)
    [refused] = chat.recorder.of(MessageRefused)
    assert refused.code == "read_only_room"
    assert chat.recorder.of(ChangeRefused) == []
    history = await ada.call("chat:history:get", {"connectionId": ROOM})
    assert [one["content"] for one in history["messages"]] == ["One for all"]
    assert "reactions" not in history["messages"][0]


async def test_an_owner_writes(chat: Chat) -> None:
    zoe, _ = await entered(chat, ZOE)
    assert (await zoe.say(message()))["ok"] is True


def with_role(user_id: str, role: str | None) -> str:
    """A token that lists the room, with a role."""
    now_s = int(Clock().wall_s())
    claims = {"sub": user_id, "aud": "authenticated", "iat": now_s, "exp": now_s + 3600}
    entry = {"id": ROOM} if role is None else {"id": ROOM, "role": role}
    return jwt.encode({**claims, "connections": [entry]}, SECRET, "HS256")


async def test_a_new_token_may_bring_another_role_which_is_told_and_counts_at_once(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter(ADA)
        await ada.ask("auth:refresh", {"token": with_role(ADA, "viewer")})
        told = await ada.expect("connection:role")
        assert told == {"connectionId": ROOM, "role": "viewer"}
        assert (await ada.call("chat:message", message()))["error"]["code"] == "read_only_room"
        await ada.ask("auth:refresh", {"token": with_role(ADA, None)})
        assert (await ada.until("connection:role"))["role"] == "member"
        assert (await ada.say(message()))["ok"] is True
        await ada.call("auth:refresh", {"token": token(ADA)})
        await ada.quiet()  # the same role is not told again


async def test_a_new_token_may_bring_another_room_which_is_told_with_its_title(
    tmp_path: Path,
) -> None:
    now_s = int(Clock().wall_s())
    claims = {"sub": ADA, "aud": "authenticated", "iat": now_s, "exp": now_s + 3600}
    rooms = [ROOM, {"id": "stock", "title": "The <b>stock", "role": "owner"}]
    more = jwt.encode({**claims, "connections": rooms}, SECRET, "HS256")
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter(ADA)
        await ada.ask("auth:refresh", {"token": more})
        told = await ada.expect("connection:granted")
        assert told == {"connectionId": "stock", "role": "owner", "title": "The < b>stock"}
        assert (await ada.call("connection:join", {"connectionId": "stock"}))["ok"] is True
        await ada.ask("auth:refresh", {"token": with_role(ADA, None)})
        assert (await ada.until("connection:left"))["connectionId"] == "stock"


@pytest.mark.parametrize("is_taken", [False, True])
async def test_a_message_that_waits_while_its_author_loses_the_right_is_refused(
    chat: Chat, is_taken: bool
) -> None:
    ada, _ = await entered(chat, ADA)
    chat.log.held = trio.Event()
    first = message("This takes a while")
    await ada.ask("chat:message", first)
    # It waits for the one before it, whose thread it might belong to.
    ack_id = await ada.ask("chat:message", message(threadId=first["messageId"]))
    await trio.testing.wait_all_tasks_blocked(0.05)
    [client] = chat.parts.publishing.clients.of(ADA)
    chat.parts.entering.granting.give(
        client, {} if is_taken else {ROOM: Grant(ROOM, None, Role.VIEWER)}
    )
    chat.log.held.set()
    refused = await ada.until(ack_id)
    assert refused["error"]["code"] == ("forbidden_room" if is_taken else "read_only_room")


async def test_a_viewer_cancels_nobody_elses_answer(tmp_path: Path) -> None:
    members: dict[str, object] = {"enabled": True, "cancel": "members"}
    async with open_answering(tmp_path, answers=members, directory=FILE) as (chat, _):
        ada, _ = await entered(chat, ADA)
        grace, _ = await entered(chat, GRACE)
        zoe, _ = await entered(chat, ZOE)
        question_id = await ask(ada)
        refused = await grace.call("answer:cancel", {"messageId": question_id})
        assert refused["error"]["code"] == "forbidden"
        assert (await zoe.call("answer:cancel", {"messageId": question_id}))["ok"] is True


async def test_a_viewer_downloads_what_a_message_holds_and_has_nothing_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[bool] = []
    respond = ExportFiles.respond

    async def noted(files: ExportFiles, asked: FileWanted, *more: object) -> object:
        wanted.append(asked.only_stored)
        return await respond(files, asked, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(ExportFiles, "respond", noted)
    async with open_answering(tmp_path, directory=FILE) as (chat, database):
        answer_id = await answered(chat, database)
        asker = Asker(chat)
        for user_id in (ADA, GRACE):
            bearer = token(user_id, [])
            assert (await asker.ask(f"{answer_id}.csv", bearer)).status == 200
            ticket = await asker.ticket(answer_id, bearer)
            assert (await asker.ask(f"{answer_id}.csv", ticket=ticket)).status == 200
    assert wanted == [False, False, True, True]


async def test_an_id_of_no_message_is_refused_to_a_viewer_as_any_other(chat: Chat) -> None:
    grace, _ = await entered(chat, GRACE)
    for event in (ClientEvent.MESSAGE_DELETE, ClientEvent.MESSAGE_EDIT):
        payload = {"connectionId": ROOM, "messageId": str(uuid4()), "content": "x"}
        assert (await grace.call(event, payload))["error"]["code"] == "read_only_room"
