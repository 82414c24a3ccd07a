"""A first look at a message: whether it may be a question.

Every message passes here, between the other tasks of the daemon, so it costs next to nothing and no
grammar is asked. What may be a question is read after it is stored (`questions`), in a process of
its own.
"""

import re

from chatd.answers.sql.blocks import SQL_INFO, fenced_blocks, has_fence
from chatd.answers.sql.commands import command_in
from chatd.answers.sql.likeness import Likeness, first_word, likeness
from chatd.answers.sql.odd_characters import plain_characters
from chatd.answers.sql.pasted import begins_with_prompt, shell_command, without_prompts

LIKE_CHARS = 500  # of a message that are weighed

QUOTED = re.compile(
    r"""(?P<fence>`{1,3})(?P<code>[^`]+)(?P=fence)|'([^'\n]+)'|"([^"\n]+)"|“([^”\n]+)”"""
)
INTRODUCED = re.compile(
    r"(?:(?:please[ ])?[%!]{0,2}(?:sql|query|q|run|execute|try)[ ]?:?|[-*•$#]|\d{1,3}[.)>])"
    r"\s{1,9}(?=\S)",
    re.IGNORECASE,
)
_INTRODUCES = frozenset("%!psqretPSQRET-*$#0123456789")
"""The characters of ASCII that `INTRODUCED` may begin with: a look that most talk ends at."""

CALLS_FOR_HELP = frozenset({"help", "help!", "help?"})
_SIGNS = frozenset("/\\.`'\"“")  # at the beginning of a command, or of what is quoted
LINE_BEGINS = re.compile(  # a statement below an introduction
    r"\n[ \t]*(?=SELECT\s|WITH\s+\w+(?:\s+\w+)?\s*(?:\([^()\n]*\)\s*)?AS\s*\()", re.IGNORECASE
)
_COMMAND_BEGINS = re.compile(r"/(?:[A-Za-z][A-Za-z_-]*(?::?[;.!?]*\Z|:?\s)|[/ ]+[A-Za-z]|\?\Z)")
_SHELL_BEGINS = re.compile(r"[\\.][A-Za-z?!]")
_BYTE_ORDER_MARK = "\ufeff"  # some files begin with it, and what is copied out of them


def may_be_question(content: str) -> bool:
    """Whether a message is worth the closer look of `question_in`; costs next to nothing."""
    text = begun(content)
    first = text[:1]
    if first in "hH" and text.rstrip().lower() in CALLS_FOR_HELP:
        return True
    if first in _SIGNS:
        return _may_begin_with(first, text)
    if first_word(text) is not None or has_fence(text) or begins_with_prompt(text):
        return True
    if first in _INTRODUCES or not first.isascii():
        introduced = INTRODUCED.match(text)
        if introduced is not None and first_word(text[introduced.end() :]) is not None:
            return True
    return "\n" in text and LINE_BEGINS.search(text) is not None


def _may_begin_with(sign: str, text: str) -> bool:
    """`may_be_question`, of a text that begins with one of `_SIGNS`."""
    match sign:
        case "/":
            is_command = _COMMAND_BEGINS.match(text) is not None
            return is_command or has_fence(text) or first_word(text) is not None
        case "\\" | ".":
            return _SHELL_BEGINS.match(text) is not None or has_fence(text)
        case _:
            return has_fence(text) or QUOTED.fullmatch(text.rstrip()) is not None


def is_like_question(content: str) -> bool:
    """Whether nobody would take this message, which may be a question, for talk; no grammar is
    asked."""
    text = begun(content).rstrip()
    if command_in(text) is not None or shell_command(text) is not None:
        return True
    if has_fence(text):
        return any(language in SQL_INFO for language, _ in fenced_blocks(text))
    text = (without_prompts(text) or text)[:LIKE_CHARS]
    return first_word(text) is not None and likeness(text) is Likeness.SURE


def begun(content: str) -> str:
    """A text from its first visible character on; a slash there becomes a plain one."""
    text = content.lstrip().removeprefix(_BYTE_ORDER_MARK).lstrip()
    if text[:1].isascii() or (first := plain_characters(text[:1]).strip()) not in ("", "/"):
        return text
    return first + text[1:].lstrip()
