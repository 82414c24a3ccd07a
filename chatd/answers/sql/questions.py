"""What in a message is a question to its database (docs/answers, "Questions").

A message is a question when it is

- a command, at its beginning: see `commands`;
- one fenced block whose info string names SQL, anywhere in the message; a block without an info
  string where its text is SQL by the next rule;
- SQL from its first word to its last (`statements`), even after the prompt of a shell; a command of
  psql or of SQLite's shell that has a counterpart here (`pasted`);
- what begins like a statement and looks surely like one (`likeness`), though it cannot be read:
  it is answered with the reason.

Everything else is talk. What is nearly a question, and a command that does not exist, is talk with
a sentence that only its sender is told: a user who is misunderstood can write /sql. Whether the
statement may run is not asked here: see `guard`.

Here the grammar is asked, after a message is stored, in a process of its own (`reader`). Most
messages never come here: see `first_look`.
"""

import re
from collections.abc import Iterator

from chatd.answers.requests import DescribeTable, ListTables, RunStatement
from chatd.answers.sql.blocks import SQL_INFO, fenced_blocks, has_fence
from chatd.answers.sql.commands import COMMANDS, USAGES, Misused, Question, command_in, question_of
from chatd.answers.sql.elsewhere import instead_of_value
from chatd.answers.sql.first_look import (
    CALLS_FOR_HELP,
    INTRODUCED,
    LINE_BEGINS,
    QUOTED,
    begun,
)
from chatd.answers.sql.lexer import Dialect, Token, TokenKind
from chatd.answers.sql.likeness import (
    READ_ALWAYS,
    SLIPS,
    Likeness,
    first_word,
    has_marks,
    is_prose,
    likeness,
    names_data,
)
from chatd.answers.sql.odd_characters import plain_characters
from chatd.answers.sql.pasted import ForeignCommand, cleared, shell_command, without_prompts
from chatd.answers.sql.slips import slip_of
from chatd.answers.sql.statements import (
    LexedText,
    Standing,
    asked_otherwise,
    lexed_text,
    standing_of,
)
from chatd.answers.sql.talk import Talk
from chatd.answers.sql.unknown_commands import no_command, said_of_other_sign, said_of_slash
from chatd.wire.codes import HintCode

TEXT_CHARS_MAX = 10_000  # of what is given to the grammar; a longer message is SQL only in a block

_TOP = re.compile(
    r"\s*SELECT\s++(?:DISTINCT\s++)?TOP\s*+\(?\s*+\d++\s*+\)?\s*+[\w*\"\[]", re.IGNORECASE
)
_LETTERS = re.compile(r"[A-Za-z]+")
_TABLE = re.compile(
    r"""TABLE\s+(?P<table>[^\s;'"`\[\]]+|"[^"]+"|`[^`]+`|\[[^\]]+\])\s*;*""",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"select\s+\d+\s+[a-z]", re.IGNORECASE)  # a number of something
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_TOO_LONG = (
    f"A statement of more than {TEXT_CHARS_MAX:,} characters is run only with /sql, or in a block "
    "of SQL."
)


def question_in(content: str, dialect: Dialect) -> Question | Talk:
    """The question in the content of a message of a room whose database speaks this dialect, or
    what is said of talk. Never raises."""
    text = begun(content).rstrip()
    if (command := command_in(text)) is not None:
        name, argument = command
        is_statement = COMMANDS[name].argument == "SQL"
        return question_of(name, _stated(argument, dialect) if is_statement else argument)
    if text.startswith("/") and (said := said_of_slash(text, USAGES)) != Talk():
        return said
    if text.lower() in CALLS_FOR_HELP:
        return Talk(
            HintCode.UNKNOWN_COMMAND, f"Write {USAGES['help']} to see what can be asked here."
        )
    quoted = QUOTED.fullmatch(text)
    if has_fence(text):
        of_blocks = _of_blocks(text, dialect)
        if not isinstance(of_blocks, Talk):
            return of_blocks
        return _of_statement(text, dialect) if quoted is None else _nearly(quoted["code"], dialect)
    if quoted is not None:
        return _nearly(_inside(quoted), dialect)
    question = _of_text(text, dialect)
    return _introduced(text, dialect) if question == Talk() else question


def _stated(argument: str, dialect: Dialect) -> str:
    """The statement in what stands after /sql: what was nearly a question may be sent again so,
    with what stood around its statement."""
    if fenced_blocks(argument):
        return argument
    text = without_prompts(argument) or argument
    quoted = QUOTED.fullmatch(text)
    if quoted is not None:
        return _inside(quoted).strip()
    for statement in _introduced_in(text):
        if _nearly(statement, dialect) != Talk():
            return statement
    return text


def _inside(quoted: "re.Match[str]") -> str:
    """What stands between the quotes or backticks of a match of `QUOTED`."""
    return quoted["code"] or quoted[quoted.lastindex or 0]


def _of_shell(asked: ListTables | DescribeTable | ForeignCommand) -> Question | Talk:
    """What a command of another shell comes to."""
    if not isinstance(asked, ForeignCommand):
        return asked
    shell = "psql" if asked.written.startswith("\\") else "the shell of SQLite"
    return no_command(f"{asked.written} is a command of {shell}, and not of this chat.")


# Statements


def _of_text(text: str, dialect: Dialect) -> Question | Talk:
    """What a text comes to as a whole: a command of a shell, or a statement, or neither."""
    text = without_prompts(text) or text
    shell = shell_command(text)
    if shell is not None:
        return _of_shell(shell)
    if text.startswith(("\\", ".")):
        return said_of_other_sign(text, USAGES)
    return _of_statement(text, dialect)


def _of_blocks(text: str, dialect: Dialect) -> Question | Talk:
    found: list[Question] = []
    talk = Talk()
    for language, statement in fenced_blocks(text):
        if language in SQL_INFO:
            if not statement:
                return Misused("The SQL block is empty; write a statement in it.")
            found.append(_of_sql(statement, dialect))
        elif not language:
            question = _of_text(statement, dialect)
            if isinstance(question, Talk):
                talk = question if talk == Talk() else talk
            else:
                found.append(question)
    if len(found) > 1:
        return Misused(f"Ask one thing at a time; the message has {len(found)} blocks of SQL.")
    return found[0] if found else talk


def _of_sql(statement: str, dialect: Dialect) -> Question:
    """The question that a statement is, if the message says that it is one."""
    statement = without_prompts(statement) or statement
    reading = lexed_text(statement, dialect)
    question = None if reading is None else asked_otherwise(reading)
    return RunStatement(statement) if question is None else question


def _of_statement(text: str, dialect: Dialect) -> Question | Talk:
    """The question that a text is as a whole, if it is SQL, or surely looks like it."""
    word = first_word(text)
    if word is None:
        return Talk()
    like = likeness(text)
    if len(text.rstrip("; \t\r\n")) > TEXT_CHARS_MAX:
        return Talk() if like is Likeness.NONE else Talk.near_sql(_TOO_LONG)
    if word in SLIPS:
        return _of_slip(text, word, dialect)
    if word not in READ_ALWAYS:
        return _of_other_words(text)
    if _TOP.match(text) is not None and like is not Likeness.NONE:
        return Misused("TOP is not known here; write LIMIT and the number at the end instead.")
    clear = lexed_text(text, dialect)
    reading = lexed_text(cleared(text), dialect) if clear is None else clear
    standing = Standing.NOTHING if reading is None else standing_of(reading)
    if standing is Standing.UNDECIDED and not is_prose(text):
        standing = Standing.STATEMENT
    if standing is Standing.STATEMENT or like is Likeness.SURE:
        return (None if clear is None else asked_otherwise(clear)) or RunStatement(text)
    said = _of_misspelt(clear, like)
    if said is not None:
        return said
    is_typed = standing is Standing.SENTENCE and text[:1].islower() and not is_prose(text)
    if is_typed and _COUNTED.match(text) is None:
        return Talk.near_sql()
    return Talk.near_sql(_of_values(clear)) if like is Likeness.NEAR else Talk()


def _of_values(reading: LexedText | None) -> str | None:
    """What to write for a value of other databases that is all of a text: `SELECT sysdate`."""
    match reading and reading.lexed.tokens:
        case [_, Token(kind=TokenKind.WORD, text=word, written=written)]:
            instead = instead_of_value(word)
            return instead and f"There is no {written} here; write {instead}."
    return None


def _of_misspelt(reading: LexedText | None, like: Likeness) -> Talk | None:
    """What is said of a text that is a statement but for one misspelt keyword; None if it is not.

    Without a mark of SQL it may be a sentence: then the keyword has to be one slip away, and no
    small word to stand in the text.
    """
    if reading is None or (like is Likeness.NONE and is_prose(reading.text)):
        return None
    slip = slip_of(reading.lexed, reading.dialect)
    if slip is None or not slip.is_only_one:
        return None
    if like is Likeness.NONE and slip.count > 1:
        return None
    corrected = lexed_text(slip.corrected(reading.text), reading.dialect)
    if corrected is None or standing_of(corrected) is not Standing.STATEMENT:
        return None
    written = slip.token.written
    if reading.text.lower().find(written.lower()) != slip.token.at:
        return Talk.near_sql()  # a page would put the keyword into another word
    return Talk.near_sql(f"{written} is no word of SQL; did you mean {slip.keyword}?")


def _of_slip(text: str, word: str, dialect: Dialect) -> Talk:
    """What is said of a text whose first word is nearly one of SQL."""
    meant = re.sub(word, SLIPS[word].lower(), plain_characters(text), flags=re.IGNORECASE)
    if first_word(meant) in SLIPS or _of_statement(meant, dialect) == Talk():
        return Talk()
    return Talk.near_sql(f"{word} is no word of SQL; did you mean {SLIPS[word]}?")


def _of_other_words(text: str) -> Question | Talk:
    """What a text is that begins like a statement which is never run, or TABLE: in small letters it
    needs a mark of SQL, for English has these words too."""
    if is_prose(text):
        return Talk()
    first = _LETTERS.search(text)
    is_marked = (first is not None and first.group().isupper()) or has_marks(text)
    is_marked = is_marked or names_data(text)
    whole = _TABLE.fullmatch(text)
    if whole is None:
        return RunStatement(text) if is_marked else Talk()
    if is_marked:
        return RunStatement(f"SELECT * FROM {whole['table']}")
    return Talk.near_sql() if text.islower() else Talk()


def _introduced(text: str, dialect: Dialect) -> Talk:
    """What is said of a statement after a sign or a word, or below lines of talk."""
    said = (_nearly(statement, dialect) for statement in _introduced_in(text))
    return next((one for one in said if one != Talk()), Talk())


def _introduced_in(text: str) -> Iterator[str]:
    """What stands after a sign or a word that introduces a statement, or from the line on at which
    one begins: to the end, and to the first blank line. Nothing of a text that begins as a
    statement does."""
    if first_word(text) is None:
        for introduction in (INTRODUCED.match(text), LINE_BEGINS.search(text)):
            if introduction is not None:
                statement = text[introduction.end() :]
                yield statement
                yield _BLANK_LINE.split(statement, maxsplit=1)[0]


def _nearly(text: str, dialect: Dialect) -> Talk:
    """What is said of a statement that has something around it: it is quoted, or introduced."""
    question = _of_statement(text.strip(), dialect)
    return question if isinstance(question, Talk) else Talk.near_sql()
