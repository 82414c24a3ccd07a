"""Answers between their room and clients (SPEC 4 and 6, `chat:answer:...`, `answer:cancel`).

The board shows a room how its answers grow, and keeps what it has shown of those that are open: who
enters the room meanwhile is shown the same, in the same packets.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from chatd.answers.table import Column, Row
from chatd.chat.ids import written_id
from chatd.chat.markup import Markup
from chatd.chat.records import OpenAnswer
from chatd.chat.rendering import error_fields
from chatd.engine.outgoing import Outgoing
from chatd.service.client import Client
from chatd.socketio import event_text
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.wire.names import ServerEvent


@attrs.define
class _Shown:
    """What was shown of an open answer."""

    start: Outgoing
    status: Outgoing | None = None
    rows: list[Outgoing] = attrs.field(factory=list)


class AnswerRoster:
    """Shows answers to their rooms."""

    def __init__(self, adapter: Adapter, markup: Markup) -> None:
        self._adapter = adapter
        self._markup = markup
        self._rooms: dict[str, dict[str, _Shown]] = {}

    def start(
        self, answer: OpenAnswer, *, read_only: bool, dry_run: bool, deadline_ms: int
    ) -> None:
        """A question is being answered, until `deadline_ms` at the latest."""
        packet = _packet(
            ServerEvent.CHAT_ANSWER_START,
            answer,
            {"readOnly": read_only, "dryRun": dry_run, "deadline": deadline_ms},
        )
        shown = _Shown(packet)
        self._rooms.setdefault(answer.connection_id, {})[answer.question_id] = shown
        self._tell(answer, packet)

    def status(self, answer: OpenAnswer, phase: str, elapsed_ms: int) -> None:
        """How far it is."""
        fields = {"phase": phase, "elapsedMs": elapsed_ms}
        packet = _packet(ServerEvent.CHAT_ANSWER_STATUS, answer, fields)
        shown = self._shown(answer)
        if shown is not None:
            shown.status = packet
        self._tell(answer, packet)

    def rows(
        self, answer: OpenAnswer, index: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None:
        """The next rows; the first come with their columns."""
        fields: dict[str, object] = {"index": index}
        if columns is not None:
            fields["columns"] = [{"name": one.name, "type": one.type} for one in columns]
        packet = _packet(ServerEvent.CHAT_ANSWER_ROWS, answer, {**fields, "rows": rows})
        shown = self._shown(answer)
        if shown is not None:
            shown.rows.append(packet)
        self._tell(answer, packet)

    def end(self, answer: OpenAnswer, fields: Mapping[str, Any]) -> None:
        """It has ended, and its message is in the log."""
        room = self._rooms.get(answer.connection_id, {})
        room.pop(answer.question_id, None)
        if not room:
            self._rooms.pop(answer.connection_id, None)
        if "error" in fields:
            fields = {**fields, "error": error_fields(fields["error"], self._markup)}
        self._tell(answer, _packet(ServerEvent.CHAT_ANSWER_END, answer, fields))

    def show(self, client: Client, connection_id: str) -> None:
        """Show a client who enters a room what its open answers are at."""
        session = client.socket.session
        for shown in self._rooms.get(connection_id, {}).values():
            session.send_catch_up(shown.start)
            if shown.status is not None:
                session.send_catch_up(shown.status)
            for packet in shown.rows:
                session.send_catch_up(packet)

    def _shown(self, answer: OpenAnswer) -> _Shown | None:
        return self._rooms.get(answer.connection_id, {}).get(answer.question_id)

    def _tell(self, answer: OpenAnswer, packet: Outgoing) -> None:
        self._adapter.broadcast(NAMESPACE, answer.connection_id, packet)


def _packet(event: ServerEvent, answer: OpenAnswer, fields: Mapping[str, object]) -> Outgoing:
    payload = {
        "messageId": answer.answer_id,
        "replyTo": written_id(answer.question_id),
        "connectionId": answer.connection_id,
        **fields,
    }
    return Outgoing(b"4" + event_text(event, orjson.dumps(payload)))
