"""What people read of an answer: a table in Markdown, and a sentence for every other end.

A client that knows only `chat:message` shows this text, as Markdown or as it is; both have to be
readable. No cell can leave its place in the table, become a link, or open markup: `<` is parted as
in `chatd.chat.markup`, so that the markup rule of the room finds nothing to change.

Many Markdown renderers turn what looks like an address into a link, unasked (GFM, "Autolinks";
linkify), and names and codes (`@ada`, `:smile:`) into other things. A backslash in the middle parts
what they look for: a slash from its neighbour, a dot from the letter after it. People can still
read the address. GitHub's own renderer looks for mail addresses once the backslashes are gone, and
so finds them; it is not a client of this chat.
"""

import re
import unicodedata
from base64 import b64decode
from collections.abc import Mapping, Sequence

from chatd.answers.answer import AnswerContent, AnswerState
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.table import BYTES, Cell, Column, Row
from chatd.chat.markup import neutralise
from chatd.counts import counted

ROWS_MAX = 50  # rows that are shown; "… 958 more rows" stands for the others
CHARS_MAX = 8_000  # characters of the text, below the longest message; fewer rows are shown then
CELL_CHARS_MAX = 60  # characters of a cell before escaping; a longer one ends with an ellipsis
COLUMNS_MAX = 30  # columns that are shown; a line says how many are not
NOTES_CHARS_MAX = 800  # characters that are kept for what stands below a table
SENTENCE_CHARS_MAX = 1_000  # characters of what a database says of its error
BYTES_SHOWN = 16  # bytes of a value that are shown as hexadecimal digits

ELLIPSIS = "…"
NULL = "NULL"
NEW_LINE = "⏎"  # stands for a line break in a cell

# `_` opens emphasis at the edge of a word only, `&` a character reference before these.
_MARKDOWN = re.compile(
    r"[\\|`*\[\]~]|(?<![^\W_])_|_(?![^\W_])|&(?=[#A-Za-z])"
    # Addresses: `//`, `a.b` (not `1.5`), `1.2.3.4`, `www.`, `a@b`; and codes: `:smile:`.
    r"|/(?=/\S)|(?<=\w)\.(?=[^\W\d_]|\d+\.\d+\.\d)|(?<=www)\.|@(?=\w)|(?<!\d):(?=[\w+-]+:)",
    re.IGNORECASE,
)
_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Characters that turn the direction of what follows: a cell could change how the others look.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def readable(content: AnswerContent) -> str:
    """What an answer that has ended says: its table, or why it has none, or only part of it; and
    what is remarked on its statement."""
    said = _said(content)
    return said if content.remark is None else f"{said}\n\nNote: {_escaped(content.remark)}"


def _said(content: AnswerContent) -> str:
    ending = content.ending
    assert ending is not None
    if ending.state is not AnswerState.DONE:
        text = end_text(ending.state, ending.sentence or "")
        return with_partial_table(text, content.columns, content.rows, content.cut)
    if ending.text is not None:
        return ending.text
    table = table_text(content.columns or (), content.rows, content.cut)
    if ending.rows_written is None or (content.columns and not ending.rows_written):
        return table  # a WITH that may write but only reads gives a table
    done = f"Done; {written_text(ending.rows_written)}."
    return f"{table}\n\n{done}" if content.columns else done


def written_text(count: int) -> str:
    """How many rows a statement changed, in words."""
    return f"{counted(count, 'row')} {'was' if count == 1 else 'were'} changed"


def cell_text(cell: Cell) -> str:
    """A cell as people read it, on one line, cut, and escaped for a table in Markdown."""
    match cell:
        case None:
            return NULL
        case bool():
            return "true" if cell else "false"
        case Mapping():
            return _escaped(_bytes_text(cell))
        case _:
            return _escaped(_cut(str(cell), CELL_CHARS_MAX))


def whole_cell_text(cell: Cell) -> str:
    """As `cell_text`, but not cut: for a file. Bytes are base64."""
    match cell:
        case Mapping():
            return _escaped(cell.get(BYTES, ""))
        case str():
            return _escaped(_LINE_BREAK.sub(NEW_LINE, cell))
        case _:
            return cell_text(cell)


def is_shown_whole(cell: Cell) -> bool:
    """Whether `cell_text` shows all of a cell."""
    match cell:
        case Mapping():
            return ELLIPSIS not in _bytes_text(cell)
        case str():
            return _is_whole(cell, _line_of(cell, CELL_CHARS_MAX), CELL_CHARS_MAX)
        case _:
            return True


def table_text(columns: Sequence[Column], rows: Sequence[Row], cut: Cut) -> str:
    """The rows as a table, within the bounds above. `cut` is what these rows lack already."""
    if not rows:
        return "\n\n".join([empty_text(columns, cut), *cut.sentences(0)])
    shown = columns[:COLUMNS_MAX]
    notes = []
    if len(columns) > len(shown):
        notes.append(f"{ELLIPSIS} {counted(len(columns) - len(shown), 'more column')}")
    lines = [
        table_line([cell_text(column.name) for column in shown]),
        table_line(["---"] * len(shown)),
    ]
    # There is always room for what stands below the table.
    left = CHARS_MAX - NOTES_CHARS_MAX - sum(len(line) + 1 for line in lines)
    parts = 0
    for row in rows[:ROWS_MAX]:
        line = table_line([cell_text(cell) for cell in row[:COLUMNS_MAX]])
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
        parts += sum(not is_shown_whole(cell) for cell in row[:COLUMNS_MAX])
    hidden = len(rows) - (len(lines) - 2)
    if hidden:
        notes.append(f"{ELLIPSIS} {counted(hidden, 'more row')}")
    if parts:
        notes.append(f"{ELLIPSIS} {counted(parts, 'value')} shown in part")
    notes += cut.sentences(len(rows))
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def empty_text(columns: Sequence[Column], cut: Cut = WHOLE) -> str:
    """The text for a result without rows; it names the columns, so that people see that it is a
    result."""
    if not columns:
        return "Done; there is nothing to show."
    names = ", ".join(cell_text(column.name) for column in columns[:COLUMNS_MAX])
    head = "No row fits." if cut.rows is not None else "No rows."
    return f"{head} Columns: {names}{', ' + ELLIPSIS if len(columns) > COLUMNS_MAX else ''}"


_BEFORE_SENTENCE = {
    AnswerState.ERROR: "This went wrong: ",
    AnswerState.CANCELLED: "",
    AnswerState.TIMEOUT: "Out of time: ",
    AnswerState.INTERRUPTED: "Interrupted: ",
}


def end_text(state: AnswerState, sentence: str) -> str:
    """The text of an answer that ended in this state, without its table."""
    return _BEFORE_SENTENCE[state] + _escaped(_cut(sentence, SENTENCE_CHARS_MAX))


def with_partial_table(
    text: str, columns: Sequence[Column] | None, rows: Sequence[Row], cut: Cut
) -> str:
    """The text of an end, and below it the rows that had come by then."""
    if columns is None or not rows:
        return text
    return f"{text}\n\nUntil then:\n\n{table_text(columns, rows, cut)}"


def table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cut(text: str, chars_max: int) -> str:
    line = _line_of(text, chars_max)
    return line if _is_whole(text, line, chars_max) else line[: chars_max - 1] + ELLIPSIS


def _line_of(text: str, chars_max: int) -> str:
    # A long value is looked at only as far as it can be shown.
    return _LINE_BREAK.sub(NEW_LINE, text[: 2 * chars_max]).strip()


def _is_whole(text: str, line: str, chars_max: int) -> bool:
    return len(line) <= chars_max and len(text) <= 2 * chars_max


def _bytes_text(cell: Mapping[str, str]) -> str:
    encoded = cell.get(BYTES, "")
    try:
        value = b64decode(encoded, validate=True)
    except ValueError:
        return f"(not base64) {_cut(encoded, CELL_CHARS_MAX)}"
    shown = value[:BYTES_SHOWN].hex()
    return (
        f"0x{shown}" if len(value) <= BYTES_SHOWN else f"0x{shown}{ELLIPSIS} ({len(value)} bytes)"
    )


def _escaped(text: str) -> str:
    """The text without meaning in Markdown or HTML, and without characters that cannot be seen."""
    seen = text.replace("\t", " ")
    if not (seen.isascii() and seen.isprintable()):
        seen = "".join(
            "\ufffd" if char in _TURNING or unicodedata.category(char) in ("Cc", "Cs") else char
            for char in seen
        )
    return _MARKDOWN.sub(lambda match: f"\\{match.group()}", neutralise(seen))
