"""A query as PostgreSQL searches for it: by an index of words, and in the text that these make.

The index knows which words a message has, but not where: PostgreSQL keeps at most 256 positions of
a word, so that phrases of frequent words would be missed. A phrase is a part of the text of words,
in which each word is between spaces. So phrases are looked for there, in messages that have all of
their words. The same holds for a word that is too long for the index.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from chatd.chat.search import SearchQuery, SearchTerm
from chatd.chat.words import words_of

WORD_CHARS: Final = 500
"""Characters of a word in the index: PostgreSQL takes 2,046 bytes."""
TEXT_BYTES_MAX: Final = 1_000_000
"""Bytes of a message's words in the index: PostgreSQL takes 1 MiB of them. Words after these are
not found; a message has so many only if `content_chars` is above 100,000 or so."""
ROOMS_IN_INDEX_MAX: Final = 100
"""Rooms that are searched by the index, as words are; if there are more, each message found is
checked."""


@attrs.frozen
class Sought:
    """What a message must have: in its words, as the text of a `tsquery`; in its text; and what its
    text must not have."""

    words: str
    texts: tuple[str, ...]
    excluded_texts: tuple[str, ...]


def sought(query: SearchQuery, room_ids: Sequence[int] = ()) -> Sought:
    """What matches the query in one of these rooms; in any room if none are given.

    >>> from chatd.chat.search import parse_query
    >>> sought(parse_query('ord* -"a b" "late orders" -old'), [12])
    Sought(words="'ord':* & 'late' & 'orders' & !'old' & ('/12')", texts=(' late orders ',), \
excluded_texts=(' a b ',))
    """
    words: list[str] = []
    texts: list[str] = []
    excluded_texts: list[str] = []
    for term in query.required:
        parts = words_of(term.text)
        words += map(_quoted, parts[:-1])
        words.append(_quoted(parts[-1]) + (":*" if term.is_prefix else ""))
        if not _is_told_by_index(parts):
            texts.append(_as_text(parts, term))
    for term in query.excluded:
        parts = words_of(term.text)
        if _is_told_by_index(parts):
            words.append(f"!{_quoted(parts[0])}" + (":*" if term.is_prefix else ""))
        else:
            excluded_texts.append(_as_text(parts, term))
    if 0 < len(room_ids) <= ROOMS_IN_INDEX_MAX:
        words.append(f"({' | '.join(_quoted(room_word(one)) for one in room_ids)})")
    return Sought(" & ".join(words), tuple(texts), tuple(excluded_texts))


def text_of(words: Sequence[str]) -> str:
    """Words as the text in which phrases are looked for: with a space before and after each."""
    return f" {' '.join(words)} "


def indexed_text(words: Sequence[str]) -> str:
    """The text of these words, as much of it as the index takes."""
    text = text_of(words)
    if len(text) <= TEXT_BYTES_MAX // 4:  # no character has more bytes
        return text
    left = TEXT_BYTES_MAX
    taken: list[str] = []
    for word in words:
        left -= len(word.encode()) + 1
        if left < 1:
            break
        taken.append(word)
    return text_of(taken)


def room_word(room_id: int) -> str:
    """The word that each message of a room has in the index; no text has a word with a slash."""
    return f"/{room_id}"


def _is_told_by_index(parts: Sequence[str]) -> bool:
    return len(parts) == 1 and len(parts[0]) < WORD_CHARS


def _as_text(parts: Sequence[str], term: SearchTerm) -> str:
    text = text_of(parts)
    return text[:-1] if term.is_prefix else text


def _quoted(word: str) -> str:
    return f"'{word[:WORD_CHARS]}'"
