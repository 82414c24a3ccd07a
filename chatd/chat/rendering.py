"""A message in its form on the wire, dumped once for all its receivers (docs/protocol, "Messages").

What people or databases wrote goes out under the markup rule: content, name, context and the
sentence of an error. Ids and the rows and columns of an answer are delivered as they are.
"""

import re
from typing import Any

import orjson

from chatd.chat.ids import WRITTEN_CHARS, written_id
from chatd.chat.markup import Markup, in_all, neutralise
from chatd.chat.records import Message

STATUS_SENT = "sent"
STATUS_DELIVERED = "delivered"
STATUS_DAMAGED = "damaged"

DAMAGED_SENTENCE = "This message cannot be read: its record on the server's disk is damaged."
DAMAGED_PART_SENTENCE = (
    "A part of this message cannot be read: its record on the server's disk is damaged."
)

_ERROR = b'"error":{'  # in the JSON of an answer that failed; text in cells has its quotes escaped
_PLAIN = re.compile(rb'[\w",.:{}\[\] -]*')  # a context in which no rule finds anything to change


def message_json(message: Message, markup: Markup, delivered: bool = False) -> bytes:
    """The payload of `chat:message` as JSON, with the markup rule applied to its text.

    `delivered`: somebody else than the author has acknowledged it. What is damaged is shown as far
    as it can be read, with that in its `status` and `error`.
    """
    payload: dict[str, Any] = {
        "messageId": message.message_id[:WRITTEN_CHARS],
        "connectionId": message.connection_id,
        "userId": message.user_id,
        "content": markup(message.content),
        "timestamp": message.timestamp_ms,
        "status": STATUS_DELIVERED if delivered else STATUS_SENT,
        "seq": message.seq,
    }
    if "<" in message.user_id:  # of a log from before ids were held to the rule
        payload["userId"] = neutralise(message.user_id)
    if message.name is not None:
        payload["name"] = markup(message.name)
    if message.context is not None:
        payload["context"] = _context(message.context, markup)
    if message.thread_id is not None:
        payload["threadId"] = message.thread_id
    if message.reply_to is not None:
        payload["replyTo"] = written_id(message.reply_to)
    if message.answer is not None:
        payload["answer"] = orjson.Fragment(message.answer)
        if _ERROR in message.answer:
            answer = orjson.loads(message.answer)
            error = answer.get("error")
            if isinstance(error, dict):
                answer["error"] = error_fields(error, markup)
                payload["answer"] = answer
                payload["error"] = answer["error"].get("message")
    if message.is_damaged:
        is_whole_text = message.content != DAMAGED_SENTENCE
        payload["status"] = STATUS_DAMAGED
        payload["error"] = DAMAGED_PART_SENTENCE if is_whole_text else DAMAGED_SENTENCE
    return orjson.dumps(payload)


def error_fields(error: dict[str, Any], markup: Markup) -> dict[str, Any]:
    """The error of an answer, which may hold words of the database; a message that is no text, as
    in a damaged record, is left out."""
    message = error.get("message")
    if not isinstance(message, str):
        return {key: value for key, value in error.items() if key != "message"}
    return {**error, "message": markup(message)}


def _context(context: bytes, markup: Markup) -> Any:
    """A context, as canonical JSON, as it is delivered."""
    if _PLAIN.fullmatch(context) is not None:
        return orjson.Fragment(context)
    return in_all(orjson.loads(context), markup)
