"""Answers on their way to rooms: how each grows, and where the open ones are (docs/answers).

A client that enters a room gets the packets of its open answers that the room got before.
"""

import math
from collections.abc import Sequence
from typing import Final, TypedDict

import attrs
import orjson
import trio

from chatd.answers.table import Column, Row
from chatd.chat.ids import written_id
from chatd.chat.markup import Markup
from chatd.chat.records import OpenAnswer
from chatd.chat.rendering import error_fields, shown_user
from chatd.engine.outgoing import Outgoing
from chatd.service.client import Client
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.sockets.emitter import event_packet, rendered_packet
from chatd.wire.codes import HintCode
from chatd.wire.events import (
    AnswerColumn,
    AnswerEnd,
    AnswerProgress,
    AnswerResult,
    AnswerRows,
    AnswerStart,
    MessageHint,
)
from chatd.wire.names import AnswerPhase

_TABLE: Final = ("statement", "columns", "rows")  # of a stored answer, beside how it has ended


@attrs.define
class _Sent:
    """What the room got of an open answer: how far it is, and when it began, on Trio's clock. After
    `until_s` no more of it is shown."""

    ids: "_Ids"
    start: Outgoing
    until_s: float
    phase: AnswerPhase | None = None
    began_s: float = 0.0
    rows: list[Outgoing] = attrs.field(factory=list)


@attrs.define(eq=False)
class AnswerRoster:
    """The open answers of rooms, as they were sent."""

    _adapter: Adapter
    _markup: Markup
    _rooms: dict[str, dict[str, _Sent]] = attrs.field(init=False, factory=dict)

    def start(
        self,
        answer: OpenAnswer,
        *,
        read_only: bool,
        dry_run: bool,
        deadline_ms: int,
        until_s: float = math.inf,
    ) -> None:
        """A question is being answered, until `deadline_ms` at the latest; a client that comes
        after `until_s` is told nothing of it."""
        packet = event_packet(
            AnswerStart(
                **_ids(answer),
                read_only=read_only,
                dry_run=dry_run,
                deadline=deadline_ms,
                started_at=answer.opened_ms,
                asked_by=shown_user(answer.user_id),
            )
        )
        self._rooms.setdefault(answer.connection_id, {})[answer.question_id] = _Sent(
            _ids(answer), packet, until_s
        )
        self._broadcast(answer, packet)

    def status(self, answer: OpenAnswer, phase: str, elapsed_ms: int) -> None:
        """How far it is."""
        reached, sent = AnswerPhase(phase), self._sent(answer)
        if sent is not None:
            sent.phase, sent.began_s = reached, trio.current_time() - elapsed_ms / 1000
        self._broadcast(answer, _progress(_ids(answer), reached, elapsed_ms))

    def rows(
        self, answer: OpenAnswer, index: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None:
        """The next rows; the first come with their columns."""
        shown = None if columns is None else [AnswerColumn(it.name, it.type) for it in columns]
        packet = event_packet(AnswerRows(**_ids(answer), index=index, columns=shown, rows=rows))
        sent = self._sent(answer)
        if sent is not None:
            sent.rows.append(packet)
        self._broadcast(answer, packet)

    def end(self, answer: OpenAnswer, result: AnswerResult) -> None:
        """It has ended, and its message is in the log. An error may hold words of the database."""
        self.drop(answer)
        if result.error is not None:
            error = attrs.evolve(result.error, message=self._markup(result.error.message))
            result = attrs.evolve(result, error=error)
        self._broadcast(answer, event_packet(AnswerEnd(**_ids(answer), result=result)))

    def end_as_stored(self, answer: OpenAnswer, stored: bytes) -> None:
        """The same for an answer that another node has ended, and that is stored as this JSON;
        damaged JSON is not shown."""
        self.drop(answer)
        try:
            fields = orjson.loads(stored)
            result = {name: field for name, field in fields.items() if name not in _TABLE}
            if isinstance(result.get("error"), dict):
                result["error"] = error_fields(result["error"], self._markup)
        except (ValueError, AttributeError):
            return
        ids = _ids(answer)
        body = {
            "messageId": ids["message_id"],
            "replyTo": ids["reply_to"],
            "connectionId": ids["connection_id"],
            **result,
        }
        self._broadcast(answer, rendered_packet(AnswerEnd.event, orjson.dumps(body)))

    def drop(self, answer: OpenAnswer) -> None:
        """Tell nothing more of it: another node tells its end."""
        room = self._rooms.get(answer.connection_id, {})
        room.pop(answer.question_id, None)
        if not room:
            self._rooms.pop(answer.connection_id, None)

    def hint(self, answer: OpenAnswer, code: HintCode, sentence: str | None) -> None:
        """The message is not a question: its sender is told, on each device, and nobody else."""
        hint = MessageHint(
            message_id=written_id(answer.question_id),
            connection_id=answer.connection_id,
            code=code,
            message=sentence,
        )
        self._adapter.to_user(answer.user_id, answer.connection_id, event_packet(hint))

    def enter(self, client: Client, connection_id: str) -> None:
        """Send a client that enters a room what the room got of its open answers, with the time
        that they have taken so far."""
        for sent in self._rooms.get(connection_id, {}).values():
            if sent.until_s <= trio.current_time():
                continue
            client.send_catch_up(sent.start)
            if sent.phase is not None:
                elapsed_ms = round((trio.current_time() - sent.began_s) * 1000)
                client.send_catch_up(_progress(sent.ids, sent.phase, elapsed_ms))
            for packet in sent.rows:
                client.send_catch_up(packet)

    def _sent(self, answer: OpenAnswer) -> _Sent | None:
        return self._rooms.get(answer.connection_id, {}).get(answer.question_id)

    def _broadcast(self, answer: OpenAnswer, packet: Outgoing) -> None:
        self._adapter.broadcast(NAMESPACE, answer.connection_id, packet)


class _Ids(TypedDict):
    """Which answer an event is of."""

    message_id: str
    reply_to: str
    connection_id: str


def _progress(ids: _Ids, phase: AnswerPhase, elapsed_ms: int) -> Outgoing:
    return event_packet(AnswerProgress(**ids, phase=phase, elapsed_ms=elapsed_ms))


def _ids(answer: OpenAnswer) -> _Ids:
    return {
        "message_id": answer.answer_id,
        "reply_to": written_id(answer.question_id),
        "connection_id": answer.connection_id,
    }
