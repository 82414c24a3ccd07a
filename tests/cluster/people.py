"""People who chat over Socket.IO through the proxy, come what may, and note what they see.

A person does one thing at a time, and does it again, with the same ids, at whichever node it comes
to, until that is acknowledged. A node that says nothing for `SILENCE_S` is left for another one, as
far as the proxy gives another one. Whoever comes back says what it has (`since`, `epoch`), and asks
for what was changed meanwhile, as the protocol's document has it.
"""

import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import trio
from trio_websocket import HandshakeError

from tests.app.client import Client, Gone, Refused, message, token_for
from tests.cluster.histories import (
    Acked,
    CaughtUp,
    ChangeAcked,
    Changed,
    Changing,
    Ended,
    Joined,
    Left,
    Live,
    Note,
    Page,
    Reading,
    Received,
    Reread,
    Row,
    Stage,
    Tried,
)
from tests.cluster.histories import Refused as RefusedForGood
from tests.cluster.nodes import SECRET

SILENCE_S: Final = 2.5
"""Seconds after which a person takes a node for dead."""
CATCH_UP_S: Final = 12.0
"""The same for a join, which brings what was missed, and waits for a database that is away."""
GOODBYE_S: Final = 1.5
AGAIN_S: Final = 0.3  # between two attempts to come in
RECENT: Final = 20  # messages that somebody still edits, or reacts to
THUMB: Final = "\N{THUMBS UP SIGN}"
CHANGES: Final = {
    "chat:message:edited": Stage.EDITED,
    "chat:message:deleted": Stage.DELETED,
    "chat:message:reaction": None,
}
NOBODYS_ROOM: Final = {"connectionId": "a room that is not there"}
SHORT_QUESTION: Final = "SELECT count(*) FROM shop WHERE n <> {number}"
LONG_QUESTION: Final = (
    "WITH RECURSIVE r(n) AS (SELECT {number} UNION ALL SELECT n + 1 FROM r LIMIT 1000000) "
    "SELECT max(n) FROM r"
)
"""It takes about a second, in which a node may die."""


@attrs.frozen
class Habits:
    """What somebody does how often; chances are of each thing done."""

    pause_s: float = 0.35  # between two things, on average
    moves: float = 0.0  # comes back by way of the proxy, at once
    leaves: float = 0.0  # is away, for a while, and has forgotten everything when it comes back
    asks: float = 0.0
    away_s: tuple[float, float] = (4.0, 9.0)


@attrs.frozen
class Deed:
    """One thing to do, until it is done: an event, and the note of its success."""

    event: str
    payload: Mapping[str, Any]
    done: Note | None = None


@attrs.define(eq=False)
class Person:
    user: str
    rooms: Sequence[str]
    port: int
    habits: Habits
    chance: random.Random
    began_s: float
    notes: list[Note] = attrs.field(factory=list)
    node: str = ""  # where it is; empty while it is nowhere
    since: dict[str, int] = attrs.field(factory=dict)
    epoch: str | None = None
    refusals: dict[str, int] = attrs.field(factory=dict)  # to be tried again, by code
    _revs: dict[str, int] = attrs.field(factory=dict)  # all changes up to there are known
    _heard_revs: dict[str, int] = attrs.field(factory=dict)  # in this session
    _is_current: bool = False  # what was changed before this session is known
    _newest: dict[str, str] = attrs.field(factory=dict)  # the id of the message at `since`
    _mine: list[tuple[str, str]] = attrs.field(factory=list)  # (room, id), not edited yet
    _edited: list[tuple[str, str]] = attrs.field(factory=list)
    _others: list[tuple[str, str]] = attrs.field(factory=list)
    _under_way: Deed | None = None
    _stays: bool = False  # does nothing new, and goes nowhere by itself
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _asked_s: float = 0.0
    _sent_since: dict[str, int] = attrs.field(factory=dict)
    _count: int = 0

    # The run.

    async def live(self) -> None:
        """Chat, until cancelled."""
        while True:
            away_s = await self._visit()
            self.node = ""
            self._news.unpark_all()
            if not self._stays:
                with trio.move_on_after(away_s):  # as long as it is away; the end calls it back
                    while not self._stays:
                        await self._news.park()
            else:
                await trio.sleep(AGAIN_S)  # between two attempts

    def settle(self) -> None:
        """Finish what is under way, do nothing new, and stay."""
        self._stays = True
        self._news.unpark_all()

    async def settled(self) -> None:
        """Return when it is in, has caught up, and nothing is under way."""
        while self._under_way is not None or not (self.node and self._is_current):
            await self._news.park()

    async def has(self, room: str, seq: int) -> None:
        """Return when that much of the room has come."""
        while self.since.get(room, 0) < seq:
            await self._news.park()

    async def _visit(self) -> float:
        """Be with a node for a while; the seconds until the next visit."""
        away_s = AGAIN_S * (0.5 + self.chance.random())
        try:
            async with trio.open_nursery() as nursery:
                client = await self._come(nursery)
                if client is not None and await self._see(client):
                    away_s = self.chance.uniform(*self.habits.away_s)
                nursery.cancel_scope.cancel()
        except* HandshakeError:  # the proxy has no node; a task of trio-websocket says so
            pass
        return away_s

    async def _see(self, client: Client) -> bool:
        """Whether it goes for long."""
        is_leaving = is_clean = False
        try:
            is_leaving = await self._stay(client)
            is_clean = await self._say_goodbye(client)
        except (Gone, trio.TooSlowError):
            pass
        self._note(Left(self._now_s(), is_clean))
        return is_leaving

    async def _come(self, nursery: trio.Nursery) -> Client | None:
        self._asked_s, self._sent_since = self._now_s(), dict(self.since)
        auth: dict[str, Any] = {"connectionId": list(self.rooms), "since": self._sent_since}
        if self.epoch is not None:
            auth["epoch"] = self.epoch
        token = token_for(SECRET, self.user, self.rooms)
        try:
            with trio.fail_after(SILENCE_S):
                client = await Client.connect(nursery, self.port, token, **auth)
        except (Gone, Refused, OSError, trio.TooSlowError):
            return None
        self.node = client.packets[0].partition('"sid":"')[2].partition(".")[0]
        self._is_current = False
        self._heard_revs = {}
        client.tell(self._hear)
        return client

    async def _say_goodbye(self, client: Client) -> bool:
        with trio.move_on_after(GOODBYE_S):
            await client.close()
            return True
        return False

    # What it does.

    async def _stay(self, client: Client) -> bool:
        """Catch up, and do one thing after the other until it is time to go, whether for long.
        Raises `Gone` and `TooSlowError`, where there is nobody any more."""
        await self._catch_up(client)
        while True:
            deed = self._under_way
            if deed is None:
                await self._rest(client)
                deed = self._under_way = None if self._stays else self._next()
            if deed is not None and not await self._do(client, deed):
                return False
            if not self._stays:
                if self.chance.random() < self.habits.moves:
                    return False
                if self.chance.random() < self.habits.leaves and await self._is_even(client):
                    self.since, self._revs = {}, {}
                    return True

    async def _catch_up(self, client: Client) -> None:
        await client.ask("connection:leave", NOBODYS_ROOM, CATCH_UP_S)  # waits for the joins
        self._note(CaughtUp())
        for room in self.rooms:
            if room in self._sent_since and room in self._revs:
                await self._reread(client, room)
        for room, rev in self._heard_revs.items():
            self._revs[room] = max(rev, self._revs.get(room, 0))
        self._is_current = True
        self._news.unpark_all()
        await self._receive(client)

    async def _reread(self, client: Client, room: str) -> None:
        """Ask for what was changed while it was away."""
        rows: list[Row] = []
        after, is_more = self._revs[room], True
        while is_more:
            wanted = {"connectionId": room, "changedAfter": after, "limit": 200}
            page = await client.ask("chat:history:get", wanted, CATCH_UP_S)
            if not page["ok"]:
                raise Gone  # it tries again at the next visit
            rows += map(Row.of, page["messages"])
            after, is_more = (rows[-1].rev if rows else after), page["hasMore"]
        self._note(Reread(room, rows))

    async def _receive(self, client: Client) -> bool:
        """Acknowledge all that came as received; whether that was kept."""
        for room, message_id in list(self._newest.items()):
            seq = self.since[room]
            ack = {"messageId": message_id, "upTo": True}
            if not (await client.ask("chat:ack", ack, SILENCE_S))["ok"]:
                return False
            self._note(Received(room, seq))
        return True

    async def _is_even(self, client: Client) -> bool:
        """Whether nothing is owed any more, before it goes."""
        return await self._receive(client)

    async def _rest(self, client: Client) -> None:
        pause_s = self.habits.pause_s * 2 * self.chance.random()
        with trio.move_on_after(float("inf") if self._stays else pause_s):
            await client.gone(within_s=float("inf"))
            raise Gone

    def _next(self) -> Deed:
        room = self.chance.choice(self.rooms)
        fate = self.chance.random()
        if fate < self.habits.asks:
            question = self.chance.choice((SHORT_QUESTION, LONG_QUESTION)).format(
                number=self._count
            )
            return self._message(self.rooms[0], question)
        if fate < 0.66:
            return self._message(room, f"{self.user} says {self._count}")
        if fate < 0.74 and self._mine:
            where, message_id = self._mine.pop()
            self._edited.append((where, message_id))
            content = f"{self.user} means {self._count}"
            return self._change("edit", where, message_id, Stage.EDITED, content)
        if fate < 0.77 and len(self._edited) > RECENT // 4:
            where, message_id = self._edited.pop(0)
            return self._change("delete", where, message_id, Stage.DELETED)
        if fate < 0.86 and self._others:
            where, message_id = self._others.pop()
            return self._react(where, message_id)
        if fate < 0.96 and self.since.get(room):
            seq = self.since[room]
            self._note(Reading(room, seq, is_acked=False))
            payload = {"connectionId": room, "seq": seq}
            return Deed("chat:read", payload, Reading(room, seq, is_acked=True))
        return self._message(room, f"{self.user} adds {self._count}")

    def _message(self, room: str, content: str) -> Deed:
        self._count += 1
        written = message(content, room, str(uuid.UUID(int=self.chance.getrandbits(128))))
        self._note(Tried(room, written["messageId"], content, self._now_s()))
        return Deed("chat:message", written)

    def _change(
        self, what: str, room: str, message_id: str, stage: Stage, content: str = ""
    ) -> Deed:
        self._count += 1
        self._note(Changing(message_id, stage, content))
        payload = {"messageId": message_id, "connectionId": room}
        if stage is Stage.EDITED:
            payload["content"] = content
        return Deed(f"chat:message:{what}", payload, ChangeAcked(message_id, stage))

    def _react(self, room: str, message_id: str) -> Deed:
        self._note(Changing(message_id, reaction=THUMB))
        payload = {"messageId": message_id, "connectionId": room, "emoji": THUMB, "on": True}
        return Deed("chat:message:react", payload, ChangeAcked(message_id, reaction=THUMB))

    async def _do(self, client: Client, deed: Deed) -> bool:
        """Do it, and whether that is worth another try here."""
        ack = await client.ask(deed.event, deed.payload, SILENCE_S)
        if ack["ok"]:
            self._done(deed, ack)
        elif (error := ack["error"])["retryable"]:
            self.refusals[error["code"]] = self.refusals.get(error["code"], 0) + 1
            return False
        else:
            # Its author may have deleted what somebody reacts to.
            if error["code"] != "message_deleted":
                now_s = self._now_s()
                self._note(RefusedForGood(deed.event, error["code"], now_s))
            self._finish()
        return True

    def _done(self, deed: Deed, ack: Mapping[str, Any]) -> None:
        if deed.event == "chat:message":
            room, message_id = deed.payload["connectionId"], deed.payload["messageId"]
            is_question = ack.get("question", False)
            assert self.epoch is not None
            now_s = self._now_s()
            self._note(Acked(room, message_id, ack["seq"], self.epoch, now_s, is_question))
            if not is_question:
                self._mine = [*self._mine[-RECENT:], (room, message_id)]
        elif deed.done is not None:
            self._note(deed.done)
        self._finish()

    def _finish(self) -> None:
        self._under_way = None
        self._news.unpark_all()

    # What it hears.

    def _now_s(self) -> float:
        return trio.current_time() - self.began_s

    def _note(self, note: Note) -> None:
        self.notes.append(note)

    def _hear(self, name: str, payload: Any) -> None:
        match name:
            case "connection:status" if payload["status"] == "connected":
                self._enter(payload)
            case "chat:history":
                self._page(payload)
            case "chat:message":
                row, room = Row.of(payload), payload["connectionId"]
                is_replay = "replay" in payload
                self._note(Live(room, row, is_replay, self._now_s()))
                if not is_replay:
                    self._came(room, row)
            case "chat:answer:end":
                self._note(Ended(payload["replyTo"], payload["messageId"], payload["state"]))
            case _ if name in CHANGES:
                self._changed(payload, CHANGES[name])
        self._news.unpark_all()

    def _enter(self, status: Mapping[str, Any]) -> None:
        if self.epoch not in (None, status["epoch"]):
            self._forget()
        self.epoch = status["epoch"]
        owed = {
            room["connectionId"]: room["owed"]
            for room in status["rooms"]
            if room["connectionId"] in self.rooms
        }
        now_s = self._now_s()
        since = dict(self._sent_since)
        self._note(Joined(self.node, status["epoch"], self._asked_s, now_s, since, owed))

    def _forget(self) -> None:
        """The log is another one: nothing of the last one is of use."""
        for kept in (self.since, self._revs, self._newest, self._sent_since):
            kept.clear()
        for ids in (self._mine, self._edited, self._others):
            ids.clear()
        if self._under_way is not None and self._under_way.event != "chat:message":
            self._under_way = None

    def _page(self, page: Mapping[str, Any]) -> None:
        room = page["connectionId"]
        rows = [Row.of(shown) for shown in page["messages"]]
        is_reset = "reset" in page
        self._note(Page(room, rows, is_reset, page["lastRev"], self._now_s()))
        if is_reset:
            self.since.pop(room, None)
            self._revs.pop(room, None)
        self._heard_revs[room] = max(page["lastRev"], self._heard_revs.get(room, 0))
        for row in rows:
            self._came(room, row)

    def _came(self, room: str, row: Row) -> None:
        self.since[room] = row.seq
        self._newest[room] = row.message_id
        if row.user_id != self.user and not row.reply_to:
            self._others = [*self._others[-RECENT:], (room, row.message_id)]

    def _changed(self, payload: Mapping[str, Any], stage: Stage | None) -> None:
        room, rev = payload["connectionId"], payload["rev"]
        reaction = None if stage is not None else (payload["emoji"], payload["userId"])
        self._note(
            Changed(
                *(room, payload["seq"], payload["messageId"], rev, stage),
                *(payload.get("content", ""), reaction, self._now_s()),
            )
        )
        self._heard_revs[room] = max(rev, self._heard_revs.get(room, 0))
        if self._is_current:
            self._revs[room] = max(rev, self._revs.get(room, 0))
