"""Copies of answers with fewer rows, for clients that ask for no more (`answerRows`); pure.

An answer can have thousands of rows, and a page a dozen answers. Parsing them all for each page
would cost many times what the page costs. So the JSON is cut as bytes, at the end of the last row
that is wanted: nothing after it is looked at. That works because `AnswerTable` has its rows last,
and because every quote within a JSON string has its backslash. JSON of another form is parsed.
"""

import re
from typing import Any, Final

import orjson

WALKED_ROWS: Final = 100
"""Rows that are looked for one by one; for more of them, parsing everything is cheaper."""
_HEAD: Final = re.compile(rb'\{"state":"\w+","rowCount":(\d{1,9}),')
_ROWS: Final = b',"rows":['
# The groups are possessive: atomic ones would keep a place to go back to for each value. Behind one
# that fails, nothing else could go on: see tests/tooling/test_patterns.
_ROW: Final = re.compile(rb'\[(?:[^"\[\]]++|"(?:[^"\\]++|\\.)*+")*+\]', re.DOTALL)
_ANSWER: Final = b',"answer":'  # in a message, whose fields before it hold no such key


def with_rows(answer: bytes, most: int) -> bytes:
    """The JSON of an answer with its first `most` rows, and `rowsOmitted` if there are more.

    What is not JSON, or not a table, comes back as it is.
    """
    head = _HEAD.match(answer)
    if head is None:
        return _parsed_with_rows(answer, most)
    stored = int(head[1])
    if stored <= most:
        return answer
    begin = answer.find(_ROWS, head.end())
    if begin < 0 or most > WALKED_ROWS:
        return _parsed_with_rows(answer, most)
    end = begin + len(_ROWS)
    for count in range(most):
        row = _ROW.match(answer, end if count == 0 else end + 1)
        if row is None:
            return _parsed_with_rows(answer, most)
        end = row.end()
        if answer[end : end + 1] == b"]":  # it was cut before, or counts rows that it does not have
            return answer
    if answer[end : end + 1] == b"]":
        return answer
    return b'%b],"rowsOmitted":%d}' % (answer[:end], stored - most)


def message_with_rows(body: bytes, answer: bytes | None, most: int | None) -> bytes:
    """The JSON of a message, whose answer is `answer`, with so many rows; None: with all."""
    if answer is None or most is None:
        return body
    begin = body.find(_ANSWER) + len(_ANSWER)
    if not body.startswith(answer, begin):  # its error was rendered: another text
        return _parsed_message_with_rows(body, most)
    cut = with_rows(answer, most)
    return body if cut is answer else body[:begin] + cut + body[begin + len(answer) :]


def _parsed_with_rows(answer: bytes, most: int) -> bytes:
    try:
        told = orjson.loads(answer)
    except ValueError:
        return answer
    return orjson.dumps(told) if _cut(told, most) else answer


def _parsed_message_with_rows(body: bytes, most: int) -> bytes:
    message = orjson.loads(body)
    return orjson.dumps(message) if _cut(message.get("answer"), most) else body


def _cut(answer: Any, most: int) -> bool:
    """Cut a parsed answer; False if nothing is to be cut."""
    rows = answer.get("rows") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or len(rows) <= most:
        return False
    answer["rows"] = rows[:most]
    answer["rowsOmitted"] = len(rows) - most + (answer.get("rowsOmitted") or 0)
    return True
