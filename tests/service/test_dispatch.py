"""What every event goes through: in which order it is refused, and what its answers look like."""

import warnings
from collections.abc import Collection
from pathlib import Path

import orjson
import pytest

from chatd.net.disconnects import DisconnectReason
from chatd.service.dispatch import RECONNECT_SPREAD_MS, AnsweredLater
from chatd.service.machine_membership import MachineMembership
from chatd.wire.acks import AckPayload
from chatd.wire.names import ClientEvent
from tests.service.chats import ROOM, Chat, MemoryPeer, connected, message, open_chat, token

STRANGE = "another room"
NO_ID = "no id"
STOCK = {"connectionId": "stock"}
FULL = {"rooms_per_socket": 1}
OLD = {"messageId": str(message()["messageId"]), "connectionId": ROOM}  # of no message
THUMB = {"emoji": "\N{THUMBS UP SIGN}", "on": True}


def edit(room: str, **fields: object) -> dict[str, object]:
    return {**OLD, "connectionId": room, "content": "again", **fields}


# The event, its payload, the code, and the room that `chat:error` names. Each payload is wrong in
# more than one way: the first thing that is wrong is what the client hears of.
REFUSED: list[tuple[str, dict[str, object], str, str | None]] = [
    ("chat:message", {"messageId": NO_ID, "content": ""}, "invalid_payload", None),
    ("chat:message", message("", room=STRANGE, message_id=NO_ID), "invalid_message_id", None),
    ("chat:message", message("", room=STRANGE), "content_empty", None),
    (
        "chat:message",
        message(room=STRANGE, context={"schema": "x" * 20_000}),
        "invalid_payload",
        None,
    ),
    ("chat:message", message(room=STRANGE, threadId=NO_ID), "forbidden_room", None),
    ("chat:message", message(room="stock", threadId=NO_ID), "unknown_thread", None),
    ("chat:message", message(room="stock"), "rate_limited", None),
    ("chat:message:edit", {"messageId": 1}, "invalid_payload", None),
    ("chat:message:edit", edit(STRANGE, messageId=NO_ID), "invalid_message_id", STRANGE),
    ("chat:message:edit", edit(STRANGE, content=" "), "content_empty", STRANGE),
    ("chat:message:edit", edit(STRANGE, rev=-1), "invalid_payload", STRANGE),
    ("chat:message:edit", edit(STRANGE), "forbidden_room", STRANGE),
    ("chat:message:edit", edit("stock"), "rate_limited", "stock"),
    ("chat:message:edit", edit(ROOM), "not_found", ROOM),
    ("chat:message:delete", {**OLD, "messageId": NO_ID}, "invalid_message_id", ROOM),
    ("chat:message:delete", {**OLD, "connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("chat:message:delete", {**OLD, "connectionId": "stock"}, "rate_limited", "stock"),
    ("chat:message:delete", OLD, "not_found", ROOM),
    ("chat:message:react", {**OLD, "emoji": "x", "on": 1}, "invalid_payload", ROOM),
    ("chat:message:react", {**OLD, "emoji": "x", "on": True}, "invalid_payload", ROOM),
    ("chat:message:react", {**OLD, **THUMB, "messageId": NO_ID}, "invalid_message_id", ROOM),
    ("chat:message:react", {**OLD, **THUMB, "connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("chat:message:react", {**OLD, **THUMB, "connectionId": "stock"}, "rate_limited", "stock"),
    ("chat:message:react", {**OLD, **THUMB}, "not_found", ROOM),
    ("chat:message:get", {**OLD, "answerRows": "x"}, "invalid_payload", ROOM),
    ("chat:message:get", {**OLD, "messageId": NO_ID, "answerRows": -1}, "invalid_message_id", ROOM),
    (
        "chat:message:get",
        {**OLD, "connectionId": STRANGE, "answerRows": -1},
        "invalid_payload",
        STRANGE,
    ),
    ("chat:message:get", {**OLD, "connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("chat:message:get", OLD, "not_found", ROOM),
    ("chat:read", {"connectionId": ROOM, "seq": -1}, "invalid_payload", ROOM),
    ("chat:read", {"connectionId": STRANGE, "seq": 1}, "forbidden_room", STRANGE),
    ("schema:get", {}, "invalid_payload", None),
    ("schema:get", {"connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("schema:get", {"connectionId": ROOM}, "not_found", ROOM),
    ("chat:history:get", {"connectionId": ROOM, "changedAfter": -1}, "invalid_payload", ROOM),
    (
        "chat:history:get",
        {"connectionId": ROOM, "changedAfter": 0, "after": 0},
        "invalid_payload",
        ROOM,
    ),
    ("chat:read", {"connectionId": ROOM, "seq": -1}, "invalid_payload", ROOM),
    ("chat:read", {"connectionId": STRANGE, "seq": 0}, "forbidden_room", STRANGE),
    ("chat:ack", {"messageId": 1}, "invalid_payload", None),
    ("chat:ack", {"messageId": NO_ID}, "invalid_message_id", None),
    ("chat:ack", {"messageId": message()["messageId"]}, "not_found", None),
    ("connection:join", {"connectionId": STRANGE, "since": "x"}, "invalid_payload", STRANGE),
    ("connection:join", {"connectionId": STRANGE, "since": -1}, "invalid_payload", STRANGE),
    ("connection:join", {"connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("connection:join", {"connectionId": "\n"}, "forbidden_room", None),
    ("connection:join", {"connectionId": "stock"}, "rate_limited", "stock"),
    ("connection:leave", {}, "invalid_payload", None),
    (
        "chat:history:get",
        {"connectionId": STRANGE, "limit": "x"},
        "invalid_payload",
        STRANGE,
    ),
    (
        "chat:history:get",
        {"connectionId": STRANGE, "before": -1, "threadId": NO_ID},
        "invalid_payload",
        STRANGE,
    ),
    ("chat:history:get", {"connectionId": STRANGE, "threadId": NO_ID}, "unknown_thread", STRANGE),
    ("chat:history:get", {"connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("chat:history:get", {"connectionId": "stock"}, "rate_limited", "stock"),
    (
        "chat:history:get",
        {"connectionId": ROOM, "threadId": message()["messageId"]},
        "unknown_thread",
        ROOM,
    ),
    ("chat:search", {"connectionId": STRANGE, "query": 1}, "invalid_payload", STRANGE),
    ("chat:search", {"connectionId": STRANGE, "query": "", "limit": 0}, "invalid_payload", STRANGE),
    ("chat:search", {"connectionId": STRANGE, "query": ""}, "forbidden_room", STRANGE),
    (
        "chat:search",
        {"connectionId": "stock", "query": "", "cursor": "x"},
        "invalid_query",
        "stock",
    ),
    (
        "chat:search",
        {"connectionId": "stock", "query": "x", "cursor": "x"},
        "invalid_query",
        "stock",
    ),
    ("chat:search", {"connectionId": "stock", "query": "x"}, "rate_limited", "stock"),
    ("answer:cancel", {}, "invalid_payload", None),
    ("answer:cancel", {"messageId": NO_ID}, "invalid_message_id", None),
    ("answer:cancel", {"messageId": message()["messageId"]}, "not_found", None),
    ("chat:typing:start", {}, "invalid_payload", None),
    ("chat:typing:start", {"connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("chat:typing:start", {"connectionId": "stock"}, "rate_limited", "stock"),
    ("chat:typing:stop", {"connectionId": STRANGE}, "forbidden_room", STRANGE),
    ("chat:typing:stop", {"connectionId": "stock"}, "rate_limited", "stock"),
    ("presence:update", {"connectionId": STRANGE, "status": "x"}, "invalid_payload", STRANGE),
    ("presence:update", {"connectionId": STRANGE, "status": "away"}, "forbidden_room", STRANGE),
    ("presence:update", {"connectionId": "stock", "status": "away"}, "rate_limited", "stock"),
    ("auth:refresh", {}, "invalid_payload", None),
    ("auth:refresh", {"token": token("bob")}, "token_invalid", None),
]


async def enter(chat: Chat) -> MemoryPeer:
    """A peer that is in one room, and may use another one."""
    ada = chat.attach()
    auth = {"token": token("ada", [ROOM, "stock"], ttl_s=100_000), "connectionId": ROOM}
    await ada.say("40" + orjson.dumps(auth).decode())
    ada.take()
    return ada


async def test_the_first_thing_that_is_wrong_refuses_an_event_by_ack_and_event(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FULL) as chat:
        ada = await enter(chat)
        for name, payload, code, room in REFUSED:
            await ada.say("427" + orjson.dumps([name, payload]).decode())
            texts = [text for text in ada.take() if text[:2] in ("42", "43")]
            [ack] = [orjson.loads(text[3:])[0] for text in texts if text.startswith("437")]
            events = [orjson.loads(text[2:]) for text in texts if text.startswith("42")]
            assert (ack["ok"], ack["error"]["code"]) == (False, code), (name, payload, ack)
            [(told, error)] = events  # and no refusal of a join that nobody asked for
            assert told == ("chat:message:error" if name == "chat:message" else "chat:error")
            assert (error["code"], error.get("connectionId")) == (code, room), (name, payload)
            assert told == "chat:message:error" or error["event"] == name


async def test_the_limit_of_events_names_the_room_that_the_event_named(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"socket_events_per_minute": 1}) as chat:
        ada = await chat.enter("ada")
        await ada.emit("chat:typing:stop", {"connectionId": ROOM})
        for payload, room in (({"connectionId": ROOM}, ROOM), ({"connectionId": "<b>"}, None)):
            await ada.emit("chat:typing:stop", payload)
            error = await ada.until("chat:error")
            assert (error["code"], error.get("connectionId")) == ("rate_limited", room)


async def test_an_event_without_a_payload_or_an_ack_is_refused_by_its_event_alone(
    chat: Chat,
) -> None:
    ada = await enter(chat)
    for name in sorted({name for name, *_ in REFUSED}):
        await ada.say(f'42["{name}"]')
        [(told, error)] = ada.take_events()
        assert error["code"] == "invalid_payload"
        assert told == ("chat:message:error" if name == "chat:message" else "chat:error")


async def test_the_ack_of_every_event_names_the_fields_that_are_not_known(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, said = await chat.enter("ada"), message()
        where = {"connectionId": ROOM}
        carried_out: list[tuple[str, dict[str, object]]] = [
            ("chat:message", said),
            ("chat:ack", {"messageId": said["messageId"]}),
            ("chat:read", {**where, "seq": 1}),
            ("chat:message:react", {**where, **THUMB, "messageId": said["messageId"]}),
            ("chat:message:edit", {**where, "messageId": said["messageId"], "content": "again"}),
            ("chat:message:get", {**where, "messageId": said["messageId"]}),
            ("chat:message:delete", {**where, "messageId": said["messageId"]}),
            ("chat:read", {**where, "seq": 1}),
            ("chat:typing:start", where),
            ("chat:typing:stop", where),
            ("presence:update", {**where, "status": "away"}),
            ("connection:join", where),
            ("chat:history:get", where),
            ("chat:search", {"query": "orders"}),
            ("auth:refresh", {"token": token("ada")}),
            ("connection:leave", where),
        ]
        for name, payload in carried_out:
            assert "ignored" not in await ada.call(name, payload)
            ack = await ada.call(name, {**payload, "newer": 1})
            assert (ack["ok"], ack["ignored"]) == (True, ["newer"]), name
        for name, payload, *_ in REFUSED:
            ack = await ada.call(name, {**payload, "newer": 1})
            assert ack["ignored"] == ["newer"], name
        assert {name for name, *_ in carried_out} | {"answer:cancel", "schema:get"} == set(
            ClientEvent
        )
        client = next(iter(chat.parts.publishing.clients.everybody()))
        assert client.ignored is None


async def test_what_a_message_asks_for_in_a_misspelt_field_is_told_to_its_sender(
    chat: Chat,
) -> None:
    ada = await chat.enter("ada")
    context = {"config": {"readonly": True}, "<img src=x>": 1}
    ack = await ada.call("chat:message", {**message(context=context), "replyTo": NO_ID})
    assert ack["ok"] is True
    assert ack["ignored"] == ["context.config.readonly", "context.\\x3cimg src=x>", "replyTo"]
    peer = await chat.connect({"token": token("bob"), "rooms": ["stock"]})
    await connected(peer)
    assert (await peer.expect("connection:status"))["ignored"] == ["rooms"]


def test_the_table_has_every_event_of_clients() -> None:
    assert {name for name, *_ in REFUSED} == set(ClientEvent)


async def test_closing_what_is_answered_later_closes_the_coroutine_in_it() -> None:
    began, answers = [], []

    async def handle() -> AckPayload:
        began.append(True)
        return AckPayload()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AnsweredLater(handle(), answers.append).close()
    assert (began, answers) == ([], [])
    await AnsweredLater(handle(), answers.append)
    assert (began, answers) == ([True], [AckPayload()])


@pytest.mark.parametrize("is_gone", [False, True])
async def test_where_a_user_stands_is_looked_up_before_its_client_is_greeted(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, is_gone: bool
) -> None:
    asked: list[str] = []

    async def look(_self: MachineMembership, user_id: str, rooms: Collection[str]) -> None:
        asked.append(user_id)
        assert ROOM in rooms
        if is_gone:
            [client] = chat.parts.publishing.clients.of(user_id)
            client.end(DisconnectReason.FORCED_CLOSE)

    monkeypatch.setattr(MachineMembership, "is_shared", True)
    monkeypatch.setattr(MachineMembership, "look", look)
    ada = await chat.attach_and_enter(token("ada"))
    assert asked == ["ada"]
    assert [name for name, _ in ada.take_events()][:1] == ([] if is_gone else ["connection:status"])


async def test_a_drain_spreads_the_return_of_its_clients(chat: Chat) -> None:
    peers = [await chat.enter(f"user {number}") for number in range(12)]
    chat.parts.chat.dispatcher.drain(1)
    waits = [(await peer.until("server:draining"))["reconnectAfterMs"] for peer in peers]
    assert all(100 <= wait <= RECONNECT_SPREAD_MS for wait in waits)
    assert len(set(waits)) > 1  # of which all twelve are one at every 10 ** 40th try
