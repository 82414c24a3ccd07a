"""Odd characters in the place of plain ones: no-break spaces, curly quotes, full-width signs.

Word processors, chat programs and some keyboards put them there. No database takes them for the
plain ones, so nothing is run with them replaced: the sender is told the reason, and what to write
instead.
"""

import unicodedata
from collections.abc import Mapping

_SPACES = [
    chr(code) for code in range(0x3001) if chr(code).isspace() and chr(code) not in " \t\r\n"
]
_PLAIN: Mapping[str, str] = {
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys("\u200b\u2800\u3164", " "),
    **dict.fromkeys("‘’‚‛′´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—−", "-"),
    "…": "...",
    "。": ".",
    "、": ",",
    "≤": "<=",
    "≥": ">=",
    "≠": "<>",
    **{chr(0xFF01 + code): chr(0x21 + code) for code in range(0x5E)},
}
_UNSEEN = "\u00ad\u180e\u200c\u200d\u200e\u200f\u202a\u202c\u202d\u2060\ufeff"
_VALUE_SIGNS = "?:@#${"
_REPLACED = str.maketrans({**_PLAIN, **dict.fromkeys(_UNSEEN, "")})
_ODD = frozenset(_PLAIN) | frozenset(_UNSEEN)


def plain_characters(text: str) -> str:
    """The text with plain characters in the place of odd ones, and without those that are unseen.

    >>> plain_characters("count（*）\\u00a0= ‘x’")
    "count(*) = 'x'"
    """
    return text if text.isascii() else text.translate(_REPLACED)


def is_odd(text: str, chars: int) -> bool:
    """Whether `plain_characters` may change the first `chars` of the text; cheap."""
    return not text.isascii() and not _ODD.isdisjoint(text[:chars])


def nothing_is_put_in(sign: str) -> str:
    """What is said of a sign for which programs put values into their statements."""
    return f"No value is put in for a {sign} here; write the value itself, or leave the sign out."


def sentence_about(char: str) -> str:
    """What is said of a character that has no place outside of quotes."""
    if char in _VALUE_SIGNS:
        return nothing_is_put_in(char)
    if char.isascii() and char.isprintable():
        return f"The sign {char} has no place outside of quotes here."
    name = unicodedata.name(char, f"U+{ord(char):04X}")
    plain = _PLAIN.get(char)
    if plain == " ":
        return f"A {name} stands outside of quotes; write a plain space for it."
    if plain in ("'", '"'):
        return f"The character {name} is no quote of SQL; write {plain} for it."
    if plain is not None:
        return f"The character {name} has no place outside of quotes here; write {plain} for it."
    if char in _UNSEEN:
        return f"An unseen {name} stands outside of quotes; leave it out."
    return f"The character {name} has no place outside of quotes here."
