"""A user of chatd who asks a database, one question after the other. Pure.

Owns what a user sees of an answer: its first rows, its end, and whether it is whole. In the tally
of the step the first row of an answer counts as an ack, and its end as a delivery.
"""

from typing import Final

import orjson

from chatd.bench.client import Client
from chatd.bench.players import Crew, Player, User
from chatd.wire.names import AnswerOutcome, ClientEvent, ServerEvent

ROWS: Final = f'42["{ServerEvent.CHAT_ANSWER_ROWS}"'.encode()
END: Final = f'42["{ServerEvent.CHAT_ANSWER_END}"'.encode()
HEAD_BYTES: Final = 600
"""The first bytes of a packet, which say what question it answers."""


class Asker(Player):
    """Asks `sql` again as soon as the last answer has ended, until `until_us`."""

    __slots__ = ("_asked_us", "_question", "_rows", "sql", "until_us")

    def __init__(self, user: User, crew: Crew, sql: str) -> None:
        super().__init__(user, crew)
        self.sql = sql
        self.until_us = 0
        self._question: bytes | None = None
        self._asked_us = 0
        self._rows = 0

    def come(self, client: Client, now_us: int) -> None:
        self._question = None
        super().come(client, now_us)

    def ask(self, now_us: int) -> None:
        """Ask, if the last answer has ended."""
        if self._question is not None:
            return
        self._question, self._asked_us, self._rows = self.crew.next_id(), now_us, 0
        self.crew.tally.sent += 1
        message = {
            "messageId": self._question.decode(),
            "content": self.sql,
            "connectionId": self.user.room,
        }
        self.emit(orjson.dumps([ClientEvent.CHAT_MESSAGE, message]), None)

    def event(self, packet: bytes) -> None:
        question, crew = self._question, self.crew
        if question is None or packet.find(question, 0, HEAD_BYTES) < 0:
            return  # nothing is asked, or it is somebody else's
        if packet.startswith(ROWS):
            rows = len(orjson.loads(packet[2:])[1]["rows"])
            if not self._rows and rows:
                crew.tally.acked += 1
                crew.tally.acks.add(crew.now_us() - self._asked_us)
            self._rows += rows
        elif packet.startswith(END):
            self._end(orjson.loads(packet[2:])[1])

    def _end(self, end: dict[str, object]) -> None:
        crew, now_us = self.crew, self.crew.now_us()
        self._question = None
        tally = crew.tally
        tally.last_us = now_us
        if end["state"] != AnswerOutcome.DONE:
            tally.failed += 1
            crew.reasons[f"an answer ended as {end['state']}"] += 1
        elif end["rowCount"] != self._rows:
            tally.failed += 1
            crew.reasons["an answer lacks rows"] += 1
        else:
            tally.received += 1
            tally.deliveries.add(now_us - self._asked_us)
        if now_us < self.until_us:
            self.ask(now_us)

    def refused(self) -> None:
        """The question was not accepted: it is not asked again in this step."""
        self._question = None
