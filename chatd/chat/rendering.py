"""A message in its form on the wire, rendered once for all clients that get it.

What people or databases wrote goes out under the markup rule: content, name, context and the
sentence of an error. Ids and the rows, columns and statement of an answer are delivered as they
are.

The rule changes literals of SQL, which would give other rows if somebody asked it again. So a
message that may hold SQL has a second field beside its content if the two differ: `raw`, exactly as
it was written. Plain talk has no `raw`.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, assert_never

import attrs
import orjson

from chatd.chat.ids import WRITTEN_CHARS, written_id
from chatd.chat.markup import Markup, in_all, neutralise
from chatd.chat.records import (
    Change,
    Changes,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    ReactionChanged,
)
from chatd.wire import events
from chatd.wire.encoder import encoder_of, with_fields
from chatd.wire.events import NULL, PublishedMessage
from chatd.wire.names import MessageStatus

DAMAGED_SENTENCE = "This message cannot be read: its record on the server's disk is damaged."
DAMAGED_PART_SENTENCE = (
    "A part of this message cannot be read: its record on the server's disk is damaged."
)

_encode = encoder_of(PublishedMessage)
_SENT, _DELIVERED, _DAMAGED = MessageStatus  # to look a member up costs 0.2 us
_ERROR = b'"error":{'  # in the JSON of an answer that failed; text in cells has its quotes escaped
_PLAIN = re.compile(rb'[\w",.:{}\[\] -]*')  # a context in which no rule finds anything to change


@attrs.frozen
class Renderer:
    """Renders the messages of a daemon. `may_hold_sql` is asked of contents that the markup rule
    changes."""

    markup: Markup
    may_hold_sql: Callable[[str], bool]

    def __call__(self, message: Message, delivered: bool = False) -> bytes:
        """The payload of `chat:message` as JSON; see `message_json`."""
        return message_json(message, self.markup, delivered, self.may_hold_sql)

    def change(self, change: Change) -> events.MessageChange:
        """What clients in the room get of a change."""
        message = change.message
        named = partial(
            _named,
            message_id=written_id(message.message_id),
            connection_id=message.connection_id,
            seq=message.seq,
            rev=change.rev,
        )
        match change:
            case MessageEdited():
                shown, written = self.markup(message.content), message.content
                raw = written if shown != written and self.may_hold_sql(written) else None
                return named(
                    events.MessageEdited,
                    content=shown,
                    raw=raw,
                    mentions=_mentions(message.mentions),
                    edited_at=change.at_ms,
                )
            case MessageErased(message):
                return named(
                    events.MessageDeleted, deleted_at=change.at_ms, user_id=message.user_id
                )
            case MessageDeleted():
                return named(events.MessageDeleted, deleted_at=change.at_ms)
            case ReactionChanged(by=by, emoji=emoji, is_on=is_on):
                return named(events.MessageReaction, user_id=by, emoji=emoji, is_on=is_on)
            case _:
                assert_never(change)


def _named(kind: Callable[..., events.MessageChange], **fields: Any) -> events.MessageChange:
    """A change of this kind, with its own fields beside those that all changes have."""
    return kind(**fields)


def _never(content: str) -> bool:
    del content
    return False


def message_json(
    message: Message,
    markup: Markup,
    delivered: bool = False,
    may_hold_sql: Callable[[str], bool] = _never,
) -> bytes:
    """The payload of `chat:message` as JSON, with the markup rule applied to its text.

    `delivered`: a user other than the author has acknowledged it. A damaged message is rendered as
    far as it can be read, and its `status` and `error` say so.
    """
    status = _DELIVERED if delivered else _SENT
    user_id, answer, error, raw = shown_user(message.user_id), None, None, None
    written, shown = message.content, markup(message.content)
    if message.answer is not None:
        answer, error = _answer(message.answer, markup)
    elif shown != written and may_hold_sql(written):
        raw = written
    if message.is_damaged:
        status = _DAMAGED
        is_whole_text = message.content != DAMAGED_SENTENCE
        error = DAMAGED_PART_SENTENCE if is_whole_text else DAMAGED_SENTENCE
    body = _encode(
        message.message_id[:WRITTEN_CHARS],
        message.connection_id,
        user_id,
        shown,
        message.timestamp_ms,
        status,
        message.seq,
        None if message.name is None else markup(message.name),
        None if message.context is None else _context(message.context, markup),
        message.thread_id,
        None if message.reply_to is None else written_id(message.reply_to),
        answer,
        error,
        raw,
        _mentions(message.mentions),
    )
    return body if message.changes is None else _with_changes(body, message.changes)


def _with_changes(body: bytes, changes: Changes) -> bytes:
    """The JSON of a message, with what became of it."""
    reactions = [events.Reaction(one.emoji, one.users) for one in changes.reactions]
    return with_fields(
        body,
        rev=changes.rev,
        edited_at=None if changes.deleted_ms is not None else changes.edited_ms,
        deleted_at=changes.deleted_ms,
        reactions=reactions or None,
    )


def shown_user(user_id: str) -> str:
    """The id of a user as clients get it; a log may be from before ids were held to the rule."""
    return neutralise(user_id) if "<" in user_id else user_id


def _mentions(mentions: tuple[str, ...]) -> tuple[str, ...] | None:
    """The users whom a message mentions, their ids under the rule as those of authors are."""
    return tuple(map(shown_user, mentions)) if mentions else None


def _answer(kept: bytes, markup: Markup) -> tuple[orjson.Fragment, str | orjson.Fragment | None]:
    """An answer as it is delivered, and the sentence of its error."""
    if _ERROR in kept:
        answer = orjson.loads(kept)
        error = answer.get("error")
        if isinstance(error, dict):
            answer["error"] = error_fields(error, markup)
            sentence = answer["error"].get("message", NULL)
            return orjson.Fragment(orjson.dumps(answer)), sentence
    return orjson.Fragment(kept), None


def error_fields(error: dict[str, Any], markup: Markup) -> dict[str, Any]:
    """The error of an answer, which may hold words of the database; a message that is not text, as
    in a damaged record, is left out."""
    message = error.get("message")
    if not isinstance(message, str):
        return {key: value for key, value in error.items() if key != "message"}
    return {**error, "message": markup(message)}


def _context(context: bytes, markup: Markup) -> orjson.Fragment:
    """A context, as canonical JSON, as it is delivered."""
    if _PLAIN.fullmatch(context) is None:
        context = orjson.dumps(in_all(orjson.loads(context), markup))
    return orjson.Fragment(context)
