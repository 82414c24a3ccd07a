"""Answers of other nodes, as far as they were heard of, for the clients of this node.

Signals may be faster than messages, where these are read from the log: what is heard of an answer
before its question is shown waits until it is.

What the signals hold is said in `chatd.service.answer_signals`. They may get lost, come twice or
late: rows are shown if they follow on those that are there, a phase if it is a later one. An answer
with a hole waits until its owner has told all of it again. An answer that is never ended here is
forgotten some time after its deadline.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
import trio

from chatd.answers.table import Column
from chatd.chat.records import OpenAnswer
from chatd.service.answer_roster import AnswerRoster
from chatd.service.signals import Signals
from chatd.wire.codes import HintCode
from chatd.wire.names import AnswerPhase

GRACE_S: Final = 60.0
"""How long after its deadline an answer of another node is remembered: by then its end must be
stored, or its node found dead."""
HEARD_MAX: Final = 10_000
"""Answers of other nodes that are shown at once; more are seen when they have ended."""
WAITING_MAX: Final = 100
"""Signals of one answer that wait for its question to be shown; further ones are missed, and told
again."""
ENDED_MAX: Final = 1_000
"""Questions that are remembered as answered, so that a start which comes late shows nothing."""
HELLO_AGAIN_S: Final = 1.0
"""Between two hellos for a room in which something was missed."""

START: Final = "answer:start"
STATUS: Final = "answer:status"
ROWS: Final = "answer:rows"
HINT: Final = "answer:hint"
HELLO: Final = "answer:hello"
_PHASES: Final = tuple(AnswerPhase)

Step: TypeAlias = Callable[[], None]


@attrs.define
class _Heard:
    """An answer, as far as it was heard. `waiting` is what to show once its question is shown; None
    after that."""

    answer: OpenAnswer
    until_s: float
    waiting: list[Step] | None
    phase: int = -1
    has_columns: bool = False
    events: int = 0
    row_count: int = 0


@attrs.define(eq=False)
class HeardAnswers:
    """The open answers of other nodes in the rooms that this node holds; `is_own` says which of a
    room are this node's, `published_seq` up to where a room is shown."""

    _roster: AnswerRoster
    _signals: Signals
    _is_own: Callable[[str, str], bool]
    _published_seq: Callable[[str], int]
    _rooms: dict[str, dict[str, _Heard]] = attrs.field(init=False, factory=dict)
    _count: int = attrs.field(init=False, default=0)
    _ended: OrderedDict[str, None] = attrs.field(init=False, factory=OrderedDict)  # questions
    _hello_s: dict[str, float] = attrs.field(init=False, factory=dict)  # by room that is held

    def __attrs_post_init__(self) -> None:
        self._signals.on(START, self._on_start)
        self._signals.on(STATUS, self._on_status)
        self._signals.on(ROWS, self._on_rows)
        self._signals.on(HINT, self._on_hint)

    def answer(self, room: str, question: str) -> OpenAnswer | None:
        """The answer to this question, if it was heard of."""
        heard = self._rooms.get(room, {}).get(question)
        return None if heard is None else heard.answer

    def forget(self, answer: OpenAnswer) -> None:
        """It has ended, or is this node's from now on."""
        in_room = self._rooms.get(answer.connection_id, {})
        if in_room.pop(answer.question_id, None) is not None:
            self._count -= 1
        if not in_room:
            self._rooms.pop(answer.connection_id, None)

    def note_end(self, question: str) -> None:
        """The end of the answer to this question is published."""
        self._ended[question] = None
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def shown(self, room: str, seq: int) -> None:
        """A room was shown up to this seq."""
        for heard in list(self._rooms.get(room, {}).values()):
            if heard.waiting is not None and heard.answer.question_seq <= seq:
                waiting, heard.waiting = heard.waiting, None
                for step in waiting:
                    step()

    def held(self, room: str) -> None:
        """The room's signals are heard from now on: say hello."""
        self._hello_s[room] = trio.current_time()

    def released(self, room: str) -> None:
        """The room's signals are no longer heard."""
        self._hello_s.pop(room, None)
        for heard in list(self._rooms.get(room, {}).values()):
            self._drop(heard.answer)

    def _on_start(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        question, seq, answer_id, user_id, opened_ms, read_only, dry_run, deadline_ms, left_ms = (
            _checked(fields, str, int, str, str, int, bool, bool, int, int)
        )
        is_known = self.answer(room, question) is not None or self._is_own(room, question)
        if is_known or question in self._ended or room not in self._hello_s:
            return
        self._forget_overdue()
        if self._count >= HEARD_MAX:
            return
        self._count += 1
        answer = OpenAnswer(question, answer_id, room, user_id, None, opened_ms, question_seq=seq)
        until_s = trio.current_time() + left_ms / 1000 + GRACE_S
        heard = _Heard(answer, until_s, [] if seq > self._published_seq(room) else None)
        self._rooms.setdefault(room, {})[question] = heard
        start = partial(
            self._roster.start,
            answer,
            read_only=read_only,
            dry_run=dry_run,
            deadline_ms=deadline_ms,
            until_s=until_s,
        )
        self._once_shown(heard, start)

    def _on_status(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        question, phase, elapsed_ms = _checked(fields, str, str, int)
        reached = _PHASES.index(AnswerPhase(phase))
        heard = self._known(room, question)
        if heard is not None and reached > heard.phase:
            heard.phase = reached
            self._once_shown(heard, partial(self._roster.status, heard.answer, phase, elapsed_ms))

    def _on_rows(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        question, first, named, rows, *_ = fields
        _checked([question, first, rows, *rows], str, int, list, *(list for _ in rows))
        columns = _columns(named)
        heard = self._known(room, question)
        if heard is None:
            return
        is_full = heard.waiting is not None and len(heard.waiting) >= WAITING_MAX
        if is_full or first > heard.row_count or (columns is None and not heard.has_columns):
            self._miss(room)
            return
        new = rows[heard.row_count - max(0, first) :]
        if not new and heard.has_columns:
            return
        heard.row_count += len(new)
        columns, heard.has_columns = None if heard.has_columns else columns, True
        rows_of = partial(self._roster.rows, heard.answer, heard.events, columns, new)
        self._once_shown(heard, rows_of)
        heard.events += 1

    def _on_hint(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        question, user_id, code, sentence, *_ = fields
        _checked([question, user_id, code, sentence or ""], str, str, str, str)
        answer = OpenAnswer(question, "", room, user_id, None, 0)
        self._roster.hint(answer, HintCode(code), sentence)

    def _once_shown(self, heard: _Heard, step: Step) -> None:
        """Show something of an answer: now, or after its question."""
        if heard.waiting is None:
            step()
        else:
            heard.waiting.append(step)

    def _known(self, room: str, question: str) -> _Heard | None:
        """An answer of another node; if nothing is known of it, its start was missed."""
        heard = self._rooms.get(room, {}).get(question)
        is_elsewhere = question not in self._ended and not self._is_own(room, question)
        if heard is None and is_elsewhere:
            self._miss(room)
        return heard

    def _miss(self, room: str) -> None:
        """Something was lost: have the answers of the room told again."""
        now_s = trio.current_time()
        if room in self._hello_s and now_s >= self._hello_s[room] + HELLO_AGAIN_S:
            self._hello_s[room] = now_s
            self._signals.send_all(HELLO, [room])

    def _forget_overdue(self) -> None:
        now_s = trio.current_time()
        for in_room in list(self._rooms.values()):
            for heard in list(in_room.values()):
                if heard.until_s <= now_s:
                    self._drop(heard.answer)

    def _drop(self, answer: OpenAnswer) -> None:
        self.forget(answer)
        self._roster.drop(answer)


def _columns(fields: Any) -> Sequence[Column] | None:
    """The columns of a signal. Raises TypeError, ValueError."""
    if fields is None:
        return None
    found = []
    for name, kind in fields:
        _checked([name, "" if kind is None else kind], str, str)
        found.append(Column(name, kind))
    return found


def _checked(fields: Sequence[Any], *kinds: type) -> Sequence[Any]:
    """The first fields, each of its kind. Raises TypeError, ValueError."""
    if len(fields) < len(kinds):
        raise ValueError("fields are missing")
    for field, kind in zip(fields, kinds, strict=False):
        if type(field) is not kind:
            raise TypeError("a field is of another kind")
    return fields[: len(kinds)]
