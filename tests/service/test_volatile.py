"""Presence and typing over two nodes: each decides for its own sockets."""

from typing import Any

import attrs

from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.service.volatile import Volatile
from chatd.sockets.local_adapter import LocalAdapter

PACKET, SNAPSHOT, TYPING = Outgoing(b"4packet"), Outgoing(b"4snapshot"), Outgoing(b"4typing")


@attrs.define(eq=False)
class Peer:
    """A client and its socket, as far as this traffic knows them."""

    user_id: str
    is_lagging: bool = False
    missed: dict[str, set[str]] | None = None
    namespace: str = "/"
    rooms: tuple[str, ...] = ()
    got: list[Any] = attrs.field(factory=list)

    @property
    def socket(self) -> Any:
        return self

    session = state = socket

    def send(self, payload: Any) -> None:
        self.got.append(payload.status)

    def send_packet(self, outgoing: Outgoing) -> None:
        self.got.append(outgoing)


class SharedAdapter(LocalAdapter):
    """An adapter that passes on what is broadcast at it to those of other nodes."""

    def __init__(self) -> None:
        super().__init__(Flusher())
        self.others: list[LocalAdapter] = []

    def broadcast_volatile(
        self,
        namespace: str,
        room: str,
        outgoing: Outgoing,
        *,
        about: str | None = None,
        but: object = None,
    ) -> None:
        super().broadcast_volatile(namespace, room, outgoing, about=about, but=but)
        for other in self.others:
            other.broadcast_volatile(namespace, room, outgoing, about=about)


def made_nodes(*peers: Peer) -> Volatile:
    """Nodes that share their rooms, each with one of the peers; what the first one sends by."""
    adapters = [SharedAdapter() for _ in peers]
    adapters[0].others = list(adapters[1:])
    nodes = [Volatile(adapter) for adapter in adapters]
    for node, peer in zip(nodes, peers, strict=True):
        node.presence = lambda _client, _room: SNAPSHOT
        node.typing = lambda _room, typists: [TYPING for _ in typists]
        node.join(peer.socket, "room")
    return nodes[0]


def test_the_sockets_of_all_nodes_get_presence_but_the_one_that_caused_it() -> None:
    ada, bob = Peer("ada"), Peer("bob")
    made_nodes(ada, bob).broadcast_presence("room", PACKET, but=ada)
    assert (ada.got, bob.got) == ([], [PACKET])


def test_a_user_does_not_get_its_own_typing_at_any_node() -> None:
    here, there, other = Peer("ada"), Peer("ada"), Peer("bob")
    made_nodes(here, there, other).broadcast_typing("room", PACKET, "ada")
    assert (here.got, there.got, other.got) == ([], [], [PACKET])


def test_a_node_drops_what_its_own_lagging_client_is_owed_and_makes_up_for_it() -> None:
    ada, bob = Peer("ada"), Peer("bob", is_lagging=True)
    node = made_nodes(ada, bob)
    node.broadcast_typing("room", PACKET, "cyd")
    assert (ada.got, bob.got, bob.missed) == ([PACKET], ["lagging"], {"room": {"cyd"}})
    bob.is_lagging = False
    node.broadcast_presence("room", PACKET, but=None)
    assert (ada.got, bob.got) == ([PACKET, PACKET], ["lagging", SNAPSHOT, TYPING])
    assert bob.missed is None
