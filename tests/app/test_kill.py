"""SIGKILL in the middle of a flood.

What was acknowledged is there, nothing is there twice, the seqs are dense, and the queue of who was
away holds exactly what came meanwhile and was not acknowledged. Markers stand where they were said
to stand. The moment of the kill is drawn from the number of the round. More rounds: --kill-rounds
500.
"""

import random
import uuid
from typing import Any

import trio

from chatd.chat.reading import UNREAD_MAX
from tests.app.client import Client, Gone, message, token_for
from tests.app.daemon import NO_LIMITS, PAUSE_S, House

SECRET = "a secret for the tests, of more than 32 bytes"
ROOMS = ("one", "two")
NO_ROOM = ["three"]  # named in a handshake, and not given by the directory: none is joined
CLIENTS = 4
LANES = 6  # messages that each client has under way at once
FLOOD_S = 120.0  # only what hangs takes so long
WHOLE_EVERY = 10  # rounds between two looks at the whole log, which grows


def is_storage_error(answer: dict[str, Any]) -> bool:
    return not answer["ok"] and answer["error"]["code"] == "storage_error"


class Flood:
    """Clients that send as fast as acks come, and what they know of it. Where they are patient,
    they send again what the log could not take."""

    def __init__(self, is_patient: bool = False) -> None:
        self.is_patient = is_patient
        self.acked: dict[str, dict[int, str]] = {room: {} for room in ROOMS}
        self.refused: set[str] = set()
        self.unanswered: dict[str, tuple[str, dict[str, str]]] = {}
        self.count = 0
        self._news = trio.lowlevel.ParkingLot()

    async def send(self, client: Client, user: str, room: str) -> None:
        """One lane, until the daemon is gone or says that it drains."""
        while True:
            written = message(f"{user} says {self.count}", room, str(uuid.uuid4()))
            self.unanswered[written["messageId"]] = (user, written)
            is_again = False
            try:
                answer = await client.ask("chat:message", written)
                while self.is_patient and is_storage_error(answer):
                    is_again = True
                    await trio.sleep(PAUSE_S)
                    answer = await client.ask("chat:message", written)
            except Gone:
                return
            del self.unanswered[written["messageId"]]
            if not answer["ok"]:
                assert answer["error"]["code"] == "draining", answer
                self.refused.add(written["messageId"])
                return
            seqs = self.acked[room]
            assert answer["seq"] not in seqs
            assert is_again or "duplicate" not in answer
            seqs[answer["seq"]] = written["messageId"]
            self.count += 1
            self._news.unpark_all()

    async def reached(self, count: int) -> None:
        with trio.fail_after(FLOOD_S):
            while self.count < count:
                await self._news.park()


class Absent:
    """Somebody who is a member, is away during the flood, and acknowledges and reads from
    elsewhere."""

    user = "absent"

    def __init__(self) -> None:
        self.owed: dict[str, list[int]] = {room: [] for room in ROOMS}
        self.ids: dict[str, dict[int, str]] = {room: {} for room in ROOMS}
        self.left_at: dict[str, int] = dict.fromkeys(ROOMS, 0)
        self.under_way: set[tuple[str, int]] = set()
        self.read: dict[str, int] = {}
        self.marking: dict[str, int] = {}  # up to where it was about to have read

    async def come_and_go(
        self, port: int, nursery: trio.Nursery, kept: dict[str, list[str]]
    ) -> None:
        """Be in the rooms, acknowledge a part of what is owed, and be away again."""
        client = await Client.connect(nursery, port, token_for(SECRET, self.user, ROOMS))
        for room in ROOMS:
            history = await client.hear("chat:history", connectionId=room)
            assert history["lastSeq"] == len(kept[room])
            self.owed[room] += range(self.left_at[room] + 1, len(kept[room]) + 1)
            self.left_at[room] = len(kept[room])
            self.ids[room] = dict(enumerate(kept[room], start=1))
            self.read.setdefault(room, len(kept[room]))
        for room, part in zip(ROOMS, (1, 2), strict=True):
            if acked := self.owed[room][: len(self.owed[room]) // part]:
                last = {"messageId": self.ids[room][acked[-1]], "upTo": True}
                assert await client.ask("chat:ack", last) == {"ok": True}
                self.owed[room] = self.owed[room][len(acked) :]
        await client.close()

    async def acknowledge(self, client: Client) -> None:
        """Acknowledge from a device that is in no room, until the daemon is gone."""
        for room in ROOMS:
            for seq in self.owed[room][::2]:
                self.under_way.add((room, seq))
                try:
                    acked = await client.ask("chat:ack", {"messageId": self.ids[room][seq]})
                    assert acked == {"ok": True}
                except Gone:
                    return
                self.under_way.remove((room, seq))
                self.owed[room].remove(seq)

    async def mark(self, client: Client) -> None:
        """Read on from a device that is in no room, until the daemon is gone."""
        for room in ROOMS:
            for seq in range(self.read[room] + 1, self.left_at[room] + 1, 7):
                self.marking[room] = seq
                try:
                    marked = await client.ask("chat:read", {"connectionId": room, "seq": seq})
                except Gone:
                    return
                assert marked["readSeq"] == seq
                self.read[room] = self.marking.pop(room)

    async def check(self, client: Client, kept: dict[str, list[str]]) -> None:
        """What the daemon says is owed now is what the model says, message by message.

        One acknowledgement at most was under way: whether it was kept shows in the count.
        """
        assert len(self.under_way) <= 1
        status = await client.hear("connection:status")
        for room in ROOMS:
            owed = [*self.owed[room], *range(self.left_at[room] + 1, len(kept[room]) + 1)]
            [count] = [it["owed"] for it in status["rooms"] if it["connectionId"] == room]
            if count != len(owed):
                owed = [seq for seq in owed if (room, seq) not in self.under_way]
            assert count == len(owed)
            self.check_read(room, status, len(kept[room]))
            history = await client.hear("chat:history", connectionId=room)
            first = history["messages"][0]["seq"] if history["messages"] else 1
            replayed = [
                it["seq"]
                for it in client.said("chat:message")
                if it["connectionId"] == room and it["replay"]
            ]
            assert replayed == [seq for seq in owed if seq < first]
            self.owed[room] = owed
            self.ids[room] = dict(enumerate(kept[room], start=1))
            self.left_at[room] = len(kept[room])
        self.under_way.clear()
        self.marking.clear()

    def check_read(self, room: str, status: dict[str, Any], last_seq: int) -> None:
        [stand] = [it for it in status["rooms"] if it["connectionId"] == room]
        assert stand["readSeq"] in (self.read[room], self.marking.get(room))
        self.read[room] = stand["readSeq"]
        assert stand["unread"] == min(last_seq - self.read[room], UNREAD_MAX)


async def flood(port: int, what: Flood, nursery: trio.Nursery) -> list[Client]:
    """Connect the clients, and let them begin in `nursery`."""
    clients = []
    for number in range(CLIENTS):
        user = f"user-{number}"
        client = await Client.connect(nursery, port, token_for(SECRET, user, ROOMS))
        clients.append(client)
        for lane in range(LANES):
            nursery.start_soon(what.send, client, user, ROOMS[lane % len(ROOMS)])
    return clients


class Witness:
    """Somebody who is in the rooms whenever the daemon is killed, and away only in between."""

    user = "witness"

    def __init__(self) -> None:
        self.seen: dict[str, int] | None = None  # None while it is no member

    async def come(self, port: int, nursery: trio.Nursery, kept: dict[str, list[str]]) -> None:
        """Be in the rooms, and acknowledge all; what was owed is what was stored meanwhile."""
        client = await Client.connect(nursery, port, token_for(SECRET, self.user, ROOMS))
        status = await client.hear("connection:status")
        await client.caught_up(ROOMS)
        for room in ROOMS:
            [count] = [it["owed"] for it in status["rooms"] if it["connectionId"] == room]
            assert count == (0 if self.seen is None else len(kept[room]) - self.seen[room])
            if kept[room]:
                last = {"messageId": kept[room][-1], "upTo": True}
                assert await client.ask("chat:ack", last) == {"ok": True}

    async def after_the_kill(
        self, port: int, nursery: trio.Nursery, kept: dict[str, list[str]]
    ) -> None:
        """It is a member still, was there for all that is kept, and is owed nothing."""
        token = token_for(SECRET, self.user, ROOMS)
        client = await Client.connect(nursery, port, token, connectionId=NO_ROOM)
        status = await client.hear("connection:status")
        assert [room["owed"] for room in status["rooms"]] == [0] * len(ROOMS)
        await client.close()
        self.seen = {room: len(kept[room]) for room in ROOMS}


async def test_a_kill_in_the_middle_of_a_flood_loses_nothing_and_doubles_nothing(
    house: House, nursery: trio.Nursery, kill_rounds: int
) -> None:
    env = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET}
    known: dict[str, list[str]] = {room: [] for room in ROOMS}
    epochs = set()
    daemon = await house.start(env=env)
    absent, witness = Absent(), Witness()
    for number in range(kill_rounds):
        chance = random.Random(number)
        what = Flood()
        await absent.come_and_go(daemon.port, nursery, known)
        with trio.fail_after(FLOOD_S):
            async with trio.open_nursery() as flooding:
                token = token_for(SECRET, Absent.user, ROOMS)
                elsewhere = await Client.connect(flooding, daemon.port, token, connectionId=NO_ROOM)
                await witness.come(daemon.port, flooding, known)
                clients = await flood(daemon.port, what, flooding)
                flooding.start_soon(absent.acknowledge, elsewhere)
                flooding.start_soon(absent.mark, elsewhere)
                await what.reached(chance.randint(1, 600))
                await trio.sleep(chance.random() / 100)  # the moment itself, not a wait
                await daemon.kill()
                for client in clients:
                    await client.gone()
                flooding.cancel_scope.cancel()
        assert not what.refused

        daemon = await house.start(env=env)
        away = await Client.connect(nursery, daemon.port, token_for(SECRET, Absent.user, ROOMS))
        await away.caught_up(ROOMS)
        reader = await Client.connect(nursery, daemon.port, token_for(SECRET, "reader", ROOMS))
        epochs.add((await reader.hear("connection:status"))["epoch"])
        everywhere: list[str] = []
        is_whole = (number + 1) % WHOLE_EVERY == 0 or number == kill_rounds - 1
        for room in ROOMS:
            after = 0 if is_whole else len(known[room])
            kept = await reader.whole_room(room, after)
            seqs = [shown["seq"] for shown in kept]
            assert seqs == list(range(after + 1, after + len(kept) + 1))
            ids = known[room][:after] + [shown["messageId"] for shown in kept]
            assert ids[: len(known[room])] == known[room]
            for seq, message_id in what.acked[room].items():
                assert ids[seq - 1] == message_id
            new = set(ids[len(known[room]) :])
            assert new <= set(what.acked[room].values()) | what.unanswered.keys()
            known[room] = ids
            everywhere += ids
        assert len(everywhere) == len(set(everywhere))
        await absent.check(away, known)
        await witness.after_the_kill(daemon.port, nursery, known)
        await away.close()

        # Who was left without an answer tries again: once in the room, whichever it was.
        for message_id, (user, written) in list(what.unanswered.items())[:3]:
            sender = await Client.connect(nursery, daemon.port, token_for(SECRET, user, ROOMS))
            retried = await sender.ask("chat:message", written)
            assert retried["ok"]
            room = written["connectionId"]
            assert retried.get("duplicate", False) == (message_id in known[room])
            if message_id not in known[room]:
                known[room].append(message_id)
            assert known[room][retried["seq"] - 1] == message_id
    assert len(epochs) == 1
    await daemon.stop()
