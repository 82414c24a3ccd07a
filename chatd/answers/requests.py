"""What is asked of a database, on what terms, and how its answer comes back; values only.

A `Database` is what answers for one room: it carries a request to a db-mcp and feeds the rows to a
`Sink` while they come. It is declared here, so that the rules of answers need not know MCP.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import attrs

from chatd.answers.cut import WHOLE, Cut
from chatd.answers.table import Column, Row
from chatd.wire.codes import EXPLANATIONS, Code

if TYPE_CHECKING:  # the process that reads messages does without it
    import trio


@attrs.frozen
class ListTables:
    """The tables that may be asked about."""


@attrs.frozen
class ListColumns:
    """The columns of all tables that may be asked about, each with its table; no question asks for
    them."""


@attrs.frozen
class DescribeTable:
    """The columns of a table.

    `table` is its name alone, without quotes, and `schema` what it was named with. In a question
    `table` is the whole name, as it was typed; what a database is asked has passed
    `guard.check_table`.
    """

    table: str
    schema: str | None = None


@attrs.frozen
class SampleTable:
    """Some rows of a table, which is named as in `DescribeTable`."""

    table: str
    schema: str | None = None


@attrs.frozen
class RunStatement:
    """The rows of a statement; it has passed the guard.

    `sql` is what the guard has made of it. `written` is what stood in the message, letter for
    letter, and `remark` what the guard says of a statement that may run (`sql.remarks`); they make
    no difference to the request.
    """

    sql: str
    written: str = attrs.field(default="", eq=False)
    remark: str | None = attrs.field(default=None, eq=False)


@attrs.frozen
class ExplainStatement:
    """The plan of a statement; it has passed the guard, and does not run. Fields as above."""

    sql: str
    written: str = attrs.field(default="", eq=False)
    remark: str | None = attrs.field(default=None, eq=False)


Request: TypeAlias = (
    ListTables | ListColumns | DescribeTable | SampleTable | RunStatement | ExplainStatement
)


@attrs.frozen
class Terms:
    """How a request may be carried out.

    `read_only` holds unless the connection and the message both allow writes. `schema` and `tables`
    narrow what may be touched; None if they do not. Beyond `max_rows` or `max_bytes` (of rows as
    JSON) the answer is truncated; beyond `timeout_s` the caller gives up.
    """

    read_only: bool = True
    schema: str | None = None
    tables: tuple[str, ...] | None = None
    max_rows: int = 1_000
    max_bytes: int = 262_144
    timeout_s: float = 30.0


class Sink(Protocol):
    """Where an answer goes while it comes; nothing here waits."""

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""
        ...

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        ...


@runtime_checkable
class PacedSink(Sink, Protocol):
    """A sink that takes rows no faster than it can do something with them.

    A database that feeds rows while they come waits before it reads on, so that its own database
    waits too, and few rows are held here.
    """

    async def caught_up(self) -> None:
        """Return when it is done with what it got, or wants nothing more."""
        ...


@runtime_checkable
class WatchingSink(Sink, Protocol):
    """A sink that wants to know whether its statement runs on after it was given up."""

    def runs_on(self, ended: "trio.Event") -> None:
        """The statement still runs, although it was told to stop, until `ended` is set."""
        ...


@attrs.frozen
class Answered:
    """Everything that the terms allow has come; `cut` is what they left out.

    `rows_written` counts the rows that the statement changed; None if the database does not tell.
    """

    cut: Cut = WHOLE
    rows_written: int | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether anything was left out."""
        return bool(self.cut)


@attrs.frozen
class Stopped:
    """It was stopped as asked; `is_confirmed`: the database says that nothing of it runs on."""

    is_confirmed: bool


class DatabaseFailed(Exception):
    """The database did not answer. `code` is one of the db_ codes; the sentence is for people, by
    default the code's own."""

    def __init__(self, code: Code, sentence: str | None = None) -> None:
        self.code = code
        self.sentence = sentence or EXPLANATIONS[code].sentence
        super().__init__(self.sentence)


class Database(Protocol):
    """What answers the questions of one room."""

    @property
    def is_available(self) -> bool:
        """Whether a request has a chance now; readiness reports it."""
        ...

    @property
    def is_starting(self) -> bool:
        """Whether its server is being started, so that requests wait for that."""
        ...

    async def started(self) -> None:
        """Wait until its server is no longer being started, whatever came of it."""
        ...

    @property
    def sessions(self) -> int:
        """How many requests it carries out at once now; at least 1."""
        ...

    @property
    def can_explain(self) -> bool:
        """Whether it can give a plan without running anything."""
        ...

    async def ask(
        self, request: Request, terms: Terms, sink: Sink, stop: "trio.Event"
    ) -> Answered | Stopped:
        """Carry a request out; once `stop` is set, have it stopped, and return soon after.

        Waits for a session if more requests are made than there are `sessions`. Raises
        `DatabaseFailed`. If cancelled, it tells the database and returns at once.
        """
        ...
