"""What a person does next, by its habits and by chance; with ids that stay for every attempt."""

import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from tests.app.client import message
from tests.cluster.histories import ChangeAcked, Changing, Note, Reading, Stage, Tried
from tests.cluster.memory import RECENT, Memory

THUMB: Final = "\N{THUMBS UP SIGN}"
SHORT_QUESTION: Final = "SELECT count(*) FROM shop WHERE n <> {number}"
LONG_QUESTION: Final = (
    "WITH RECURSIVE r(n) AS (SELECT {number} UNION ALL SELECT n + 1 FROM r LIMIT 1000000) "
    "SELECT max(n) FROM r"
)
"""It takes about a second, in which a node may die."""


@attrs.frozen
class Habits:
    """What somebody does how often; chances are of each thing done."""

    pause_s: float = 0.35  # between two things, on average
    moves: float = 0.0  # comes back by way of the proxy, at once
    leaves: float = 0.0  # is away, for a while, and has forgotten everything when it comes back
    asks: float = 0.0
    away_s: tuple[float, float] = (4.0, 9.0)


@attrs.frozen
class Deed:
    """One thing to do, until it is done: an event, and the note of its success."""

    event: str
    payload: Mapping[str, Any]
    done: Note | None = None


@attrs.define
class Will:
    """Chooses among what can be done. Nothing is done that a late attempt could undo: a text is
    edited once at most, then deleted, and a reaction stays."""

    user: str
    rooms: Sequence[str]
    habits: Habits
    memory: Memory
    chance: random.Random
    _count: int = 0

    def next(self) -> Deed:
        """Another deed, which is noted as begun."""
        self._count += 1
        memory, room, fate = self.memory, self.chance.choice(self.rooms), self.chance.random()
        if fate < self.habits.asks:
            question = self.chance.choice((SHORT_QUESTION, LONG_QUESTION))
            return self._message(self.rooms[0], question.format(number=self._count))
        if 0.66 <= fate < 0.74 and memory.mine:
            where, message_id = memory.mine.pop()
            memory.edited.append((where, message_id))
            content = f"{self.user} means {self._count}"
            return self._change("edit", where, message_id, Stage.EDITED, content)
        if 0.74 <= fate < 0.77 and len(memory.edited) > RECENT // 4:
            where, message_id = memory.edited.pop(0)
            return self._change("delete", where, message_id, Stage.DELETED)
        if 0.77 <= fate < 0.86 and memory.read:
            where, message_id = memory.read.pop()
            return self._react(where, message_id)
        if fate >= 0.86 and memory.since.get(room):
            seq = memory.since[room]
            memory.note(Reading(room, seq, is_acked=False))
            payload = {"connectionId": room, "seq": seq}
            return Deed("chat:read", payload, Reading(room, seq, is_acked=True))
        return self._message(room, f"{self.user} says {self._count}")

    def _message(self, room: str, content: str) -> Deed:
        written = message(content, room, str(uuid.UUID(int=self.chance.getrandbits(128))))
        now_s = self.memory.now_s()
        self.memory.note(Tried(room, written["messageId"], content, now_s))
        return Deed("chat:message", written)

    def _change(
        self, what: str, room: str, message_id: str, stage: Stage, content: str = ""
    ) -> Deed:
        self.memory.note(Changing(message_id, stage, content))
        payload = {"messageId": message_id, "connectionId": room}
        if stage is Stage.EDITED:
            payload["content"] = content
        return Deed(f"chat:message:{what}", payload, ChangeAcked(message_id, stage))

    def _react(self, room: str, message_id: str) -> Deed:
        self.memory.note(Changing(message_id, reaction=THUMB))
        payload = {"messageId": message_id, "connectionId": room, "emoji": THUMB, "on": True}
        return Deed("chat:message:react", payload, ChangeAcked(message_id, reaction=THUMB))
