"""Search queries, parsed: what has to occur in a message, and what must not.

    word          occurs, in whatever case and with whatever accents (`chatd.chat.words`)
    "two words"   occur next to each other
    begin*        a word that begins so occurs; also the last word of a phrase
    -word         does not occur; also -"a phrase"

All of it has to hold. Nothing else means anything: operators, columns and parentheses of a search
engine are words like others, or no words at all.
"""

import re

import attrs

from chatd.chat.words import has_word
from chatd.wire.codes import Code, Refusal

QUERY_CHARS_MAX = 200  # code points of a query; beyond: invalid_query
TERMS_MAX = 16  # words and phrases of a query; beyond: invalid_query

_TERM = re.compile(r'(-?)(?:"([^"]*)"|([^\s"]+))(\*?)')


@attrs.frozen
class SearchTerm:
    """A word or a phrase, without quotation marks; `is_prefix`: its last word may go on."""

    text: str
    is_prefix: bool


@attrs.frozen
class SearchQuery:
    """What has to occur, one term at least, and what must not."""

    required: tuple[SearchTerm, ...]
    excluded: tuple[SearchTerm, ...] = ()


def parse_query(query: str) -> SearchQuery | Refusal:
    """The query that a user wrote, or why it is not a query."""
    if len(query) > QUERY_CHARS_MAX:
        return _refused(f"The query has more than {QUERY_CHARS_MAX} characters; shorten it.")
    if "\0" in query:
        return _refused("A query cannot hold NUL.")
    if query.count('"') % 2:
        return _refused('A phrase is not closed; put a " at its end.')
    required: list[SearchTerm] = []
    excluded: list[SearchTerm] = []
    for minus, phrase, word, star in _TERM.findall(query):
        text, is_prefix = phrase or word, bool(star)
        if word.endswith("*"):
            text, is_prefix = word.rstrip("*"), True
        if has_word(text):
            (excluded if minus else required).append(SearchTerm(text, is_prefix))
    if not required:
        return _refused("There is no word to search for; write one that has to occur.")
    if len(required) + len(excluded) > TERMS_MAX:
        return _refused(f"The query has more than {TERMS_MAX} words and phrases; use fewer.")
    return SearchQuery(tuple(required), tuple(excluded))


def _refused(sentence: str) -> Refusal:
    return Refusal(Code.INVALID_QUERY, sentence, path="query")
