"""How a question may be carried out: what its message wants, and what its connection allows."""

from typing import Any, Final, assert_never

import attrs
import orjson

from chatd.answers.answer import Ending
from chatd.answers.requests import (
    Database,
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)
from chatd.answers.sql.commands import Help, Misused, Question, help_text
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.reading import Piece
from chatd.answers.sql.scopes import schema_name
from chatd.answers.sql.verdicts import ONLY_READING, Policy, Rejected
from chatd.wire.codes import Code

NO_KIND: Final = "none"
"""The kind of a message that was refused, or not read."""
SENT_AS_READ_ONLY: Final = (
    'This question was sent as read only; send it without "Read only" to change something.'
)
"""Said if the room allows writing, and the message did not ask for it."""


@attrs.frozen
class RoomDatabase:
    """What answers in a room. `read_only`: nothing is written, whatever a message says."""

    database: Database
    dialect: Dialect
    read_only: bool = True


@attrs.frozen
class Bounds:
    """How much an answer may be, and how long it may take, waiting for slots included."""

    max_rows: int
    max_bytes: int
    timeout_s: float


@attrs.frozen
class QuestionTerms:
    """The terms of one question; `dry_run`: its plan is wanted, and nothing runs."""

    terms: Terms
    dry_run: bool


def question_terms(context: bytes | None, room: RoomDatabase, bounds: Bounds) -> QuestionTerms:
    """The terms of a question with this context, as canonical JSON (`wire.context_json`).

    A question writes only if the connection and the message both allow it.
    """
    wanted: dict[str, Any] = {} if context is None else orjson.loads(context)
    config: dict[str, Any] = wanted.get("config", {})
    schema, tables = wanted.get("schema"), wanted.get("tables")
    return QuestionTerms(
        Terms(
            read_only=room.read_only or config.get("readOnly") is not False,
            schema=None if schema is None else schema_name(schema, room.dialect),
            tables=None if tables is None else tuple(tables),
            max_rows=bounds.max_rows,
            max_bytes=bounds.max_bytes,
            timeout_s=bounds.timeout_s,
        ),
        dry_run=config.get("dryRun") is True,
    )


def kind_of(question: Rejected | Question) -> str:
    """What is asked, in a word for metrics and the log; `NO_KIND` if nothing is."""
    match question:
        case RunStatement():
            return "sql"
        case ExplainStatement():
            return "explain"
        case ListTables():
            return "tables"
        case DescribeTable():
            return "describe"
        case SampleTable():
            return "sample"
        case Help():
            return "help"
        case Rejected() | Misused() | ListColumns():
            return NO_KIND
        case _:
            assert_never(question)


def piece_of(content: str, room: RoomDatabase, terms: Terms) -> Piece:
    """A message as a responder gets it."""
    return Piece(content, Policy(room.dialect, terms.read_only, terms.schema, terms.tables))


def request_of(
    question: Rejected | Question, room: RoomDatabase, *, dry_run: bool
) -> Request | Ending:
    """The request that may be made to the database, or the end that needs no request."""
    match question:
        case Rejected(code, sentence):
            if sentence == ONLY_READING and not room.read_only:
                sentence = SENT_AS_READ_ONLY
            return Ending.failed(code, sentence)
        case Help():
            return Ending(text=help_text(room.dialect))
        case Misused(sentence):
            return Ending.failed(Code.DB_SYNTAX, sentence)
        case RunStatement(sql) | ExplainStatement(sql):
            if not dry_run and isinstance(question, RunStatement):
                return question
            if not room.database.can_explain:
                return Ending.failed(Code.DB_DRY_RUN_UNSUPPORTED)
            return ExplainStatement(sql, question.written, question.remark)
        case ListTables() | ListColumns() | DescribeTable() | SampleTable():
            if dry_run:
                sentence = "There is a plan for statements only; ask without dryRun."
                return Ending.failed(Code.DB_DRY_RUN_UNSUPPORTED, sentence)
            return question
        case _:
            assert_never(question)
