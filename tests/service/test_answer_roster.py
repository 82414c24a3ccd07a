"""What a client that comes late is told of answers that are on their way."""

from typing import Any

import orjson
import trio

from chatd.chat.markup import MARKUPS
from chatd.chat.records import OpenAnswer
from chatd.engine.outgoing import Outgoing
from chatd.service.answer_roster import AnswerRoster
from tests.chat.commands import message_id

ROOM, STORED_MS = "demo", 1_700_000_000_000
ANSWER = OpenAnswer(message_id(1), message_id(2), ROOM, "ada", None, STORED_MS)


class Room:
    """An adapter and a client, which keep what they are given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def broadcast(self, namespace: str, room: str, packet: Outgoing) -> None:
        self.send_catch_up(packet)

    def send_catch_up(self, packet: Outgoing) -> None:
        name, payload = orjson.loads(packet.text[2:])
        self.sent.append((name, payload))


def roster_in(room: Room) -> AnswerRoster:
    return AnswerRoster(room, MARKUPS["neutralise"])  # type: ignore[arg-type]


def entered(roster: AnswerRoster) -> list[tuple[str, Any]]:
    late = Room()
    roster.enter(late, ROOM)  # type: ignore[arg-type]
    return late.sent


async def test_who_comes_late_learns_who_asks_and_since_when() -> None:
    room = Room()
    roster = roster_in(room)
    roster.start(ANSWER, read_only=True, dry_run=False, deadline_ms=STORED_MS + 30_000)
    assert entered(roster) == room.sent
    [(name, start)] = room.sent
    assert name == "chat:answer:start"
    assert (start["startedAt"], start["askedBy"]) == (STORED_MS, "ada")
    assert (start["messageId"], start["replyTo"]) == (message_id(2), message_id(1))


async def test_who_comes_late_learns_how_long_it_has_taken_by_then(
    autojump_clock: trio.testing.MockClock,
) -> None:
    room = Room()
    roster = roster_in(room)
    roster.start(ANSWER, read_only=True, dry_run=False, deadline_ms=STORED_MS + 30_000)
    roster.status(ANSWER, "queued", 10)
    await trio.sleep(1)
    roster.status(ANSWER, "running", 1_010)
    await trio.sleep(2)
    status = {"phase": "running", "elapsedMs": 3_010}
    assert [payload | status == payload for _, payload in entered(roster)] == [False, True]
    assert room.sent[-1][1]["elapsedMs"] == 1_010


async def test_nothing_is_told_of_an_answer_that_has_ended() -> None:
    roster = roster_in(Room())
    roster.status(ANSWER, "running", 5)  # of one that the room has not been shown
    assert entered(roster) == []
