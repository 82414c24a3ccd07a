"""People who chat over Socket.IO through the proxy, come what may, and note what they see.

A person does one thing at a time, and does it again, with the same ids, at whichever node it comes
to, until that is acknowledged. A node that says nothing for `SILENCE_S` is left for another one, as
far as the proxy gives another one. Whoever comes back says what it has (`since`, `epoch`), and asks
for what was changed meanwhile.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import trio
from trio_websocket import HandshakeError

from tests.app.client import Client, Gone, token_for
from tests.app.client import Refused as RefusedToConnect
from tests.cluster.deeds import Deed, Habits, Will
from tests.cluster.histories import Acked, CaughtUp, Left, Note, Received, Refused, Reread, Row
from tests.cluster.memory import RECENT, Memory
from tests.cluster.nodes import SECRET

SILENCE_S: Final = 2.5
"""Seconds after which a person takes a node for dead."""
CATCH_UP_S: Final = 12.0
"""The same for a join, which brings what was missed, and waits for a database that is away."""
GOODBYE_S: Final = 1.5
AGAIN_S: Final = 0.3  # between two attempts to come in
EXPECTED: Final = {("chat:message:react", "message_deleted")}
"""What is refused for good, and no fault: its author deletes what somebody reacts to."""


@attrs.define(eq=False)
class Person:
    user: str
    rooms: Sequence[str]
    memory: Memory
    _port: int
    _habits: Habits
    _chance: random.Random
    _will: Will
    refusals: Counter[str] = attrs.field(factory=Counter)  # to be tried again, by code
    _under_way: Deed | None = None
    _stays: bool = False  # does nothing new, and goes nowhere by itself

    @classmethod
    def new(
        cls, user: str, rooms: Sequence[str], port: int, habits: Habits, seed: int, began_s: float
    ) -> "Person":
        chance = random.Random(f"{seed} {user}")
        memory = Memory(rooms, began_s)
        will = Will(user, rooms, habits, memory, chance)
        return cls(user, rooms, memory, port, habits, chance, will)

    @property
    def notes(self) -> Sequence[Note]:
        return self.memory.notes

    async def live(self) -> None:
        """Chat, until cancelled."""
        while True:
            away_s = await self._visit()
            self.memory.node = ""
            self.memory.news.unpark_all()
            if self._stays:
                await trio.sleep(AGAIN_S)  # between two attempts
            else:
                with trio.move_on_after(away_s):  # as long as it is away; `settle` calls it back
                    while not self._stays:
                        await self.memory.news.park()

    def settle(self) -> None:
        """Finish what is under way, do nothing new, and stay."""
        self._stays = True
        self.memory.news.unpark_all()

    async def settled(self) -> None:
        """Return when it is in, has caught up, and nothing is under way."""
        while self._under_way is not None or not (self.memory.node and self.memory.is_current):
            await self.memory.news.park()

    async def has(self, room: str, seq: int, rev: int) -> None:
        """Return when that much of the room has come, and its changes up to that one."""
        while self.memory.since.get(room, 0) < seq or self.memory.revs.get(room, 0) < rev:
            await self.memory.news.park()

    async def _visit(self) -> float:
        """Be with a node for a while; the seconds until the next visit."""
        away_s = AGAIN_S * (0.5 + self._chance.random())
        try:
            async with trio.open_nursery() as nursery:
                client = await self._come(nursery)
                if client is not None and await self._see(client):
                    away_s = self._chance.uniform(*self._habits.away_s)
                nursery.cancel_scope.cancel()
        except* HandshakeError:  # the proxy has no node; a task of trio-websocket says so
            pass
        return away_s

    async def _come(self, nursery: trio.Nursery) -> Client | None:
        self.memory.begin()
        auth: dict[str, Any] = {
            "connectionId": list(self.rooms),
            "since": self.memory.sent_since,
        }
        if self.memory.epoch is not None:
            auth["epoch"] = self.memory.epoch
        token = token_for(SECRET, self.user, self.rooms)
        try:
            with trio.fail_after(SILENCE_S):
                client = await Client.connect(nursery, self._port, token, **auth)
        except (RefusedToConnect, OSError):
            return None
        except (Gone, trio.TooSlowError):  # a slow node may have let it in all the same
            self.memory.note(Left(self.memory.now_s(), is_clean=False))
            return None
        self.memory.node = client.packets[0].partition('"sid":"')[2].partition(".")[0]
        client.tell(self.memory.hear)
        return client

    async def _see(self, client: Client) -> bool:
        """Whether it goes for long."""
        is_leaving = is_clean = False
        try:
            is_leaving = await self._stay(client)
            is_clean = await self._say_goodbye(client)
        except (Gone, trio.TooSlowError):
            pass
        self.memory.note(Left(self.memory.now_s(), is_clean))
        return is_leaving

    async def _say_goodbye(self, client: Client) -> bool:
        with trio.move_on_after(GOODBYE_S):
            await client.close()
            return True
        return False

    async def _stay(self, client: Client) -> bool:
        """Catch up, and do one thing after the other until it is time to go, whether for long.
        Raises `Gone` and `TooSlowError`, where there is nobody any more."""
        await self._catch_up(client)
        while True:
            if self._under_way is None:
                await self._rest(client)
                self._under_way = None if self._stays else self._will.next()
            if self._under_way is not None and not await self._do(client, self._under_way):
                return False
            if not self._stays:
                if self._chance.random() < self._habits.moves:
                    return False
                if self._chance.random() < self._habits.leaves and await self._receive(client):
                    self.memory.forget_rooms()
                    return True

    async def _catch_up(self, client: Client) -> None:
        await client.joins_are_over(CATCH_UP_S)
        if self.memory.is_kept_out or self.memory.entered != set(self.rooms):
            self.refusals["connection:join"] += 1
            raise Gone  # it tries again at the next visit
        self.memory.note(CaughtUp())
        if self.memory.has_started_over and self._under_way is not None:
            self.memory.has_started_over = False
            if self._under_way.event != "chat:message":  # what it is about may be gone
                self._under_way = None
        for room in self.rooms:
            if room in self.memory.sent_since and room in self.memory.revs:
                await self._reread(client, room)
        self.memory.is_caught_up()
        await self._receive(client)

    async def _reread(self, client: Client, room: str) -> None:
        """Ask for what was changed while it was away."""
        rows: list[Row] = []
        after, is_more = self.memory.revs[room], True
        while is_more:
            wanted = {"connectionId": room, "changedAfter": after, "limit": 200}
            page = await client.ask("chat:history:get", wanted, CATCH_UP_S)
            if not page["ok"]:
                raise Gone
            rows += map(Row.of, page["messages"])
            after, is_more = (rows[-1].rev if rows else after), page["hasMore"]
        self.memory.note(Reread(room, rows))

    async def _receive(self, client: Client) -> bool:
        """Acknowledge all that came as received, so that nothing is owed; whether that was kept."""
        for room, message_id in list(self.memory.newest.items()):
            seq = self.memory.since[room]
            ack = {"messageId": message_id, "upTo": True}
            if not (await client.ask("chat:ack", ack, SILENCE_S))["ok"]:
                return False
            self.memory.note(Received(room, seq))
        return True

    async def _rest(self, client: Client) -> None:
        pause_s = self._habits.pause_s * 2 * self._chance.random()
        with trio.move_on_after(float("inf") if self._stays else pause_s):
            await client.gone(within_s=float("inf"))
            raise Gone

    async def _do(self, client: Client, deed: Deed) -> bool:
        """Do it, and whether that is worth another try here."""
        ack = await client.ask(deed.event, deed.payload, SILENCE_S)
        if ack["ok"]:
            self._done(deed, ack)
        elif (error := ack["error"])["retryable"]:
            self.refusals[error["code"]] += 1
            return False
        elif (deed.event, error["code"]) not in EXPECTED:
            self.memory.note(Refused(deed.event, error["code"], self.memory.now_s()))
        self._under_way = None
        self.memory.news.unpark_all()
        return True

    def _done(self, deed: Deed, ack: Mapping[str, Any]) -> None:
        if deed.event == "chat:message":
            room, message_id = deed.payload["connectionId"], deed.payload["messageId"]
            is_question = ack.get("question", False)
            assert self.memory.epoch is not None
            self.memory.note(
                Acked(
                    *(room, message_id, ack["seq"], self.memory.epoch),
                    *(self.memory.now_s(), is_question),
                )
            )
            if not is_question:
                self.memory.mine = [*self.memory.mine[-RECENT:], (room, message_id)]
        elif deed.done is not None:
            self.memory.note(deed.done)
