"""What a client asks of its shell, kept; and an owner that keeps what it is told."""

from chatd.bench.address import Address
from chatd.bench.client import Client, Lane, Transport, make_client

ADDRESS = Address("127.0.0.1", 8765, False, "/socket.io/")


class Wires:
    """Keeps what is written, by lane."""

    def __init__(self) -> None:
        self.dialled: list[Lane] = []
        self.hung_up: list[Lane] = []
        self.written: dict[Lane, bytes] = dict.fromkeys(Lane, b"")

    def dial(self, lane: Lane) -> None:
        self.dialled.append(lane)

    def write(self, lane: Lane, data: bytes) -> None:
        self.written[lane] += data

    def hang_up(self, lane: Lane) -> None:
        self.hung_up.append(lane)

    def take(self, lane: Lane = Lane.MAIN) -> bytes:
        """What was written since the last time."""
        taken, self.written[lane] = self.written[lane], b""
        return taken


class Owner:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lives = 0
        self.events: list[bytes] = []
        self.acks: list[tuple[int, bytes]] = []
        self.ends: list[str] = []

    def live(self) -> None:
        self.lives += 1

    def event(self, packet: bytes) -> None:
        self.events.append(packet)

    def ack(self, ack_id: int, packet: bytes) -> None:
        self.acks.append((ack_id, packet))

    def ended(self, why: str) -> None:
        self.ends.append(why)


def started(transport: Transport) -> tuple[Client, Wires, Owner]:
    """A client that has asked for its first lane."""
    wires, owner = Wires(), Owner()
    client = make_client(transport, ADDRESS, {"token": "t"}, wires)
    client.owner = owner
    client.start()
    assert wires.dialled == [Lane.MAIN]
    return client, wires, owner
