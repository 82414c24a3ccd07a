"""Where the words of a query stand in a text, as positions in the text as it was written.

A text is folded as the index has it (`chatd.chat.words`), and searched in that form. Each piece of
the text, a character and what joins it, is folded by itself, which maps a place back to the text.
So a match covers whole characters with their marks.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from chatd.chat.search import SearchTerm
from chatd.chat.words import JOINED, SEPARATORS, UNSPACED, folded

_PIECE: Final = re.compile(f"[{UNSPACED}]+|[^{SEPARATORS}{UNSPACED}]+")
_IN_WORD: Final = re.compile(f"[^{SEPARATORS}{UNSPACED}]+")
_FOLDED_TOGETHER: Final = re.compile(f"(?s:.)[{JOINED}]*")
_STRETCH: Final = re.compile(f"(?s:.{{1,64}})[{JOINED}]*")  # as many of these, folded in one go


def matches(text: str, terms: Sequence[SearchTerm]) -> tuple[tuple[int, int], ...]:
    """Start and end, in code points, of whatever matches one of the terms: in order, none twice."""
    looked_in = folded(text)
    merged: list[tuple[int, int]] = []
    for low, high in sorted(span for term in terms for span in _found(looked_in, term)):
        begin, end = low, high
        if merged and low < merged[-1][1]:
            begin, before = merged.pop()
            end = max(high, before)
        merged.append((begin, end))
    return tuple(merged) if text.isascii() else _as_written(text, merged)


def _found(text: str, term: SearchTerm) -> Iterator[tuple[int, int]]:
    """Where the index finds a term in a folded text; the places may overlap."""
    pieces = _PIECE.findall(folded(term.text))
    begins_in_word, ends_in_word = (_IN_WORD.match(pieces[at]) is not None for at in (0, -1))
    for found in _pattern(pieces).finditer(text):
        low, high = found.span(1)
        if begins_in_word and low and _IN_WORD.match(text, low - 1, low):
            continue
        rest = _IN_WORD.match(text, high) if ends_in_word else None
        if rest is None:
            yield low, high
        elif term.is_prefix:
            yield low, rest.end()


def _pattern(pieces: Sequence[str]) -> re.Pattern[str]:
    """The pieces one after the other. It matches nothing, and captures what it saw, so that the
    next match may begin within."""
    pattern = re.escape(pieces[0])
    for before, piece in pairwise(pieces):
        # Words stand apart, and so do runs without spaces; a word and a run may touch.
        are_alike = (_IN_WORD.match(before) is None) == (_IN_WORD.match(piece) is None)
        pattern += f"[{SEPARATORS}]{'+' if are_alike else '*'}{re.escape(piece)}"
    return re.compile(f"(?=({pattern}))")


def _as_written(text: str, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Places in the folded text as places in the text; those that come to touch the same character
    become one."""
    covers = _covers(text, sorted({end for low, high in spans for end in (low, high - 1)}))
    places: list[tuple[int, int]] = []
    for low, high in spans:
        begin, end = covers[low][0], covers[high - 1][1]
        if places and begin < places[-1][1]:
            begin = places.pop()[0]
        places.append((begin, end))
    return tuple(places)


def _covers(text: str, wanted: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Start and end of the parts of the text that became the characters at these ascending
    places."""
    left = deque(wanted)
    covers: dict[int, tuple[int, int]] = {}
    at = 0
    for stretch in _STRETCH.finditer(text):
        end = at + len(folded(stretch.group()))
        if left and left[0] < end:
            for piece in _FOLDED_TOGETHER.finditer(text, *stretch.span()):
                at += len(folded(piece.group()))
                while left and left[0] < at:
                    covers[left.popleft()] = piece.span()
        at = end
        if not left:
            break
    return covers
