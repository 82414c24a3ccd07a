"""What a message may be: its id, its length, its text (SPEC 5, "Message")."""

import re
import unicodedata

from chatd.wire.codes import Code, Refusal

CONTEXT_BYTES_MAX = 16_384  # JSON of a context: 100 tables with long names have room in it

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def canonical_message_id(text: str) -> str | Refusal:
    """The messageId in the form that ids are compared in, lower case; or why it is none."""
    lower = text.lower()
    if _UUID.fullmatch(lower) is None or not text.isascii():
        return Refusal(Code.INVALID_MESSAGE_ID, path="messageId")
    return lower


def check_content(content: str, max_chars: int) -> Refusal | None:
    """Why `content` cannot be a message: empty, longer than `max_chars` code points, with a NUL.

    White space and format characters (zero-width ones) alone are empty, however mixed. Length is
    counted after trimming; the text is kept as written. What is trimmed is bounded by the
    transport, and by four times the limit, so that white space is no way around it.
    """
    if len(content) > 4 * max_chars:
        return _too_long(content, max_chars)
    trimmed = content.strip()
    if not trimmed[:1].isalnum() and all(
        char.isspace() or unicodedata.category(char) == "Cf" for char in trimmed
    ):
        return Refusal(Code.CONTENT_EMPTY, path="content")
    if len(trimmed) > max_chars:
        return _too_long(content, max_chars)
    if "\0" in content:
        return Refusal(Code.INVALID_PAYLOAD, "A message cannot hold NUL.", path="content")
    return None


def check_context(context: bytes) -> Refusal | None:
    """Why a context, as canonical JSON, is more than a message may carry along."""
    if len(context) > CONTEXT_BYTES_MAX:
        return Refusal(
            Code.INVALID_PAYLOAD,
            f"The context has {len(context)} bytes and may have {CONTEXT_BYTES_MAX}; shorten it.",
            path="context",
        )
    return None


def _too_long(content: str, max_chars: int) -> Refusal:
    return Refusal(
        Code.CONTENT_TOO_LONG,
        f"The message has {len(content)} characters and may have {max_chars}; shorten it.",
        path="content",
    )
