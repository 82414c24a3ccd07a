"""Answers on their way, shown on every node: the node that owns one tells the others how it grows.

    answer:start   [question, its seq, answer, asker, opened ms, read only, dry run, deadline ms,
                    ms left]
    answer:status  [question, phase, elapsed ms]
    answer:rows    [question, rows before these, columns or null, rows]
    answer:hint    [question, asker, code, sentence or null]
    answer:hello   [room, ...]    to all nodes: tell me of the open answers of these rooms

A node that begins to hold a room, or that has missed something, says hello, and the owners repeat
what they have told so far. What is told twice changes nothing: a node goes by how many rows it has
(`chatd.service.heard_answers`). Rows that the bus does not take do not travel, nor do the rows
after them.

No signal tells the end. It is shown where the message that ends the answer is published, before
that message: so it is shown once on each node, whichever node has stored it, and however that node
hears of it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import attrs
import trio

from chatd.answers.active import CHUNK_ROWS
from chatd.answers.table import Column, Row
from chatd.chat.records import Message, OpenAnswer
from chatd.service.answer_roster import AnswerRoster
from chatd.service.heard_answers import HELLO, HINT, ROWS, START, STATUS, HeardAnswers
from chatd.service.signals import Signals
from chatd.wire.codes import HintCode
from chatd.wire.events import AnswerResult

PIECES_MAX: Final = 1_000
"""Signals with rows of one answer, each time that the answer is told; further rows are seen at its
end."""
HELLO_ROOMS: Final = 20
"""Rooms of one hello, so that it is short enough for every bus."""


@attrs.define
class _Own:
    """An answer of this node, as it was told; `is_cut`: not all of its rows were told."""

    answer: OpenAnswer
    read_only: bool
    dry_run: bool
    deadline_ms: int
    phase: str | None = None
    began_s: float = 0.0
    columns: Sequence[Column] | None = None
    rows: list[Row] = attrs.field(factory=list)
    pieces: int = 0
    is_cut: bool = False


@attrs.define(eq=False)
class AnswerSignals:
    """A `Display` of this node's answers, here and elsewhere; and those of other nodes, here.

    `answered` are the rooms that a database answers in; `published_seq` says up to where a room is
    shown here.
    """

    _roster: AnswerRoster
    _signals: Signals
    _wall_ms: Callable[[], int]
    _published_seq: Callable[[str], int]
    answered: Collection[str] = ()
    _own: dict[str, dict[str, _Own]] = attrs.field(init=False, factory=dict)  # by room and question
    _heard: HeardAnswers = attrs.field(init=False)
    _ended: set[str] = attrs.field(init=False, factory=set)  # own ones whose end is shown already

    def __attrs_post_init__(self) -> None:
        self._heard = HeardAnswers(self._roster, self._signals, self._is_own, self._published_seq)
        self._signals.on(HELLO, self._on_hello)
        self._signals.watch(self)

    # What this node's answers show

    def start(
        self, answer: OpenAnswer, *, read_only: bool, dry_run: bool, deadline_ms: int
    ) -> None:
        self._roster.start(answer, read_only=read_only, dry_run=dry_run, deadline_ms=deadline_ms)
        own = _Own(answer, read_only, dry_run, deadline_ms)
        self._own.setdefault(answer.connection_id, {})[answer.question_id] = own
        self._tell_start(own)

    def status(self, answer: OpenAnswer, phase: str, elapsed_ms: int) -> None:
        self._roster.status(answer, phase, elapsed_ms)
        own = self._known(answer)
        if own is not None:
            own.phase, own.began_s = str(phase), trio.current_time() - elapsed_ms / 1000
            self._tell_status(own)

    def rows(
        self, answer: OpenAnswer, index: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None:
        self._roster.rows(answer, index, columns, rows)
        own = self._known(answer)
        if own is not None:
            if columns is not None:
                own.columns = columns
            before = len(own.rows)
            own.rows += rows
            self._tell_rows(own, before, columns, rows)

    def end(self, answer: OpenAnswer, result: AnswerResult) -> None:
        self._forget(answer)
        if answer.question_id in self._ended:
            self._ended.discard(answer.question_id)
        else:
            self._roster.end(answer, result)

    def drop(self, answer: OpenAnswer) -> None:
        self._forget(answer)
        self._ended.discard(answer.question_id)
        self._roster.drop(answer)

    def hint(self, answer: OpenAnswer, code: HintCode, sentence: str | None) -> None:
        self._roster.hint(answer, code, sentence)
        fields = [answer.question_id, answer.user_id, str(code), sentence]
        self._signals.send(answer.connection_id, HINT, fields)

    def published(self, message: Message) -> None:
        """A message that ends an answer is about to be shown. If the end is not shown yet, show it
        now: another node has stored it, or this node's actor crashed after it was stored."""
        question, stored = message.reply_to, message.answer
        if question is None or stored is None:
            return
        self._heard.note_end(question)
        room = message.connection_id
        own = self._own.get(room, {}).get(question)
        of = self._heard.answer(room, question) if own is None else own.answer
        if own is not None:
            self._ended.add(question)
        if of is not None:
            self._forget(of)
            ended = attrs.evolve(of, answer_id=message.message_id)
            self._roster.end_as_stored(ended, stored)

    def shown(self, message: Message) -> None:
        """A message was shown: if it is a question, show what was heard of its answer, too."""
        self._heard.shown(message.connection_id, message.seq)

    def _known(self, answer: OpenAnswer) -> _Own | None:
        return self._own.get(answer.connection_id, {}).get(answer.question_id)

    def _is_own(self, room: str, question: str) -> bool:
        return question in self._own.get(room, {})

    def _forget(self, answer: OpenAnswer) -> None:
        in_room = self._own.get(answer.connection_id, {})
        in_room.pop(answer.question_id, None)
        if not in_room:
            self._own.pop(answer.connection_id, None)
        self._heard.forget(answer)  # it was another node's, and is this one's now

    # What other nodes are to know

    def held(self, room: str) -> None:
        self._heard.held(room)
        if room in self.answered:
            self._signals.send_all(HELLO, [room])

    def released(self, room: str) -> None:
        self._heard.released(room)

    def came_up(self) -> None:
        self._on_hello("", "", tuple(self._own))
        rooms = [room for room in self._signals.rooms if room in self.answered]
        for first in range(0, len(rooms), HELLO_ROOMS):
            self._signals.send_all(HELLO, rooms[first : first + HELLO_ROOMS])

    def _tell(self, own: _Own) -> None:
        """Tell all of it, from the beginning."""
        self._tell_start(own)
        if own.phase is not None:
            self._tell_status(own)
        own.pieces, own.is_cut = 0, False
        columns = own.columns
        for first in range(0, max(len(own.rows), 1), CHUNK_ROWS):
            if columns is not None or first:
                self._tell_rows(own, first, columns, own.rows[first : first + CHUNK_ROWS])
            columns = None

    def _tell_start(self, own: _Own) -> None:
        answer = own.answer
        fields = [
            answer.question_id,
            answer.question_seq,
            answer.answer_id,
            answer.user_id,
            answer.opened_ms,
            own.read_only,
            own.dry_run,
            own.deadline_ms,
            max(0, own.deadline_ms - self._wall_ms()),
        ]
        self._signals.send(answer.connection_id, START, fields)

    def _tell_status(self, own: _Own) -> None:
        elapsed_ms = round((trio.current_time() - own.began_s) * 1000)
        fields = [own.answer.question_id, own.phase, elapsed_ms]
        self._signals.send(own.answer.connection_id, STATUS, fields)

    def _tell_rows(
        self, own: _Own, first: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None:
        """Tell rows, in halves if they are too long for one signal; once some are not told, no
        later ones are."""
        if own.is_cut:
            return
        own.pieces += 1
        if own.pieces > PIECES_MAX:
            own.is_cut = True
            return
        shown = None if columns is None else [[one.name, one.type] for one in columns]
        fields = [own.answer.question_id, first, shown, rows]
        if self._signals.send(own.answer.connection_id, ROWS, fields):
            return
        half = len(rows) // 2
        if not half:
            own.is_cut = True
            return
        self._tell_rows(own, first, columns, rows[:half])
        self._tell_rows(own, first + half, None, rows[half:])

    def _on_hello(self, _room: str, _node: str, fields: Sequence[Any]) -> None:
        for room in fields:
            for own in self._own.get(room, {}).values():
                self._tell(own)
