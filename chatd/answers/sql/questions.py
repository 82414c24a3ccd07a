"""What in a message is a question to its database (docs/answers, "Questions").

A message is a question when it is

- a command, at its beginning: see `COMMANDS`;
- one fenced block whose info string names SQL, anywhere in the message; a block without an info
  string where its text is SQL by the next rule;
- SQL from its first word to its last (`statements`), also behind the prompt of a shell; a command
  of psql or of the shell of SQLite that has its like here (`pasted`);
- what begins like a statement and looks surely like one (`likeness`), though it cannot be read:
  it is answered with the reason.

Everything else is talk. What is nearly a question, and a command that there is not, is talk with a
sentence, which its sender alone is told: a user who is misunderstood can write /sql. Whether the
statement may run is not asked here: see `guard`.

Every message comes by. A look at its first word decides for nearly all of them (`may_be_question`);
only then is the grammar asked, after the message is stored, in a process of its own (`reader`).
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.blocks import SQL_INFO, fenced_blocks, has_fence
from chatd.answers.sql.lexer import Dialect
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
from chatd.answers.sql.pasted import (
    ForeignCommand,
    begins_with_prompt,
    cleared,
    shell_command,
    without_prompts,
)
from chatd.answers.sql.places import DIALECT_NAMES
from chatd.answers.sql.statements import Standing, asked_otherwise, lexed_text, standing_of
from chatd.answers.sql.talk import Talk
from chatd.answers.sql.unknown_commands import no_command, said_of_other_sign, said_of_slash

TEXT_CHARS_MAX = 10_000  # of what is given to the grammar; a longer message is SQL in a block only
LIKE_CHARS = 500  # of a message that are weighed where no grammar is asked: between other tasks


@attrs.frozen
class Help:
    """What may be asked."""


@attrs.frozen
class Misused:
    """A question that cannot be carried out as it stands; the sentence says how to write it."""

    sentence: str


Question: TypeAlias = Request | Help | Misused


@attrs.frozen
class Command:
    """A command: what stands after it (None: nothing), what it does, the question that it is."""

    argument: str | None
    purpose: str
    question: Callable[[str], Question]


COMMANDS: Mapping[str, Command] = {
    "tables": Command(None, "lists the tables", lambda _: ListTables()),
    "describe": Command("TABLE", "shows the columns of a table", DescribeTable),
    "sample": Command("TABLE", "shows some rows of a table", SampleTable),
    "sql": Command("SQL", "runs a statement", RunStatement),
    "explain": Command(
        "SQL", "shows the plan of a statement, and does not run it", ExplainStatement
    ),
    "help": Command(None, "shows this", lambda _: Help()),
}

USAGES: Mapping[str, str] = {
    name: f"/{name}" if command.argument is None else f"/{name} {command.argument}"
    for name, command in COMMANDS.items()
}
"""How each command is written."""

_COMMAND = re.compile(r"/([A-Za-z]+):?(?:[;.!?]*\Z|\s+(.*))", re.DOTALL)
_COMMAND_BEGINS = re.compile(r"/(?:[A-Za-z][A-Za-z_-]*(?::?[;.!?]*\Z|:?\s)|[/ ]+[A-Za-z]|\?\Z)")
_SHELL_BEGINS = re.compile(r"[\\.][A-Za-z?!]")
_TOP = re.compile(
    r"\s*SELECT\s++(?:DISTINCT\s++)?TOP\s*+\(?\s*+\d++\s*+\)?\s*+[\w*\"\[]", re.IGNORECASE
)
_LETTERS = re.compile(r"[A-Za-z]+")
_TABLE = re.compile(
    r"""TABLE\s+(?P<table>[^\s;'"`\[\]]+|"[^"]+"|`[^`]+`|\[[^\]]+\])\s*;*""",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"select\s+\d+\s+[a-z]", re.IGNORECASE)  # a number of something
_QUOTED = re.compile(
    r"""(?P<fence>`{1,3})(?P<code>[^`]+)(?P=fence)|'([^'\n]+)'|"([^"\n]+)"|“([^”\n]+)”"""
)
_INTRODUCED = re.compile(
    r"(?:(?:please[ ])?[%!]{0,2}(?:sql|query|q|run|execute|try)[ ]?:?|[-*•$#]|\d{1,3}[.)>])"
    r"\s{1,9}(?=\S)",
    re.IGNORECASE,
)
_INTRODUCES = frozenset("%!psqretPSQRET-*$#0123456789")
"""The characters of ASCII that `_INTRODUCED` may begin with: a look that most talk ends at."""

_SIGNS = frozenset("/\\.`'\"“")  # at the beginning of a command, or of what is quoted
_LINE_BEGINS = re.compile(  # a statement below an introduction
    r"\n[ \t]*(?=SELECT\s|WITH\s+\w+(?:\s+\w+)?\s*(?:\([^()\n]*\)\s*)?AS\s*\()", re.IGNORECASE
)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_BYTE_ORDER_MARK = "\ufeff"  # some files begin with it, and what is copied out of them
_TOO_LONG = (
    f"A statement of more than {TEXT_CHARS_MAX:,} characters is run only with /sql, or in a block "
    "of SQL."
)


def may_be_question(content: str) -> bool:
    """Whether a message is worth the closer look of `question_in`; costs next to nothing."""
    text = _begun(content)
    first = text[:1]
    if first in _SIGNS:
        return _may_begin_with(first, text)
    if first_word(text) is not None or has_fence(text) or begins_with_prompt(text):
        return True
    if first in _INTRODUCES or not first.isascii():
        introduced = _INTRODUCED.match(text)
        if introduced is not None and first_word(text[introduced.end() :]) is not None:
            return True
    return "\n" in text and _LINE_BEGINS.search(text) is not None


def _may_begin_with(sign: str, text: str) -> bool:
    """`may_be_question`, of a text that begins with one of `_SIGNS`."""
    match sign:
        case "/":
            is_command = _COMMAND_BEGINS.match(text) is not None
            return is_command or has_fence(text) or first_word(text) is not None
        case "\\" | ".":
            return _SHELL_BEGINS.match(text) is not None or has_fence(text)
        case _:
            return has_fence(text) or _QUOTED.fullmatch(text.rstrip()) is not None


def is_like_question(content: str) -> bool:
    """Whether nobody would take a message for talk that may be a question; no grammar is asked."""
    text = _begun(content).rstrip()
    if (command := _COMMAND.fullmatch(text)) is not None:
        return command.group(1).lower() in COMMANDS
    if shell_command(text) is not None:
        return True
    if has_fence(text):
        return any(language in SQL_INFO for language, _ in fenced_blocks(text))
    text = (without_prompts(text) or text)[:LIKE_CHARS]
    return first_word(text) is not None and likeness(text) is Likeness.SURE


def question_in(content: str, dialect: Dialect) -> Question | Talk:
    """The question in the content of a message of a room whose database speaks this dialect, or
    what is said of talk. Never raises."""
    text = _begun(content).rstrip()
    if (command := _COMMAND.fullmatch(text)) is not None and command.group(1).lower() in COMMANDS:
        return _of_command(command.group(1).lower(), (command.group(2) or "").strip())
    if text.startswith("/") and (said := said_of_slash(text, USAGES)) != Talk():
        return said
    quoted = _QUOTED.fullmatch(text)
    if has_fence(text):
        of_blocks = _of_blocks(text, dialect)
        if not isinstance(of_blocks, Talk):
            return of_blocks
        return _of_statement(text, dialect) if quoted is None else _nearly(quoted["code"], dialect)
    if quoted is not None:
        return _nearly(quoted["code"] or quoted[quoted.lastindex or 0], dialect)
    question = _of_text(text, dialect)
    return _introduced(text, dialect) if question == Talk() else question


def help_text(dialect: Dialect) -> str:
    """What may be asked of a database of this kind, as lines of Markdown."""
    lines = [
        f"- `/{name}{'' if command.argument is None else ' ' + command.argument}` {command.purpose}"
        for name, command in COMMANDS.items()
    ]
    name = DIALECT_NAMES[dialect]
    return "\n".join(
        [
            f"This database is {name}. You can ask it:",
            "",
            *lines,
            "",
            f"Plain SQL as {name} has it, or SQL in a block, is run too.",
        ]
    )


def _begun(content: str) -> str:
    """A text from its first character on that is seen; a slash there as a plain one."""
    text = content.lstrip().removeprefix(_BYTE_ORDER_MARK).lstrip()
    if text[:1].isascii() or (first := plain_characters(text[:1]).strip()) not in ("", "/"):
        return text
    return first + text[1:].lstrip()


# Commands


def _of_command(name: str, argument: str) -> Question:
    command = COMMANDS[name]
    if command.argument is None and argument:
        return Misused(f"Write {USAGES[name]} alone, with nothing after it.")
    blocks = fenced_blocks(argument)
    if command.argument == "SQL" and blocks:
        argument = blocks[0][1]
    if command.argument is not None and not argument:
        return Misused(f"Say what to {name}: {USAGES[name]}.")
    return command.question(argument)


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
    """The question that a statement is, where the message says that it is one."""
    statement = without_prompts(statement) or statement
    reading = lexed_text(statement, dialect)
    question = None if reading is None else asked_otherwise(reading)
    return RunStatement(statement) if question is None else question


def _of_statement(text: str, dialect: Dialect) -> Question | Talk:
    """The question that a text is as a whole, where it is SQL, or looks surely like it."""
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
    is_typed = standing is Standing.SENTENCE and text[:1].islower() and not is_prose(text)
    if is_typed and _COUNTED.match(text) is None:
        return Talk.near_sql()
    return Talk.near_sql() if like is Likeness.NEAR else Talk()


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
    """What is said of a statement behind a sign or a word, or below lines of talk."""
    if first_word(text) is not None:
        return Talk()
    for introduction in (_INTRODUCED.match(text), _LINE_BEGINS.search(text)):
        if introduction is None:
            continue
        statement = text[introduction.end() :]
        for part in (statement, _BLANK_LINE.split(statement, maxsplit=1)[0]):
            if (said := _nearly(part, dialect)) != Talk():
                return said
    return Talk()


def _nearly(text: str, dialect: Dialect) -> Talk:
    """What is said of a statement that something stands around: it is quoted, or introduced."""
    question = _of_statement(text.strip(), dialect)
    return question if isinstance(question, Talk) else Talk.near_sql()
