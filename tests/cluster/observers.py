"""Somebody at each node, not by way of the proxy, who sees what that node shows."""

from collections.abc import Mapping, Sequence

import attrs
import trio

from tests.app.client import Client, token_for
from tests.cluster.histories import Marker, Presence, Row, Typing
from tests.cluster.nodes import SECRET, Cluster, Node

TYPING_LIMIT_S = 8.0  # what was not shown by then is not: typing ends by itself after 10 s
PREFIX = "observer-"
COME_S = 60.0  # within which a node lets observers in
AGAIN_S = 0.3  # between two attempts of that


@attrs.frozen
class Observer:
    node: str
    client: Client
    rooms: Sequence[str]

    @classmethod
    async def at(cls, node: Node, rooms: Sequence[str], nursery: trio.Nursery) -> "Observer":
        """Come to this very node, and be in the rooms; try again, as people do, where the node
        refuses a join for now, as its database was away until now."""
        token = token_for(SECRET, f"{PREFIX}{node.name}", rooms)
        ends_s = trio.current_time() + COME_S
        while True:
            client = await Client.connect(nursery, node.port, token)
            await client.joins_are_over()
            if {told["connectionId"] for told in client.said("chat:history")} >= set(rooms):
                return cls(node.name, client, rooms)
            refused = client.said("chat:error")
            assert refused, client.heard
            assert trio.current_time() < ends_s, f"{refused}\n{node.last_words()}"
            await client.close()
            await trio.sleep(AGAIN_S)

    def presences(self) -> list[Presence]:
        """Whom this node shows by now, other observers apart: where it had nobody in a room before,
        those of other nodes come behind the snapshot."""
        views: dict[str, dict[str, str]] = {}
        for name, told in self.client.heard:
            if name == "presence:snapshot":
                views[told["connectionId"]] = {
                    one["userId"]: one["status"] for one in told["users"]
                }
            elif name == "presence:update":
                views[told["connectionId"]][told["userId"]] = told["status"]
        return [
            Presence(
                self.node,
                room,
                {
                    user: status
                    for user, status in view.items()
                    if status != "offline" and not user.startswith(PREFIX)
                },
            )
            for room, view in views.items()
        ]

    async def log(self) -> Mapping[str, Sequence[Row]]:
        """Each room, whole."""
        return {
            room: [Row.of(shown) for shown in await self.client.whole_room(room)]
            for room in self.rooms
        }

    async def sees_typing(self, user: str, room: str) -> float | None:
        """When this node shows that, in seconds of the test's clock."""
        with trio.move_on_after(TYPING_LIMIT_S):
            await self.client.hear(
                "chat:typing", float("inf"), userId=user, connectionId=room, isTyping=True
            )
            return trio.current_time()
        return None


async def typed(observers: Sequence[Observer], typist: Client, user: str, room: str) -> Typing:
    """Somebody begins to type; when each node shows it, after the first of them."""
    seen: dict[str, float | None] = {}

    async def see(observer: Observer) -> None:
        seen[observer.node] = await observer.sees_typing(user, room)

    async with trio.open_nursery() as nursery:
        for observer in observers:
            nursery.start_soon(see, observer)
        await typist.ask("chat:typing:start", {"connectionId": room})
    await typist.ask("chat:typing:stop", {"connectionId": room})
    first_s = min((at_s for at_s in seen.values() if at_s is not None), default=0.0)
    return Typing({node: None if at_s is None else at_s - first_s for node, at_s in seen.items()})


async def markers(
    cluster: Cluster, users: Mapping[str, Sequence[str]], nursery: trio.Nursery
) -> list[Marker]:
    """What each node says of the markers of these users, in their rooms."""
    found = []
    for user, rooms in users.items():
        for node in cluster.nodes:
            client = await Client.connect(
                nursery, node.port, token_for(SECRET, user, rooms), connectionId=[]
            )
            status = await client.hear("connection:status")
            found += [
                Marker(node.name, user, room["connectionId"], room["readSeq"])
                for room in status["rooms"]
                if room["connectionId"] in rooms
            ]
            await client.close()
    return found
