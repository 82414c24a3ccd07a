"""Presence and typing of nodes in one process, with clients that remember what they were sent."""

from collections.abc import Collection
from typing import Any, ClassVar

import attrs
import orjson
import trio

from chatd.actors.loop import run_machine
from chatd.actors.mailbox import Mailbox
from chatd.chat import presence, typing
from chatd.chat.markup import MARKUPS
from chatd.chat.presence import Declare, Presence
from chatd.chat.typing import StartTyping, StopTyping, Typing
from chatd.engine.outgoing import Outgoing
from chatd.service.local_presence_store import LocalPresenceStore
from chatd.service.shared_presence_roster import SharedPresenceRoster
from chatd.service.shared_typing_roster import SharedTypingRoster
from chatd.wire.names import PresenceStatus
from tests.service.cluster import Node


@attrs.define
class Named:
    """Whom a token names."""

    user_id: str
    name: str | None


class Answers:
    """The origin of a command."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def acknowledge(self, _ack: object) -> None:
        pass

    refuse = acknowledge


@attrs.define(eq=False)
class Person:
    """A client: what `Client` is for rosters, and what it was shown of its one room."""

    identity: Named
    room: str
    status: PresenceStatus = PresenceStatus.ONLINE
    declared: dict[str, PresenceStatus] | None = None
    shown: dict[str, tuple[str, str | None]] = attrs.field(factory=dict)
    seen_ms: dict[str, int] = attrs.field(factory=dict)
    typing: set[str] = attrs.field(factory=set)
    told: list[tuple[str, str]] = attrs.field(factory=list)  # changes of presence: user and status
    is_unseen: ClassVar[bool] = False

    @property
    def user_id(self) -> str:
        return self.identity.user_id

    @property
    def socket(self) -> Any:
        return self

    @property
    def rooms(self) -> tuple[str, ...]:
        return (self.room,)

    def send_catch_up(self, outgoing: Outgoing) -> None:
        self.take(outgoing)

    def take(self, outgoing: Outgoing) -> None:
        name, payload = orjson.loads(outgoing.text[2:])
        match name:
            case "presence:snapshot":
                self.shown, self.seen_ms = {}, {}
                for user in payload["users"]:
                    self._see(user)
            case "presence:update":
                self.told.append((payload["userId"], payload["status"]))
                self._see(payload)
            case "chat:typing":
                if payload["isTyping"]:
                    self.typing.add(payload["userId"])
                else:
                    self.typing.discard(payload["userId"])

    def _see(self, user: dict[str, Any]) -> None:
        self.seen_ms[user["userId"]] = user["lastSeen"]
        if user["status"] == "offline":
            self.shown.pop(user["userId"], None)
        else:
            self.shown[user["userId"]] = user["status"], user.get("name")


class _Shown:
    """What stands for `Volatile`: everybody in a room keeps up."""

    def __init__(self, chat: "Chat") -> None:
        self._chat = chat

    def join(self, person: Person, _room: str) -> None:
        self._chat.entered.append(person)

    def leave(self, person: Person, _room: str) -> None:
        self._chat.entered.remove(person)

    def broadcast_presence(self, room: str, outgoing: Outgoing, but: object) -> None:
        for person in self._chat.entered:
            if person.room == room and person is not but:
                person.take(outgoing)

    def broadcast_typing(self, room: str, outgoing: Outgoing, typist: str) -> None:
        for person in self._chat.entered:
            if person.room == room and person.user_id != typist:
                person.take(outgoing)


class Chat:
    """One node, and the people on it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.people: list[Person] = []
        self.entered: list[Person] = []
        self.presence_mailbox: Mailbox[presence.Command] = Mailbox(10_000)
        self.typing_mailbox: Mailbox[typing.Command] = Mailbox(10_000)
        volatile: Any = _Shown(self)
        clients: Any = self
        markup = MARKUPS["keep"]
        self.typing_roster = SharedTypingRoster(
            self.typing_mailbox,
            LocalPresenceStore(),
            volatile,
            Typing(),
            markup,
            node.clock,
            node.signals,
            node.nodes,
        )
        self.presence_roster = SharedPresenceRoster(
            self.presence_mailbox,
            LocalPresenceStore(),
            volatile,
            clients,
            self.typing_roster,
            Presence(),
            markup,
            node.clock,
            node.signals,
            node.nodes,
            node.shared,
        )

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.node.run)
            nursery.start_soon(self._presence)
            nursery.start_soon(self._typing)

    async def _presence(self) -> None:
        machine = self.presence_roster.revive(trio.current_time())
        wall_ms = self.node.clock.wall_ms
        await run_machine(machine, self.presence_mailbox, self.presence_roster, wall_ms)

    async def _typing(self) -> None:
        machine = self.typing_roster.revive(trio.current_time())
        wall_ms = self.node.clock.wall_ms
        await run_machine(machine, self.typing_mailbox, self.typing_roster, wall_ms)

    async def enter(
        self,
        user_id: str,
        room: str = "sales",
        name: str | None = None,
        declared: PresenceStatus | None = None,
    ) -> Person:
        person = Person(Named(user_id, name), room)
        if declared is not None:
            person.status, person.declared = declared, {room: declared}
        if not any(one.room == room for one in self.people):
            await self.node.signals.hold(room)
        self.people.append(person)
        client: Any = person
        self.presence_roster.enter(client, room)
        self.typing_roster.enter(client, room)
        return person

    def leave(self, person: Person) -> None:
        client: Any = person
        self.people.remove(person)
        self.presence_roster.depart(client, person.room)
        self.typing_roster.depart(client, person.room)
        if not any(one.room == person.room for one in self.people):
            self.node.signals.release(person.room)

    def declare(self, person: Person, status: PresenceStatus) -> None:
        client: Any = person
        self.presence_roster.declare(client, Declare(Answers(client), person, person.room, status))

    def type(self, person: Person) -> None:
        origin = Answers(person)
        self.typing_roster.submit(
            StartTyping(origin, person, person.room, person.user_id, person.identity.name)
        )

    def pause(self, person: Person) -> None:
        self.typing_roster.submit(StopTyping(Answers(person), person, person.room))

    # What stands for `Clients`

    def of(self, user_id: str) -> Collection[Person]:
        return [one for one in self.people if one.user_id == user_id]

    def everybody(self) -> list[Person]:
        return self.people
