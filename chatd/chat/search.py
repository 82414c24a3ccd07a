"""What people search for: their words as an expression of SQLite's FTS5, or why they are none.

    word          occurs, in whatever case and with whatever accents
    "two words"   occur next to each other
    begin*        a word that begins so occurs; also the last word of a phrase
    -word         does not occur; also -"a phrase"

All of it has to hold. Nothing else means anything: what FTS5 would take for an operator, a column
or a parenthesis is quoted, and so it is a word like others, or no word at all.
"""

import re

from chatd.wire.codes import Code, Refusal

QUERY_CHARS_MAX = 200  # code points of a query; beyond: invalid_query
TERMS_MAX = 16  # words and phrases of a query; beyond: invalid_query

_TERM = re.compile(r'(-?)(?:"([^"]*)"|([^\s"]+))(\*?)')


def match_expression(query: str) -> str | Refusal:
    """The query as the right side of FTS5's MATCH."""
    if len(query) > QUERY_CHARS_MAX:
        return _refused(f"The query has more than {QUERY_CHARS_MAX} characters; shorten it.")
    if "\0" in query:
        return _refused("A query cannot hold NUL.")
    if query.count('"') % 2:
        return _refused('A phrase is not closed; put a " at its end.')
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, phrase, word, star in _TERM.findall(query):
        text, is_prefix = phrase or word, bool(star)
        if word.endswith("*"):
            text, is_prefix = word.rstrip("*"), True
        if any(char.isalnum() for char in text):  # the tokenizer finds a word in it
            quoted = f'"{text}" *' if is_prefix else f'"{text}"'
            (unwanted if minus else wanted).append(quoted)
    if not wanted:
        return _refused("There is no word to search for; write one that has to occur.")
    if len(wanted) + len(unwanted) > TERMS_MAX:
        return _refused(f"The query has more than {TERMS_MAX} words and phrases; use fewer.")
    return " NOT ".join([f"({' AND '.join(wanted)})", *unwanted])


def _refused(sentence: str) -> Refusal:
    return Refusal(Code.INVALID_QUERY, sentence, path="query")
