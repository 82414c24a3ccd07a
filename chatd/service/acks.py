"""How outcomes are told: acks, and the events beside them (SPEC 3).

Every event may carry an ack callback; a refusal goes there as `{ok: false, error}`, and also as the
event that the client listens for: `chat:message:error` for messages, `chat:error` for the rest.
"""

from typing import Any

import orjson

from chatd.sockets.socket import Socket
from chatd.wire.codes import Refusal
from chatd.wire.identifiers import CONNECTION_ID_CHARS, is_id
from chatd.wire.names import ClientEvent, ServerEvent


def accepted(socket: Socket, ack_id: int | None, **fields: Any) -> None:
    """Acknowledge an event with `{ok: true, ...}`."""
    if ack_id is not None:
        socket.ack_json(ack_id, orjson.dumps({"ok": True, **fields}))


def refused(
    socket: Socket,
    event: ClientEvent,
    ack_id: int | None,
    refusal: Refusal,
    *,
    connection_id: str | None = None,
) -> None:
    """Refuse an event that has no error event of its own."""
    _refuse_ack(socket, ack_id, refusal)
    error: dict[str, Any] = {
        "event": event,
        "code": refusal.code,
        "message": refusal.sentence,
    }
    if connection_id is not None:
        error["connectionId"] = connection_id
    _add_details(error, refusal)
    socket.emit_json(ServerEvent.CHAT_ERROR, orjson.dumps(error))


def message_refused(
    socket: Socket, ack_id: int | None, message_id: str | None, refusal: Refusal
) -> None:
    """Refuse a `chat:message`; `message_id` is as the client wrote it, where it is one."""
    _refuse_ack(socket, ack_id, refusal)
    error: dict[str, Any] = {
        "messageId": message_id,
        "error": refusal.sentence,
        "code": refusal.code,
        "retryable": refusal.retryable,
    }
    _add_details(error, refusal)
    socket.emit_json(ServerEvent.CHAT_MESSAGE_ERROR, orjson.dumps(error))


def _add_details(error: dict[str, Any], refusal: Refusal) -> None:
    """Which field it is about, and when to come again: who asked for no ack is told too."""
    if refusal.path is not None:
        error["path"] = refusal.path
    if refusal.retry_after_ms is not None:
        error["retryAfterMs"] = refusal.retry_after_ms


def _refuse_ack(socket: Socket, ack_id: int | None, refusal: Refusal) -> None:
    if ack_id is not None:
        socket.ack_json(ack_id, orjson.dumps({"ok": False, "error": refusal.as_error()}))


def told_back(value: object, most: int = CONNECTION_ID_CHARS) -> str | None:
    """What a client wrote where an id belongs, as far as it can be told back to it and to the log.

    It is told as it was written, so that the client knows it again, where it might be an id of
    `most` characters; what is no id (markup, controls, a long text) is not told.
    """
    return value if is_id(value, most) else None
