"""What a client knows, from the events that it was sent and nothing else.

A view that began with a catch-up and took every event that followed is what a catch-up now would
show. Whatever must not happen on the way fails at once: a seq twice, a hole, a live message out of
its place.
"""

from typing import Any

import attrs

from tests.service.chats import MemoryPeer


@attrs.define
class RoomView:
    """One room: messages by seq as (messageId, userId, content), who is seen, who is typing."""

    messages: dict[int, tuple[str, str, str]] = attrs.field(factory=dict)
    presence: dict[str, str] = attrs.field(factory=dict)
    typing: set[str] = attrs.field(factory=set)
    is_entered: bool = False


@attrs.define(eq=False)
class View:
    """A client's whole state; it outlives its sockets. Nothing that was delivered is ever undone,
    as a page may have been read before the receipt that overtook it."""

    user_id: str
    rooms: dict[str, RoomView] = attrs.field(factory=dict)
    delivered: set[str] = attrs.field(factory=set)
    owed: dict[str, int] = attrs.field(factory=dict)
    last_seqs: dict[str, int] = attrs.field(factory=dict)
    epoch: str | None = None
    errors: list[Any] = attrs.field(factory=list)

    def take(self, peer: MemoryPeer) -> None:
        for name, payload in peer.take_events():
            self.apply(name, payload)

    def hang_up(self) -> None:
        """What is out of date without a socket is forgotten; messages are kept."""
        for room in self.rooms.values():
            room.presence, room.typing, room.is_entered = {}, set(), False

    def since(self) -> dict[str, int]:
        return {name: max(room.messages, default=0) for name, room in self.rooms.items()}

    def apply(self, name: str, payload: dict[str, Any]) -> None:
        match name:
            case "connection:status":
                if payload["status"] == "connected":
                    self.epoch = payload["epoch"]
                    self.owed = {it["connectionId"]: it["owed"] for it in payload["rooms"]}
            case "presence:snapshot":
                room = self.rooms.setdefault(payload["connectionId"], RoomView())
                room.presence = {it["userId"]: it["status"] for it in payload["users"]}
            case "presence:update":
                room = self.rooms[payload["connectionId"]]
                room.presence[payload["userId"]] = payload["status"]
                if payload["status"] == "offline":
                    del room.presence[payload["userId"]]
            case "chat:typing":
                room = self.rooms[payload["connectionId"]]
                change = room.typing.add if payload["isTyping"] else room.typing.discard
                change(payload["userId"])
            case "chat:history":
                self._take_history(payload)
            case "chat:message":
                self._take_message(payload)
            case "chat:message:status":
                assert payload["by"] != self.user_id
                assert payload["messageId"] not in self.delivered, "told once"
                self.delivered.add(payload["messageId"])
            case "connection:left":
                del self.rooms[payload["connectionId"]]
            case "chat:error" | "chat:message:error":
                self.errors.append(payload)

    def _take_history(self, payload: dict[str, Any]) -> None:
        room = self.rooms[payload["connectionId"]]
        if payload.get("reset"):
            room.messages = {}
        for message in payload["messages"]:
            self._keep(room, message)
        room.is_entered = not payload["hasMore"]

    def _take_message(self, payload: dict[str, Any]) -> None:
        room = self.rooms[payload["connectionId"]]
        if not payload.get("replay"):
            assert room.is_entered
            assert payload["seq"] == max(room.messages, default=0) + 1, "live, dense and once"
        self._keep(room, payload)

    def _keep(self, room: RoomView, message: dict[str, Any]) -> None:
        kept = (message["messageId"], message["userId"], message["content"])
        assert room.messages.setdefault(message["seq"], kept) == kept
        if message["status"] == "delivered" and message["userId"] == self.user_id:
            self.delivered.add(message["messageId"])
