"""For every event: what a client knew before, and what it was sent, is what is true after.

Random scripts of several users, each with several sockets, beside a plain record of what they did.
Whoever is there knows at each moment what somebody who comes now is shown, and that is the record.
"""

import random
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.service.chats import NO_ROOM, Chat, MemoryPeer, message, open_chat, token
from tests.service.views import View

ROOMS = ("a", "b")
USERS = ("ann", "bob", "cyd")
SOCKETS = 2  # of a user, at most
STATUSES = ("online", "away", "offline")
ENDS_S = 10.0  # the grace of presence, and how long a start of typing lasts
STEPS = 40
FREE = dict.fromkeys(
    (
        "user_messages_per_minute",
        "socket_messages_per_minute",
        "room_messages_per_minute",
        "user_typing_per_minute",
        "socket_events_per_minute",
    ),
    1e9,
)


@attrs.define(eq=False)
class Device:
    """One socket of a user: its view, and what it does in the rooms that it is in."""

    user: str
    peer: MemoryPeer
    view: View
    granted: tuple[str, ...] = ROOMS
    rooms: set[str] = attrs.field(factory=set)
    status: str = "online"  # what it declared last, in whichever room
    typing_until_s: dict[str, float] = attrs.field(factory=dict)


class World:
    """What is true, by what was done."""

    def __init__(self, chat: Chat, clock: MockClock, chance: random.Random) -> None:
        self.chat = chat
        self.clock = clock
        self.chance = chance
        self.now_s = 0.0
        self.devices: list[Device] = []
        self.gone: list[View] = []  # of devices that hung up, and may come back
        self.statuses: dict[tuple[str, str], str] = {}  # by room and user, while it is there
        self.graces: dict[tuple[str, str], float] = {}  # who has no socket there, and until when
        self.messages: dict[str, list[dict[str, Any]]] = {room: [] for room in ROOMS}
        self.authors: dict[str, str] = {}
        self.delivered: set[str] = set()
        self.told: dict[View, set[str]] = {}  # receipts for authors who were there
        self.owed: dict[tuple[str, str], set[str]] = {}  # members: what they are owed
        self.script: list[str] = []

    def of(self, user: str, room: str) -> list[Device]:
        return [it for it in self.devices if it.user == user and room in it.rooms]

    async def step(self) -> None:
        act = self.chance.choice(
            [self.come, self.hang_up, self.join, self.leave, self.refresh, self.wait, self.wait]
            + [self.say_things] * 9
        )
        self.script.append(act.__name__)
        await act()
        await wait_all_tasks_blocked()
        for device in self.devices:
            device.view.take(device.peer)

    async def come(self) -> None:
        user = self.chance.choice(USERS)
        if sum(device.user == user for device in self.devices) < SOCKETS:
            views = [view for view in self.gone if view.user_id == user]
            view = self.chance.choice([*views, View(user)])
            if view in views:
                self.gone.remove(view)
            await self.connect(user, view)

    async def connect(self, user: str, view: View, **auth: object) -> Device:
        device = Device(user, self.chat.attach(), view)
        if view.epoch is not None:
            auth |= {"since": view.since(), "epoch": view.epoch}
        payload = orjson.dumps({"token": token(user, ROOMS), **auth}).decode()
        await device.peer.say("40" + payload)
        self.devices.append(device)
        for room in ROOMS if "connectionId" not in auth else ():
            self.is_in(device, room)
        return device

    def is_in(self, device: Device, room: str) -> None:
        device.rooms.add(room)
        self.statuses.setdefault((room, device.user), device.status)
        self.graces.pop((room, device.user), None)
        self.owed.setdefault((room, device.user), set())

    def is_out(self, device: Device, room: str) -> None:
        if room in device.rooms:
            device.rooms.remove(room)
            if not self.of(device.user, room):
                self.graces[room, device.user] = self.now_s + ENDS_S
        device.typing_until_s.pop(room, None)

    async def hang_up(self) -> None:
        if self.devices:
            device = self.chance.choice(self.devices)
            await device.peer.say("1")
            for room in ROOMS:
                self.is_out(device, room)
            self.devices.remove(device)
            device.view.hang_up()
            self.gone.append(device.view)

    async def join(self) -> None:
        for device in self.devices[:1]:
            room = self.chance.choice(device.granted)
            await device.peer.emit("connection:join", {"connectionId": room})
            self.is_in(device, room)

    async def leave(self) -> None:
        for device in self.devices[:1]:
            room = self.chance.choice(ROOMS)
            await device.peer.emit("connection:leave", {"connectionId": room})
            device.view.take(device.peer)
            device.view.rooms.pop(room, None)
            self.is_out(device, room)

    async def refresh(self) -> None:
        """A new token, which may take a room away or give it back."""
        for device in self.devices[:1]:
            rooms = self.chance.choice([ROOMS, ROOMS[:1]])
            await device.peer.emit("auth:refresh", {"token": token(device.user, rooms)})
            device.granted = rooms
            for room in set(ROOMS) - set(rooms):
                self.is_out(device, room)
                if not self.of(device.user, room):
                    self.owed.pop((room, device.user), None)

    async def wait(self) -> None:
        seconds = self.chance.choice([0.5, 4.0, ENDS_S + 1.0])
        self.clock.jump(seconds)
        self.now_s += seconds
        for place in [it for it, due_s in self.graces.items() if due_s <= self.now_s]:
            del self.graces[place], self.statuses[place]
        for device in self.devices:
            typing = device.typing_until_s
            device.typing_until_s = {it: due for it, due in typing.items() if due > self.now_s}

    async def say_things(self) -> None:
        """Some events at once, before anything of them is answered; a user is of one mind."""
        minds = {user: self.chance.choice([self.send, self.type]) for user in USERS}
        for _ in range(self.chance.randint(1, 5)):
            speakers = [(device, room) for device in self.devices for room in sorted(device.rooms)]
            if speakers:
                device, room = self.chance.choice(speakers)
                say = self.chance.choice([self.acknowledge, self.declare, minds[device.user]])
                name, payload = say(device, room)
                self.script.append(f"{device.user} {name} {payload}")
                text = "42" + orjson.dumps([name, payload]).decode()
                assert device.peer.session.receive(text) is None, "nothing has to wait"

    def send(self, device: Device, room: str) -> tuple[str, object]:
        sent = message(f"message {len(self.authors)}", room=room)
        message_id = str(sent["messageId"])
        self.messages[room].append(sent)
        self.authors[message_id] = device.user
        for (where, member), owed in self.owed.items():
            if where == room and member != device.user and not self.of(member, room):
                owed.add(message_id)
        for own in self.of(device.user, room):
            own.typing_until_s.pop(room, None)
        return "chat:message", sent

    def acknowledge(self, device: Device, room: str) -> tuple[str, object]:
        shown = device.view.rooms[room].messages
        if not shown:
            return self.declare(device, room)
        last, up_to = self.chance.choice(sorted(shown)), self.chance.random() < 0.5
        seqs = [seq for seq in shown if seq == last or (up_to and seq < last)]
        ids = {shown[seq][0] for seq in seqs}
        for one in ids - self.delivered:
            if self.authors[one] != device.user:
                self.delivered.add(one)
                for it in self.devices:
                    if it.user == self.authors[one] and room in it.granted:
                        self.told.setdefault(it.view, set()).add(one)
        self.owed[room, device.user] -= ids
        return "chat:ack", {"messageId": shown[last][0], "upTo": up_to}

    def type(self, device: Device, room: str) -> tuple[str, object]:
        if self.chance.random() < 0.6:
            if self.statuses[room, device.user] != "offline":
                device.typing_until_s[room] = self.now_s + ENDS_S
            return "chat:typing:start", {"connectionId": room}
        device.typing_until_s.pop(room, None)
        return "chat:typing:stop", {"connectionId": room}

    def declare(self, device: Device, room: str) -> tuple[str, object]:
        device.status = self.statuses[room, device.user] = self.chance.choice(STATUSES)
        for own in self.of(device.user, room) if device.status == "offline" else ():
            own.typing_until_s.pop(room, None)
        return "presence:update", {"connectionId": room, "status": device.status}

    async def check(self) -> None:
        """Who comes now is shown what is true; who is there knew it, but of itself."""
        newcomer = await self.connect("zed", View("zed"))
        await wait_all_tasks_blocked()
        for device in self.devices:
            device.view.take(device.peer)
            assert device.view.errors == [], self.script
        for room in ROOMS:
            shown = newcomer.view.rooms[room]
            contents = [sent["content"] for sent in self.messages[room]]
            assert sorted(content for _, _, content in shown.messages.values()) == sorted(contents)
            true = {user: status for (it, user), status in self.statuses.items() if it == room}
            assert shown.presence == {it: one for it, one in true.items() if one != "offline"}
            typing = {it.user for it in self.devices if room in it.typing_until_s}
            assert shown.typing == typing, self.script
            for device in self.devices:
                if room not in device.rooms:
                    continue
                view = device.view.rooms[room]
                assert view.messages == shown.messages
                assert view.typing == typing - {device.user}
                others = {it: one for it, one in shown.presence.items() if it != device.user}
                assert {**view.presence, device.user: None} == {**others, device.user: None}
                assert self.told.get(device.view, set()) <= device.view.delivered <= self.delivered
        await self.check_owed()
        await newcomer.peer.say("1")
        self.devices.remove(newcomer)
        for room in ROOMS:
            self.statuses.pop((room, "zed"), None)
            self.owed.pop((room, "zed"), None)

    async def check_owed(self) -> None:
        for user in USERS:
            looking = await self.connect(user, View(user), connectionId=NO_ROOM)
            await wait_all_tasks_blocked()
            looking.view.take(looking.peer)
            owed = {room: len(self.owed.get((room, user), ())) for room in ROOMS}
            assert looking.view.owed == owed, self.script
            await looking.peer.say("1")
            self.devices.remove(looking)


@pytest.mark.parametrize("seed", range(30))
async def test_what_was_known_and_what_was_sent_is_what_is_true(
    tmp_path: Path, mock_clock: MockClock, seed: int
) -> None:
    server: dict[str, object] = {"ping_timeout_s": 1e6}
    limits: dict[str, object] = {**FREE}
    messages: dict[str, object] = {"history_on_join": 1_000}  # the log in memory gives no pages
    async with open_chat(
        tmp_path, in_memory=True, server=server, limits=limits, messages=messages
    ) as chat:
        world = World(chat, mock_clock, random.Random(seed))
        for _ in range(3):
            for _ in range(STEPS):
                await world.step()
            await world.check()
