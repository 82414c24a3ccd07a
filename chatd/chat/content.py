"""What a message may be: its id, its length, its text (docs/protocol, "Messages")."""

import re

from chatd.chat.invisible import is_blank
from chatd.wire.codes import Code, Refusal

CONTEXT_BYTES_MAX = 16_384  # JSON of a context: 100 tables with long names fit into it
PADDING_CHARS_MAX = 100_000  # white space around a message, kept but not counted as length

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def canonical_message_id(text: str) -> str | Refusal:
    """The messageId in the form that ids are compared in, lower case; or why this is not one."""
    lower = text.lower()
    if _UUID.fullmatch(lower) is None or not text.isascii():
        return Refusal(Code.INVALID_MESSAGE_ID, path="messageId")
    return lower


def check_content(content: str, max_chars: int) -> Refusal | None:
    """Why `content` cannot be a message: empty, longer than `max_chars` code points, with a NUL.

    Text that shows nothing (`chatd.chat.invisible`) is empty, however mixed and however long.
    Length is counted after trimming; the text is kept as written, so what is trimmed has a bound of
    its own, `PADDING_CHARS_MAX`: beyond it the message is too long.
    """
    trimmed = content.strip()
    if not trimmed or _shows_nothing(trimmed):
        return Refusal(Code.CONTENT_EMPTY, path="content")
    if len(trimmed) > max_chars:
        return _too_long(
            f"The message has {len(trimmed)} characters and may have {max_chars}; shorten it."
        )
    padding = len(content) - len(trimmed)
    if padding > PADDING_CHARS_MAX:
        return _too_long(
            f"The message has {padding} characters of white space around it and may have"
            f" {PADDING_CHARS_MAX}; trim it."
        )
    if "\0" in content:
        return Refusal(Code.INVALID_PAYLOAD, "A message cannot hold NUL.", path="content")
    return None


def check_context(context: bytes) -> Refusal | None:
    """Why a context, as canonical JSON, is more than a message may carry."""
    if len(context) > CONTEXT_BYTES_MAX:
        return Refusal(
            Code.INVALID_PAYLOAD,
            f"The context has {len(context)} bytes and may have {CONTEXT_BYTES_MAX}; shorten it.",
            path="context",
        )
    return None


def _shows_nothing(trimmed: str) -> bool:
    """Whether a text, which does not begin with white space, shows nothing. For most texts the
    first character decides, always if it is ASCII; else each distinct character is looked at."""
    first = trimmed[0]
    return not first.isascii() and is_blank(first) and is_blank(set(trimmed))


def _too_long(sentence: str) -> Refusal:
    return Refusal(Code.CONTENT_TOO_LONG, sentence, path="content")
