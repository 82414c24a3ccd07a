"""What a message comes to before a database is asked: it is read, and what it asks is judged.

Both are one piece of work, as both ask the grammar, which takes its time and holds the interpreter.
So `reader` has it done in a child process; this module says what is done there, and knows no
process.
"""

from typing import Final, TypeAlias, assert_never

import attrs

from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.commands import Help, Misused, Question
from chatd.answers.sql.guard import check_statement, check_table
from chatd.answers.sql.questions import question_in
from chatd.answers.sql.talk import Talk
from chatd.answers.sql.verdicts import Policy, Rejected
from chatd.wire.codes import EXPLANATIONS, Code

__all__ = ["FAILED", "UNAVAILABLE", "Piece", "Reading", "Response", "Talk", "Unread", "read"]


@attrs.frozen
class Piece:
    """A message that may be a question, and what the statements in it may do."""

    content: str
    policy: Policy


Reading: TypeAlias = Talk | Rejected | Question
"""What a message came to. A statement or a table in a question has passed the guard."""


@attrs.frozen
class Unread:
    """The message was not understood, for a reason that is not the guard's. With `retry_after_ms`
    the client is told when to try again."""

    code: Code
    sentence: str
    retry_after_ms: int | None = None

    @property
    def may_be_repeated(self) -> bool:
        """Whether the message itself is not the reason."""
        return self.code is not Code.DB_STATEMENT_REJECTED


Response: TypeAlias = Reading | Unread

UNAVAILABLE: Final = Unread(
    Code.DB_UNAVAILABLE, "Questions cannot be read just now; try again shortly."
)
FAILED: Final = Unread(Code.INTERNAL, EXPLANATIONS[Code.INTERNAL].sentence)


def read(piece: Piece) -> Reading:
    """Read a message in the dialect of its room, and judge what it asks."""
    question = question_in(piece.content, piece.policy.dialect)
    match question:
        case RunStatement(sql) | ExplainStatement(sql):
            verdict = check_statement(sql, piece.policy)
            if isinstance(verdict, Rejected):
                return verdict
            return attrs.evolve(question, sql=verdict.sql, written=sql, remark=verdict.remark)
        case DescribeTable(table) | SampleTable(table):
            named = check_table(table, piece.policy)
            if isinstance(named, Rejected):
                return named
            return attrs.evolve(question, table=named.name, schema=named.schema)
        case Talk() | ListTables() | ListColumns() | Help() | Misused():
            return question  # it names nothing that the guard would judge
        case _:
            assert_never(question)
