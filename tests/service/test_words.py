"""Whatever strangers put into any field, nobody is delivered markup, or what a terminal obeys.

Tokens, titles, contexts, names of tables, complaints of databases and every field of every event
are hostile here. Each text in each packet that anybody gets is judged by a parser of HTML. What is
data, and is delivered as it is, stands in `DATA`, and in the README.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import jwt
import orjson
import pytest
import trio

from chatd.answers.requests import DatabaseFailed
from chatd.answers.table import Column
from chatd.chat.markup import MARKUPS
from chatd.observe.clock import Clock
from chatd.wire.codes import Code
from chatd.wire.names import ClientEvent, ServerEvent
from tests.answers.services import HeldDatabase
from tests.chat.test_markup import OBEYED
from tests.chat.test_markup_judges import markup_in
from tests.net.peers import Ended
from tests.service.chats import ROOM, SECRET, Chat, ChatPeer, message
from tests.service.events.test_answers import SQL, called, open_answering

HOSTILE = "<img src=x onerror=alert(1)><!-- <?x \x1b[2J\x9b2J\x08\x7f \u202eb\u2066 a<"
DATA = frozenset({"rows", "columns", "raw", "statement"})
"""Fields of answers that are what the database gave, as it gave it; and SQL, as it was written."""

UNSEEN_HERE = {
    ServerEvent.AUTH_EXPIRING,  # they hold numbers, and ids of rooms
    ServerEvent.CHAT_READ,
    ServerEvent.CONNECTION_GRANTED,  # a title as `connection:status` has it
    ServerEvent.CONNECTION_ROLE,
    ServerEvent.QUEUE_OVERFLOW,
}


def hostile_token(user_id: str) -> str:
    now_s = int(Clock().wall_s())
    claims = {
        "sub": user_id,
        "aud": "authenticated",
        "iat": now_s,
        "exp": now_s + 3600,
        "user_metadata": {"full_name": f"{user_id} {HOSTILE}"},
        "connections": [{"id": ROOM, "title": f"Sales {HOSTILE}"}, {"id": f"x{HOSTILE}"}, "<b>"],
    }
    return jwt.encode(claims, SECRET, "HS256")


def texts(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], str]]:
    """Each text in a value that is no data, and where it is."""
    match value:
        case str():
            yield path, value
        case list():
            for index, one in enumerate(value):
                yield from texts(one, (*path, index))
        case dict():
            for key, one in value.items():
                yield (*path, "key"), key
                if key not in DATA:
                    yield from texts(one, (*path, key))


@functools.cache
def is_obeyed(text: str) -> bool:
    """Whether a parser finds markup in a text, or in it and what a page puts behind it; or a
    terminal a command."""
    if OBEYED & set(text):
        return True
    return "<" in text and bool(markup_in(text) or markup_in(f"{text}b>"))


def bad(packets: Sequence[tuple[str, Any]]) -> list[tuple[object, ...]]:
    """Where there is markup, or what a terminal obeys."""
    return [
        (name, *path, text)
        for name, payload in packets
        for path, text in texts(payload)
        if is_obeyed(text)
    ]


@attrs.define
class Listener:
    """A peer that keeps all that it is told."""

    peer: ChatPeer
    heard: list[tuple[str, Any]] = attrs.field(factory=list)
    _acks: dict[str, Any] = attrs.field(factory=dict)
    _counts: Counter[str] = attrs.field(factory=Counter)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def listen(self) -> None:
        """Until the server ends it: whoever was not let in has ten seconds for another try."""
        with suppress(Ended):
            await self._listen()

    async def _listen(self) -> None:
        while True:
            text = await self.peer.peer.message()
            assert isinstance(text, str)
            if text == "2":
                await self.peer.peer.send("3")
                continue
            start = min(text.find(char) for char in "[{" if char in text)
            body = orjson.loads(text[start:])
            name, payload = (body[0], body[1]) if text.startswith("42") else (text[:start], body)
            self.heard.append((name, payload))
            self._counts[name] += 1
            if name.startswith("43"):
                self._acks[name] = payload
            self._news.unpark_all()

    async def ask(self, event: str, payload: object) -> Any:
        """Send an event, and return what its ack says."""
        ack_id = await self.peer.ask(event, payload)
        while f"43{ack_id}" not in self._acks:
            await self._news.park()
        return self._acks[f"43{ack_id}"][0]

    async def until(self, name: str, count: int = 1) -> None:
        while self._counts[name] < count:
            await self._news.park()


GOOD: dict[ClientEvent, dict[str, object]] = {
    ClientEvent.CHAT_MESSAGE: {"content": "hi", "connectionId": ROOM},
    ClientEvent.TYPING_START: {"connectionId": ROOM},
    ClientEvent.TYPING_STOP: {"connectionId": ROOM},
    ClientEvent.PRESENCE_UPDATE: {"connectionId": ROOM, "status": "away"},
    ClientEvent.CHAT_ACK: {"messageId": str(uuid4())},
    ClientEvent.CHAT_READ: {"connectionId": ROOM, "seq": 0},
    ClientEvent.MESSAGE_EDIT: {
        "messageId": str(uuid4()),
        "connectionId": ROOM,
        "content": "hi",
        "rev": 0,
    },
    ClientEvent.MESSAGE_DELETE: {"messageId": str(uuid4()), "connectionId": ROOM},
    ClientEvent.MESSAGE_REACT: {
        "messageId": str(uuid4()),
        "connectionId": ROOM,
        "emoji": "\N{THUMBS UP SIGN}",
        "on": True,
    },
    ClientEvent.CHAT_READ: {"connectionId": ROOM, "seq": 1},
    ClientEvent.MESSAGE_GET: {"messageId": str(uuid4()), "connectionId": ROOM},
    ClientEvent.SCHEMA_GET: {"connectionId": "elsewhere"},
    ClientEvent.CONNECTION_JOIN: {"connectionId": ROOM},
    ClientEvent.CONNECTION_LEAVE: {"connectionId": "elsewhere"},
    ClientEvent.HISTORY_GET: {"connectionId": ROOM},
    ClientEvent.SEARCH: {"query": "hi"},
    ClientEvent.ANSWER_CANCEL: {"messageId": str(uuid4())},
    ClientEvent.AUTH_REFRESH: {"token": "x"},
}
FIELDS = (
    *("messageId", "content", "connectionId", "context", "threadId", "status", "upTo", "since"),
    *("epoch", "before", "after", "limit", "query", "userId", "cursor", "token", "emoji", "rev"),
)
SHAPES: tuple[object, ...] = (
    HOSTILE,
    "<b>",
    "a<",
    "é\x1b",
    [HOSTILE],
    {HOSTILE: HOSTILE},
    {"schema": HOSTILE, "tables": [HOSTILE], "config": {HOSTILE: HOSTILE}},
)


async def drive(chat: Chat, database: HeldDatabase, speaker: Listener, other: Listener) -> None:
    """Have everything happen that makes the chat tell somebody something."""
    assert set(GOOD) == set(ClientEvent)
    for event, good in GOOD.items():
        for field in FIELDS:
            for shape in SHAPES:
                fresh = {"messageId": str(uuid4())} if event is ClientEvent.CHAT_MESSAGE else {}
                await speaker.ask(event, {**good, **fresh, field: shape})
        for payload in (HOSTILE, [HOSTILE], None):
            await speaker.ask(event, payload)
        await speaker.peer.emit(event, {**good, "connectionId": HOSTILE})
    await speaker.peer.emit(HOSTILE, HOSTILE)
    hit = await speaker.ask("chat:search", {"query": "img"})
    assert hit["hits"]
    said = next(payload for name, payload in speaker.heard if name == "chat:message")
    await other.ask("chat:ack", {"messageId": said["messageId"]})
    place = {"messageId": said["messageId"], "connectionId": ROOM}
    await speaker.ask("chat:message:edit", {**place, "content": f"again {HOSTILE}"})
    for emoji in (HOSTILE, "<b>", ":done:"):
        await speaker.ask("chat:message:react", {**place, "emoji": emoji, "on": True})
    gone = message(f"gone {HOSTILE}")
    await speaker.ask("chat:message", gone)
    where = {"messageId": gone["messageId"], "connectionId": ROOM}
    await speaker.ask("chat:message:delete", where)
    await speaker.ask("chat:typing:start", {"connectionId": ROOM})
    for number, complaint in enumerate((None, HOSTILE)):
        await speaker.ask("chat:message", message(SQL if complaint is None else f"{SQL} LIMIT 9"))
        call = await called(database, number + 1)
        call.sink.columns([Column(HOSTILE, HOSTILE)])
        call.sink.rows([[HOSTILE]])
        call.end(None if complaint is None else DatabaseFailed(Code.DB_ERROR, complaint))
        await other.until("chat:answer:end", number + 1)
    failed_at = -1
    for number, nearly in enumerate((f"/tabels {HOSTILE}", f"select `{HOSTILE}` form b")):
        await speaker.ask("chat:message", message(nearly))
        await speaker.until("chat:hint", number + 1)
        failed_at -= 1
    history = await other.ask("chat:history:get", {"connectionId": ROOM})
    failed = history["messages"][failed_at]
    assert failed["error"] == failed["answer"]["error"]["message"]
    assert "img" in failed["error"]
    assert failed["answer"]["rows"] == [[HOSTILE]]


async def let_in(chat: Chat, nursery: trio.Nursery, auth: dict[str, object]) -> Listener:
    listener = Listener(await chat.connect(auth))
    nursery.start_soon(listener.listen)
    return listener


@pytest.mark.parametrize("markup", sorted(MARKUPS))
async def test_no_text_that_anybody_is_delivered_is_obeyed(tmp_path: Path, markup: str) -> None:
    async with (
        open_answering(tmp_path, messages={"markup": markup}) as (chat, database),
        trio.open_nursery() as nursery,
    ):
        listeners = [
            await let_in(chat, nursery, auth)
            for auth in (
                {"token": hostile_token("ada"), "reconnectAttempts": HOSTILE},
                {"token": hostile_token("bob"), "connectionId": [HOSTILE, ROOM, "a<b"]},
                {"token": hostile_token("cyd"), "since": {HOSTILE: HOSTILE}, "epoch": HOSTILE},
                {"token": hostile_token("<b>ada</b>")},
                {"token": HOSTILE},
                {"token": hostile_token("dan"), "connectionId": HOSTILE},
            )
        ]
        ada, bob, *_ = listeners
        for one in (ada, bob):
            await one.until("chat:history")
        await drive(chat, database, ada, bob)
        renewed = jwt.decode(hostile_token("ada"), options={"verify_signature": False})
        renewed["connections"] = []
        await ada.ask("auth:refresh", {"token": jwt.encode(renewed, SECRET, "HS256")})
        late = await let_in(chat, nursery, {"token": hostile_token("eve")})
        listeners.append(late)
        await late.until("chat:history")
        chat.parts.chat.dispatcher.drain(0)
        await late.until("connection:status", 2)
        nursery.cancel_scope.cancel()
        packets = [packet for one in listeners for packet in one.heard]
    seen = {name for name, _ in packets}
    assert {str(event) for event in ServerEvent} - seen == UNSEEN_HERE
    assert "40" in seen
    assert "44" in seen
    if markup == "keep":
        packets = [(name, _without_brackets(payload)) for name, payload in packets]
    assert bad(packets) == []
    names = {payload.get("name") for name, payload in packets if name == "chat:message"}
    assert any("ada" in name and "\n" not in name for name in names if name is not None)


def _without_brackets(value: Any) -> Any:
    """Where markup is kept, there is some; what terminals obey is not there all the same."""
    return orjson.loads(orjson.dumps(value).replace(b"<", b"("))


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"name": "<b>"}, ("name",)),
        ({"rooms": [{"title": "a<"}]}, ("rooms", 0, "title")),
        ({"context": {"schema": "\x1b"}}, ("context", "schema")),
        ({"<b>": 1}, ("key",)),
    ],
)
def test_the_judge_sees_it_in_every_field(payload: object, where: tuple[object, ...]) -> None:
    assert [found[1:-1] for found in bad([("x", payload)])] == [where]


def test_rows_and_columns_are_data() -> None:
    assert bad([("x", {"answer": {"rows": [["<b>"]], "columns": [{"name": "<b>"}]}})]) == []
