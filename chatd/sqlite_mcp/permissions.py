"""Which actions of a statement SQLite may carry out: the authorizer of one call.

SQLite asks for each action while it compiles a statement, so that a statement with one forbidden
part never runs. All that is not named here is denied. Reading may SELECT, read the tables in scope
and call functions of the list; writing may also change rows, tables and indexes. ATTACH, triggers,
views, virtual tables, transactions and most PRAGMAs are never allowed.

SQLite also names the view through which a table is read. That is no ground to allow it: it gives
the name of a common table expression in the same place, which the statement chooses. So a view can
be read where the tables beneath it can.

A table in which a virtual one keeps its content (a shadow table) is written by that one alone, and
what SQLite keeps for itself (`sqlite_...`) by SQLite: a statement that names it would damage what
no client can see. When a full-text table is written, SQLite asks for its shadow tables too, but
only while the statement runs. So they are denied while it is compiled to be looked at, and allowed
then.
(SQLITE_DBCONFIG_DEFENSIVE would do the same; Python has it from 3.12 on.)
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
"""Calls of functions in one statement. Each is compiled, and SQLite heeds an interrupt at jumps
alone, of which a statement that only calls has none for a row. How long that can take is bounded by
the length of what the calls are given (`handle.bound_values`); honest pivots have some hundreds."""

ROW_SOURCES = frozenset(map(str.lower, SQLITE_ROW_SOURCES))
"""Functions that stand in FROM."""
FUNCTIONS = frozenset(map(str.lower, SQLITE_FUNCTIONS)) | {"->", "->>"}
"""What may be called; SQLite has these two operators as functions."""

# What comes after the name of a virtual table in those of its shadow tables (FTS3 to 5, R-tree,
# Geopoly: xShadowName).
_SHADOWS = names("config content data docsize idx segdir segments stat node parent rowid")

# ALTER TABLE calls these by itself. SQLite lets no statement call them by name.
_FUNCTIONS_OF_ALTER = names("""
    sqlite_drop_column sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table
    sqlite_rename_test
""")

# Of one table, named as the argument; they change nothing.
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
        """Whether a virtual table keeps its content there, or would: also where this SQLite does
        not know its kind, and takes what it keeps for tables like others."""
        if self.known.get(folded) == "shadow":
            return True
        owner, _, suffix = folded.rpartition("_")
        return suffix in _SHADOWS and self.known.get(owner) == "virtual"


def outside(table: str) -> DatabaseFailed:
    """The refusal of a table that the call may not touch."""
    return rejected(f"The table {shown(table)} is outside of what this question may touch.")


class Authorizer:
    """What SQLite asks while it compiles a statement, once; `denial` is the refusal of the first
    action that it denied, and `calls` counts the functions that are called.

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
        source: str | None,  # of a trigger, a view or a common table expression: see above
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
                # Of the list of tables: a virtual table that is not for statements is set up.
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
        # Of a row source without a column that is used, SQLite tells the name in the statement.
        # A name that no table has is that of a common table expression.
        if not column and not table.startswith("sqlite_"):
            return None
        return outside(table)

    def _judge_schema_read(self, column: str) -> DatabaseFailed | None:
        """The list of tables tells of those outside of a narrowing too."""
        if self._scope.narrowing is None:
            return None
        if self._may_write and (
            # These read it by themselves, and no query can stand in them.
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
            return None  # of an index that is being made: no statement may begin with REINDEX
        if action == sqlite3.SQLITE_ALTER_TABLE:  # the one that names the schema first
            schema, table = first, fold(second)
        elif action in (sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_DROP_INDEX):
            table = fold(second)
        else:
            table = fold(first)
        # Tables and indexes are kept in these, so SQLite asks for them when it makes or drops one.
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
