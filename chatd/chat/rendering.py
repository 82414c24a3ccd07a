"""A message in its form on the wire, dumped once for all who get it (SPEC 4, `chat:message`)."""

from typing import Any

import orjson

from chatd.chat.markup import Markup
from chatd.chat.records import Message

STATUS_SENT = "sent"
STATUS_DELIVERED = "delivered"


def message_json(message: Message, markup: Markup, delivered: bool = False) -> bytes:
    """The payload of `chat:message` as JSON, with the markup rule applied to its content.

    `delivered`: somebody else than the author has acknowledged it.
    """
    payload: dict[str, Any] = {
        "messageId": message.message_id,
        "connectionId": message.connection_id,
        "userId": message.user_id,
        "content": markup(message.content),
        "timestamp": message.timestamp_ms,
        "status": STATUS_DELIVERED if delivered else STATUS_SENT,
        "seq": message.seq,
    }
    if message.name is not None:
        payload["name"] = message.name
    if message.context is not None:
        payload["context"] = orjson.Fragment(message.context)
    if message.thread_id is not None:
        payload["threadId"] = message.thread_id
    return orjson.dumps(payload)
