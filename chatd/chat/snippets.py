"""What a hit of the search shows: the text around the first match, and where the matches are in it.

Positions are code points, start and end, the end not included. The markup rule is applied to the
shown text as a whole, and the positions are moved by what the rule put in or left out: a highlight
can never part a `<` from the letter that the rule has to see after it.
"""

import unicodedata
from collections.abc import Sequence

import attrs

from chatd.chat.markup import Markup

SNIPPET_CHARS = 160  # code points of content in a snippet
LEAD_CHARS = 40  # of these, before the first match
WORD_CHARS = 20  # how far a cut moves so that it does not part a word
ELLIPSIS = "…"


@attrs.frozen
class Snippet:
    """What is shown, and the matches in it."""

    text: str
    highlights: tuple[tuple[int, int], ...]


def snippet(content: str, matches: Sequence[tuple[int, int]], markup: Markup) -> Snippet:
    """The part of `content` with the first match; `matches` ascend and do not overlap."""
    first = matches[0][0] if matches else 0
    start = _word_start(content, max(0, min(first - LEAD_CHARS, len(content) - SNIPPET_CHARS)))
    end = _word_end(content, min(len(content), start + SNIPPET_CHARS))
    before, after = ELLIPSIS if start else "", ELLIPSIS if end < len(content) else ""
    shown = before + content[start:end] + after
    move = len(before) - start
    inside = [
        (max(low, start) + move, min(high, end) + move)
        for low, high in matches
        if low < end and high > start
    ]
    return Snippet(
        markup(shown),
        tuple((_place(shown, low, markup), _place(shown, high, markup)) for low, high in inside),
    )


def _place(text: str, at: int, markup: Markup) -> int:
    """Where the character at `at` begins once the rule has been applied.

    What follows it is delivered as it is within the whole: no rule looks back.
    """
    return len(markup(text)) - len(markup(text[at:]))


def _word_start(content: str, at: int) -> int:
    """A place at or a little after `at` where a word begins, if there is one, or a character."""
    if at == 0 or content[at - 1].isspace():
        return at
    near = range(at, min(at + WORD_CHARS, len(content)))
    for place in near:
        if content[place].isspace():
            return place + 1
    return next((place for place in near if not _is_mark(content[place])), at)


def _word_end(content: str, at: int) -> int:
    """A place at or a little before `at` where a word ends, if there is one, or a character."""
    if at >= len(content) or content[at].isspace():
        return at
    near = range(at, max(at - WORD_CHARS, 0), -1)
    for place in near:
        if content[place].isspace():
            return place
    return next((place for place in near if not _is_mark(content[place])), at)


def _is_mark(character: str) -> bool:
    """Whether it forms one character with what stands before it."""
    return unicodedata.category(character).startswith("M")
