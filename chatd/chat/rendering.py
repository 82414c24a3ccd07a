"""A message in its form on the wire, dumped once for all who get it (SPEC 4, `chat:message`)."""

from typing import Any

import orjson

from chatd.chat.markup import Markup
from chatd.chat.records import Message

STATUS_SENT = "sent"
STATUS_DELIVERED = "delivered"
STATUS_DAMAGED = "damaged"

DAMAGED_SENTENCE = "This message cannot be read: its record on the server's disk is damaged."
DAMAGED_PART_SENTENCE = (
    "A part of this message cannot be read: its record on the server's disk is damaged."
)

_ERROR = b'"error":{'  # in the JSON of an answer that failed; text in cells has its quotes escaped


def message_json(message: Message, markup: Markup, delivered: bool = False) -> bytes:
    """The payload of `chat:message` as JSON, with the markup rule applied to its content.

    `delivered`: somebody else than the author has acknowledged it. What is damaged is shown as far
    as it can be read, and told as its `status` and `error`.
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
    if message.reply_to is not None:
        payload["replyTo"] = message.reply_to
    if message.answer is not None:
        payload["answer"] = orjson.Fragment(message.answer)
        if _ERROR in message.answer:
            error = orjson.loads(message.answer).get("error")
            if isinstance(error, dict):
                payload["error"] = error.get("message")
    if message.is_damaged:
        is_whole_text = message.content != DAMAGED_SENTENCE
        payload["status"] = STATUS_DAMAGED
        payload["error"] = DAMAGED_PART_SENTENCE if is_whole_text else DAMAGED_SENTENCE
    return orjson.dumps(payload)
