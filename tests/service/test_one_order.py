"""Fifty clients write to one room at once, and all readers see one order."""

import random
from pathlib import Path
from typing import Any

import trio

from tests.service.chats import ROOM, Chat, ChatPeer, connected, message, open_chat, token

SENDERS = 50
EACH = 6
ALL = SENDERS * EACH
PAGE = 40
FREE: dict[str, object] = dict.fromkeys(
    (
        "user_messages_per_minute",
        "socket_messages_per_minute",
        "room_messages_per_minute",
        "socket_events_per_minute",
        "sockets_per_user",
    ),
    1e9,
)

Order = list[tuple[int, str]]  # what a reader has, as it came: seq and messageId


def place(told: dict[str, Any]) -> tuple[int, str]:
    return told["seq"], told["messageId"]


async def write(peer: ChatPeer, live: Order, acked: dict[str, int]) -> None:
    """Send all messages at once, and read until those of everybody have come."""
    ids = {}
    for number in range(EACH):
        sent = message(f"message {number}")
        ids[await peer.ask("chat:message", sent)] = str(sent["messageId"])
    while len(live) < ALL or ids:
        name, payload = await peer.packet()
        if name == "chat:message":
            live.append(place(payload))
        elif name in ids:
            acked[ids.pop(name)] = payload["seq"]


async def resume(chat: Chat, user_id: str, since: int, last: int) -> Order:
    """Come back with what one has up to `since`; all that comes until `last` has."""
    auth = {"since": {ROOM: since}, "epoch": chat.store.epoch}
    peer = await chat.connect({"token": token(user_id), **auth})
    await connected(peer)
    order: Order = []
    while not order or order[-1][0] < last:
        name, payload = await peer.packet()
        if name == "chat:history":
            order += map(place, payload["messages"])
        elif name == "chat:message" and not payload.get("replay"):
            order.append(place(payload))
    await peer.peer.send("1")
    await peer.ended()
    return order


async def come_and_go(chat: Chat, user_id: str, order: Order, chance: random.Random) -> None:
    """A reader that never stays long, and takes up each time where it left."""
    while len(order) < ALL:
        since = order[-1][0] if order else 0
        order += await resume(chat, user_id, since, min(ALL, since + chance.randint(1, 60)))


async def pages(peer: ChatPeer, step: str) -> Order:
    """The whole room in pages, oldest first, asked for in one direction."""
    order: Order = []
    has_more = True
    while has_more:
        wanted: dict[str, object] = {"connectionId": ROOM, "limit": PAGE}
        if step == "after":
            wanted["after"] = order[-1][0] if order else 0
        elif order:
            wanted["before"] = order[0][0]
        page = await peer.call("chat:history:get", wanted)
        found = list(map(place, page["messages"]))
        order = order + found if step == "after" else found + order
        has_more = page["hasMore"]
    return order


async def test_fifty_writers_and_one_order_live_in_pages_and_after_coming_back(
    tmp_path: Path,
) -> None:
    chance = random.Random(50)
    messages: dict[str, object] = {"history_page": PAGE, "history_on_join": 10}
    async with open_chat(tmp_path, limits=FREE, messages=messages) as chat:
        peers = [await chat.enter(f"user-{number}") for number in range(SENDERS)]
        orders: list[Order] = [[] for _ in peers]
        fleeting: list[Order] = [[], []]
        acked: dict[str, int] = {}
        async with trio.open_nursery() as nursery:
            for peer, order in zip(peers, orders, strict=True):
                nursery.start_soon(write, peer, order, acked)
            for number, order in enumerate(fleeting):
                nursery.start_soon(come_and_go, chat, f"fleeting-{number}", order, chance)
        order = orders[0]
        assert [seq for seq, _ in order] == list(range(1, ALL + 1))
        assert {message_id: seq for seq, message_id in order} == acked
        assert [seqs == order for seqs in orders + fleeting] == [True] * (SENDERS + 2)
        assert await pages(peers[0], "after") == order
        assert await pages(peers[1], "before") == order
        for since in [0, ALL - 1, *(chance.randint(0, ALL - 1) for _ in range(6))]:
            assert await resume(chat, "back-again", since, ALL) == order[since:]
    async with open_chat(tmp_path, limits=FREE, messages=messages) as chat:
        assert await pages(await chat.enter("reader"), "after") == order
