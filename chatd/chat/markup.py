"""Text of people is plain text: how it is delivered so that nothing obeys it.

Two kinds of readers obey text. An HTML tokenizer leaves the data state at `<` only before an ASCII
letter, `/`, `!` or `?` (WHATWG HTML, "Tag open state"). Writing `< ` there, and at the end, where a
page may add such a character, leaves only text, and leaves the tokens of SQL as they were: white
space between `<` and what follows is insignificant outside of literals. Inside of them, and of
quoted names and comments, it is one more character: no text can both be left alone there and hold
no markup.

Terminals and editors obey control characters. Whatever the rule for markup, ESC is delivered as
`␛`, and so on; a lone CR, with which a terminal goes over its line again, as the line end that it
was; and what turns the direction of the text around it (U+202A to U+202E, U+2066 to U+2069) is left
out, as it can make code read in another order than it runs in, balanced or not ("Trojan Source").
Arabic and Hebrew need none of these: letters have their direction, and the marks U+200E, U+200F and
U+061C stay.

The database gets the text as written, and the log keeps it so. How a part of a text is delivered
depends on what follows it, never on what precedes it: `chatd.chat.snippets` relies on that.
"""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from chatd.wire.identifiers import OPENS_MARKUP

Markup: TypeAlias = Callable[[str], str]

SHORT_CHARS = 60  # of a text that is looked at character by character; a longer one as bytes

# Beside the directions, U+206A to U+206F: deprecated, and obeyed no less. CR LF is a line end.
_OBEYED = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f]")
_SHOWN = {
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},  # the pictures that Unicode has
    "\x7f": "\u2421",
    **{chr(code): "\ufffd" for code in range(0x80, 0xA0)},
    "\r": "\n",
    "\v": " ",  # white space to SQL; moves a terminal one line down
    "\f": " ",
}

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09, 0x0A})  # of ASCII, a CR before its LF included


def keep(content: str) -> str:
    """The content with its markup, for clients that render text and nothing else; what controls
    terminals, or turns text around, is still replaced or left out."""
    if _is_plain(content):
        return content
    return _OBEYED.sub(lambda found: _SHOWN.get(found.group(), ""), content)


def neutralise(content: str) -> str:
    """`<` written `< ` exactly where it would open markup."""
    if "<" not in content:
        if len(content) <= SHORT_CHARS and content.isprintable():  # most are; and a call less
            return content
        return keep(content)
    return OPENS_MARKUP.sub("< ", keep(content))


def _is_plain(content: str) -> bool:
    """Whether nothing in it would be obeyed, by the cheapest check: each message is checked."""
    if len(content) <= SHORT_CHARS and content.isprintable():
        return True
    if not content.isascii():
        return _OBEYED.search(content) is None
    encoded = content.encode()
    return len(encoded.translate(None, _CONTROLS)) == len(encoded)


def escape(content: str) -> str:
    """The characters that HTML gives a meaning to, as character references."""
    return (
        keep(content)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


MARKUPS: dict[str, Markup] = {"neutralise": neutralise, "escape": escape, "keep": keep}


def in_all(value: Any, markup: Markup) -> Any:
    """A JSON value with the rule applied to each text in it; keys are ours, and stay."""
    match value:
        case str():
            return markup(value)
        case list():
            return [in_all(one, markup) for one in value]
        case dict():
            return {key: in_all(one, markup) for key, one in value.items()}
        case _:
            return value
