"""What a user is to get reaches the user's sockets on other nodes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest

from chatd.auth import Revocations
from chatd.chat.records import MessagePlace
from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.observe.recorder import Recorder
from chatd.service.clients import Clients
from chatd.service.kicks import Kicks
from chatd.service.shared_adapter import SharedAdapter
from chatd.service.shared_receipts import SharedReceipts
from chatd.service.shared_revoking import AHEAD_MAX_S, SharedRevoking
from chatd.service.signals import PIECE_BYTES
from chatd.sockets.emitter import event_packet
from chatd.wire.events import ReadMarker
from tests.bus.memory_bus import Wire
from tests.rows import rows
from tests.service.cluster import Node, made_node, running

MARKER = ReadMarker(connection_id="sales", read_seq=7, unread=2**53 - 1, mentions=0)


class Device:
    """A socket of ann, and what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.session = self

    def send(self, outgoing: Outgoing) -> None:
        self.sent.append(orjson.loads(outgoing.text[2:]))


class Confirmed:
    """What stands for `Timelines`."""

    def __init__(self) -> None:
        self.seqs: list[int] = []

    def confirm(self, _room: str, seq: int) -> None:
        self.seqs.append(seq)


@attrs.define(eq=False)
class Home:
    """A node with a device of ann."""

    node: Node
    device: Device = attrs.field(factory=Device)
    confirmed: Confirmed = attrs.field(factory=Confirmed)
    adapter: SharedAdapter = attrs.field(init=False)
    receipts: SharedReceipts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        device: Any = self.device
        timelines: Any = self.confirmed
        self.adapter = SharedAdapter(
            Flusher(), lambda user_id, _room: [device] if user_id == "ann" else []
        )
        self.adapter.share(self.node.signals)
        self.receipts = SharedReceipts(timelines, self.adapter.to_user_here, self.node.signals)


class NoAnswers:
    def end_writing(self, user_id: str, connection_id: str | None = None) -> None:
        raise AssertionError(user_id, connection_id)


@asynccontextmanager
async def homes() -> AsyncIterator[tuple[Wire, Home, Home]]:
    wire = Wire()
    a, b = Home(made_node(wire, "a")), Home(made_node(wire, "b"))
    async with running(a.node, b.node):
        for home in (a, b):
            await home.node.signals.hold("sales")
        yield wire, a, b


async def test_the_sockets_of_a_user_get_it_on_all_nodes_but_the_one_it_came_from() -> None:
    async with homes() as (_, a, b):
        own: Any = a.device
        a.adapter.to_user("ann", "sales", event_packet(MARKER), but=own)
        a.adapter.to_user("ben", "sales", event_packet(MARKER))
        assert a.device.sent == []
        ((name, payload),) = b.device.sent
        assert name == "chat:read"
        assert payload["unread"] == 2**53 - 1


async def test_many_receipts_travel_in_pieces_and_are_remembered_by_timelines() -> None:
    async with homes() as (wire, a, b):
        sizes: list[int] = []
        wire.lose = lambda _topic, payload: bool(sizes.append(len(payload)))
        places = [MessagePlace(f"{seq:036}", "sales", seq, "ann") for seq in range(1, 501)]
        a.receipts.delivered(places, "eve")
        assert a.device.sent == b.device.sent
        assert a.confirmed.seqs == b.confirmed.seqs == list(range(1, 501))
        assert max(sizes) < PIECE_BYTES + 300


@rows(
    ("kind", "fields"),
    [
        ("user", []),
        ("user", ["ann", "no event of the chat", {}]),
        ("receipts", ["eve"]),
        ("receipts", ["eve", [["one", "x", "ann"]]]),
        ("revoked", ["ann"]),
        ("revoked", ["ann", "soon"]),
        ("revoked", ["", 1.0]),
        ("revoked", ["ann", 10.0**12]),
        ("revocations", [10.0**12, []]),
        ("revocations", [None, [["ann", True]]]),
        ("revocations.known", []),
        ("kick", []),
    ],
)
async def test_what_is_none_of_it_is_passed_over(
    tmp_path_factory: pytest.TempPathFactory, kind: str, fields: list[Any]
) -> None:
    revocations = Revocations(tmp_path_factory.mktemp("state") / "revocations.json")
    async with homes() as (_, a, b):
        of = b.node
        Kicks(Clients(), of.signals)
        SharedRevoking(
            revocations, Clients(), NoAnswers(), of.clock, Recorder(), of.signals, of.nodes
        )
        a.node.signals.send("sales", kind, fields)
        assert b.device.sent == b.confirmed.seqs == []
        assert len(revocations) == 0
        assert revocations.moment_s("ann") < of.clock.wall_s() + AHEAD_MAX_S
