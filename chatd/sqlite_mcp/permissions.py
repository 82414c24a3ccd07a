"""Which actions of a statement SQLite may carry out: the authorizer of one call.

SQLite asks for each action while it compiles a statement, so that a statement with one forbidden
part never runs. Everything that is not named here is denied. A reading statement may SELECT, read
the tables in scope and call the listed functions; a writing one may also change rows, tables and
indexes. ATTACH, triggers, views, virtual tables, transactions and most PRAGMAs are never allowed.

SQLite also names the view through which a table is read. That is no reason to allow it: in the same
place SQLite gives the name of a common table expression, which the statement chooses. So a view can
be read only if the tables beneath it can.

Only a virtual table may write to the tables in which it keeps its content (shadow tables), and only
SQLite to what it keeps for itself (`sqlite_...`): a statement that names one would damage what no
client can see. When a full-text table is written, SQLite asks for its shadow tables too, but only
while the statement runs. So they are denied while it is compiled to be checked, and allowed while
it runs. (SQLITE_DBCONFIG_DEFENSIVE would do the same; Python has it from 3.12 on.)
"""

import sqlite3
from collections.abc import Iterable, Mapping

import attrs

from chatd.answers.requests import DatabaseFailed
from chatd.answers.sql.elsewhere import instead_of
from chatd.answers.sql.functions import SQLITE_FUNCTIONS, SQLITE_ROW_SOURCES, names
from chatd.answers.sql.scopes import argument_names, fold
from chatd.db_mcp.statement import rejected, shown
from chatd.wire.codes import Code

MAIN = "main"
_SCHEMA_TABLES = frozenset({"sqlite_master", "sqlite_schema"})
_TEMPORARY_SCHEMA = frozenset({"sqlite_temp_master", "sqlite_temp_schema"})

CALLS_MAX = 5_000
"""Calls of functions in one statement. Each is compiled, and SQLite heeds an interrupt only at
jumps, of which a statement that does nothing but call functions has none within a row. The length
of what the calls are given bounds how long that can take (`handle.bound_values`); honest pivots
have a few hundred calls."""

ROW_SOURCES = frozenset(map(str.lower, SQLITE_ROW_SOURCES))
"""Functions that stand in FROM."""
FUNCTIONS = frozenset(map(str.lower, SQLITE_FUNCTIONS)) | {"->", "->>"}
"""What may be called; SQLite has these two operators as functions."""

# What follows the name of a virtual table in the names of its shadow tables (FTS3 to 5, R-tree,
# Geopoly: xShadowName).
_SHADOWS = names("config content data docsize idx segdir segments stat node parent rowid")

# ALTER TABLE calls these by itself. SQLite lets no statement call them by name.
_FUNCTIONS_OF_ALTER = names("""
    sqlite_drop_column sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table
    sqlite_rename_test
""")

# They tell about one table, the argument, and change nothing.
_PRAGMAS_OF_TABLES = names("table_info table_xinfo index_list foreign_key_list")
_DATA_VERSION = "data_version"  # full-text search asks for it

_FREE = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})
_ROW_CHANGES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_WRITES = _ROW_CHANGES | {
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_REINDEX,
}


@attrs.frozen
class TableScope:
    """The tables that a call may touch.

    `known` is the kind of every table that is there, by folded name: table, view, virtual or shadow
    (where a virtual table keeps its content). `narrowing` has folded names; None is no narrowing.
    """

    known: Mapping[str, str]
    narrowing: frozenset[str] | None = None

    @classmethod
    def of(cls, known: Mapping[str, str], tables: Iterable[str] | None) -> "TableScope":
        """The scope for the narrowing of a call, whose names may be in quotes and have a schema."""
        if tables is None:
            return cls(known)
        return cls(known, frozenset(map(fold, argument_names(tuple(tables), "sqlite"))))

    def holds(self, folded: str) -> bool:
        """Whether a table of that name may be touched, if there is one."""
        if self.narrowing is None or folded in self.narrowing:
            return True
        return self.is_shadow(folded) and any(
            folded.startswith(f"{one}_") and self.known.get(one) == "virtual"
            for one in self.narrowing
        )

    def is_shadow(self, folded: str) -> bool:
        """Whether a virtual table keeps its content there, or would: even if this SQLite does not
        know its kind, and takes its shadow tables for ordinary ones."""
        if self.known.get(folded) == "shadow":
            return True
        owner, _, suffix = folded.rpartition("_")
        return suffix in _SHADOWS and self.known.get(owner) == "virtual"


def outside(table: str) -> DatabaseFailed:
    """The refusal for a table that the call may not touch."""
    return rejected(f"The table {shown(table)} is outside of what this question may touch.")


class Authorizer:
    """SQLite calls it while it compiles one statement; `denial` is the refusal for the first action
    that it denied, and `calls` counts the calls of functions.

    `leading_word` is the first word of the statement, in capitals. `typing_view` is the one
    temporary view that may be made, to learn the types of columns; None allows none. `is_running`:
    SQLite also asks for what virtual tables do.
    """

    def __init__(
        self,
        scope: TableScope,
        may_write: bool,
        leading_word: str = "",
        typing_view: str | None = None,
        is_running: bool = False,
    ) -> None:
        self._scope = scope
        self._may_write = may_write
        self._leading_word = leading_word
        self._typing_view = typing_view
        self._is_running = is_running
        self._created: set[str] = set()
        self.calls = 0
        self.denial: DatabaseFailed | None = None

    def __call__(
        self,
        action: int,
        first: str | None,
        second: str | None,
        schema: str | None,
        source: str | None,  # a trigger, a view or a common table expression: see above
    ) -> int:
        denial = self._judge(action, first or "", second or "", schema)
        if denial is None:
            return sqlite3.SQLITE_OK
        self.denial = self.denial or denial
        return sqlite3.SQLITE_DENY

    def _judge(
        self, action: int, first: str, second: str, schema: str | None
    ) -> DatabaseFailed | None:
        if action in _FREE:
            return None
        if action == sqlite3.SQLITE_READ:
            return self._judge_read(fold(first), second, schema)
        if action == sqlite3.SQLITE_FUNCTION:
            return self._judge_function(second.lower())
        if action == sqlite3.SQLITE_PRAGMA:
            return self._judge_pragma(first.lower(), second)
        if self._typing_view is not None:
            return self._judge_typing(action, first)
        if action in _WRITES:
            if not self._may_write:
                # It is the list of tables: SQLite sets up a virtual table that is not for
                # statements.
                is_setting_up = fold(first) in _SCHEMA_TABLES
                return rejected() if is_setting_up else DatabaseFailed(Code.DB_READ_ONLY)
            return self._judge_write(action, first, second, schema)
        return rejected()

    def _judge_read(self, table: str, column: str, schema: str | None) -> DatabaseFailed | None:
        if table in _TEMPORARY_SCHEMA:
            allowed = self._may_write or self._typing_view is not None
            return None if allowed else rejected()
        if schema not in (MAIN, None):
            return rejected()
        if table in _SCHEMA_TABLES:
            return self._judge_schema_read(column)
        if table in ROW_SOURCES:
            return None
        if table in self._scope.known or table in self._created:
            return None if self._scope.holds(table) else outside(table)
        # If no column of a row source is used, SQLite gives its name in the statement. A name that
        # no table has belongs to a common table expression.
        if not column and not table.startswith("sqlite_"):
            return None
        return outside(table)

    def _judge_schema_read(self, column: str) -> DatabaseFailed | None:
        """Judge a read of the list of tables, which also shows tables outside the narrowing."""
        if self._scope.narrowing is None:
            return None
        if self._may_write and (
            # These statements read it by themselves, and cannot contain a query.
            self._leading_word in ("ALTER", "DROP")
            or (self._leading_word == "CREATE" and column == "ROWID")
        ):
            return None
        return outside("sqlite_schema")

    def _judge_function(self, name: str) -> DatabaseFailed | None:
        self.calls += 1
        if self.calls > CALLS_MAX:
            return rejected(f"The statement calls more than {CALLS_MAX:,} functions.")
        if name in FUNCTIONS or (self._may_write and name in _FUNCTIONS_OF_ALTER):
            return None
        instead = instead_of(name, "sqlite")
        return rejected(instead or f"The function {shown(name)} may not be used here.")

    def _judge_pragma(self, name: str, argument: str) -> DatabaseFailed | None:
        if name == _DATA_VERSION and not argument:
            return None
        if name not in _PRAGMAS_OF_TABLES:
            return rejected()
        if argument == self._typing_view:
            return None
        table = fold(argument)
        if table not in self._scope.known or not self._scope.holds(table):
            return outside(argument)
        return None

    def _judge_typing(self, action: int, first: str) -> DatabaseFailed | None:
        if action == sqlite3.SQLITE_CREATE_TEMP_VIEW and first == self._typing_view:
            return None
        if action in _ROW_CHANGES and fold(first) in _TEMPORARY_SCHEMA:
            return None
        return rejected()

    def _judge_write(
        self, action: int, first: str, second: str, schema: str | None
    ) -> DatabaseFailed | None:
        if action == sqlite3.SQLITE_REINDEX:
            return None  # for an index that is being made: no statement may begin with REINDEX
        if action == sqlite3.SQLITE_ALTER_TABLE:  # the one that names the schema first
            schema, table = first, fold(second)
        elif action in (sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_DROP_INDEX):
            table = fold(second)
        else:
            table = fold(first)
        # SQLite keeps tables and indexes in these, and so asks for them when it makes or drops one.
        # It refuses statements that change them.
        if action in _ROW_CHANGES and table in _SCHEMA_TABLES | _TEMPORARY_SCHEMA:
            return None
        if schema != MAIN:
            return rejected()
        if not self._scope.holds(table):
            return outside(table)
        if self._is_kept(table):
            return rejected(
                f"The table {shown(table)} may not be written by its name; SQLite, or the table "
                "that it belongs to, keeps it."
            )
        if action == sqlite3.SQLITE_CREATE_TABLE:
            self._created.add(table)
        return None

    def _is_kept(self, table: str) -> bool:
        """Whether SQLite alone, or the virtual table that it belongs to, may write to a table."""
        if table.startswith("sqlite_"):
            # SQLite writes there by itself when it makes, changes or drops a table.
            return self._leading_word not in ("ALTER", "CREATE", "DROP")
        return not self._is_running and self._scope.is_shadow(table)
