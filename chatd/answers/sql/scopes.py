"""What the names of tables in a statement mean, and which of them a context lets be touched.

A table without a schema is a CTE if one of that name is visible, else it is taken to be in the
schema that its dialect looks in first: `main` in SQLite, `public` in Postgres. In MySQL that is
whatever database the connection has open, so if a schema narrows, tables have to be named with it.
"""

import string
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from chatd.answers.sql.functions import names
from chatd.answers.sql.lexer import Dialect, Lexed, Token, TokenKind, lex

if TYPE_CHECKING:
    from sqlglot import Expr

_FIRST_SCHEMA: dict[Dialect, str | None] = {"sqlite": "main", "postgres": "public", "mysql": None}

# Beginnings of names, and schemas, that hold what a server knows of itself.
_SYSTEM_PREFIXES: dict[Dialect, tuple[str, ...]] = {
    "sqlite": ("sqlite_", "pragma_"),
    "postgres": ("pg_",),
    "mysql": (),
}
_SYSTEM_SCHEMAS: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset({"temp"}),
    "postgres": frozenset({"information_schema"}),
    "mysql": frozenset({"mysql", "information_schema", "performance_schema", "sys"}),
}

# Tables that tell secrets or read files, refused whether the context narrows or not.
_CLOSED: dict[Dialect, frozenset[str]] = {
    "sqlite": names("""
        sqlite_dbpage sqlite_stmt dbstat fsdir zipfile csv bytecode tables_used completion
        sqlite_temp_master sqlite_temp_schema
    """),
    "postgres": names("""
        pg_authid pg_shadow pg_user_mapping pg_user_mappings pg_largeobject pg_hba_file_rules
        pg_ident_file_mappings pg_file_settings pg_config pg_settings pg_db_role_setting
        pg_stat_activity pg_stat_ssl pg_stat_statements pg_statistic pg_statistic_ext_data pg_stats
        pg_stats_ext pg_stats_ext_exprs pg_subscription pg_prepared_statements pg_cursors
        pg_foreign_server pg_foreign_data_wrapper pg_foreign_table pg_stat_replication
        pg_stat_wal_receiver
    """),
    "mysql": frozenset(),
}

# What may be read of the catalogue of Postgres: it says which tables there are, and of what. All
# else is closed: settings of roles (pg_roles, pg_user) and arguments of triggers hold secrets in
# honest use, and so may the text of functions.
_OPEN_CATALOGUE = names("""
    pg_aggregate pg_am pg_attrdef pg_attribute pg_available_extensions pg_cast pg_class pg_collation
    pg_constraint pg_conversion pg_database pg_depend pg_description pg_enum pg_extension pg_index
    pg_indexes pg_inherits pg_language pg_locks pg_matviews pg_namespace pg_opclass pg_operator
    pg_partitioned_table pg_range pg_sequence pg_sequences pg_stat_all_indexes pg_stat_all_tables
    pg_stat_database pg_stat_user_indexes pg_stat_user_tables pg_stat_sys_tables
    pg_statio_all_tables pg_statio_user_tables pg_statio_user_indexes pg_tables pg_tablespace
    pg_timezone_abbrevs pg_timezone_names pg_type pg_views
""")

# The same, in information_schema; without a schema too, for it may be the one that is open.
_CLOSED_INFORMATION: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset(),
    "postgres": names("""
        user_mapping_options foreign_server_options foreign_data_wrapper_options
        foreign_table_options column_options _pg_user_mappings _pg_foreign_servers
        _pg_foreign_data_wrappers _pg_foreign_tables _pg_foreign_table_columns
    """),
    "mysql": names("""
        processlist innodb_trx user_attributes global_variables session_variables system_variables
    """),
}
# Closed where information_schema is named: other tables have these names, too.
_CLOSED_IF_NAMED = names("routines triggers")  # the text of functions, the arguments of triggers
_CLOSED_SCHEMAS: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset(),
    "postgres": frozenset({"pg_toast"}),
    "mysql": frozenset({"mysql", "performance_schema", "sys"}),
}

# All that databases fold: SQLite always, Postgres (in UTF-8) what stands without quotes.
_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@attrs.frozen
class TableName:
    """The name of a table as its dialect takes it, with the schema that it is written with.

    It is without its quotes, and folded if the catalogue has the folded name (Postgres). SQLite has
    the name as it was created, and finds it in any case: here it stays as it is written.
    """

    name: str
    schema: str | None = None

    @property
    def text(self) -> str:
        """As people write it."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    def as_argument(self, dialect: Dialect) -> "TableName":
        """As a tool is given it: without SQLite's one schema, as its tools know bare names."""
        is_implied = dialect == "sqlite" and self.compared(dialect).schema == "main"
        return TableName(self.name) if is_implied else self

    @classmethod
    def read(cls, text: str, dialect: Dialect) -> "TableName | None":
        """The table that a person names: `name` or `schema.name`, each with or without quotes.

        Any other text that begins with no quote, and holds no dot and no semicolon, is one name as
        it is: people write `My Table (2024)`. None if it is not a name at all.
        """
        lexed = lex(text, dialect)
        if isinstance(lexed, Lexed) and lexed.sql == text.strip():
            named = cls.of_tokens(lexed.tokens, dialect)
            if named is not None:
                return named
        bare = text.strip()
        is_bare = (
            bare.isprintable() and not set(bare) & set(".;") and bare[:1] not in {*"'\"`[", ""}
        )
        return cls(bare) if is_bare else None

    @classmethod
    def of_tokens(cls, tokens: tuple[Token, ...], dialect: Dialect) -> "TableName | None":
        """The table that is named by `name` or `schema.name`; None if it is anything else."""
        if len(tokens) not in (1, 3) or not (tokens[0].is_name and tokens[-1].is_name):
            return None
        if len(tokens) == 3 and not tokens[1].is_symbol("."):
            return None
        *schema, name = (
            _looked_up(
                token.text if token.kind is TokenKind.NAME else token.written, dialect, token.kind
            )
            for token in tokens[::2]
        )
        return cls(name, schema[0] if schema else None)

    def placed(self, dialect: Dialect, schema: str | None = None) -> "TableName":
        """The same with a schema, if one is known: its own, else `schema`, else the dialect's."""
        return TableName(self.name, self.schema or schema or _FIRST_SCHEMA[dialect])

    def compared(self, dialect: Dialect) -> "TableName":
        """The same for all ways to write it; two tables are one where this is equal."""
        schema = None if self.schema is None else _compared(self.schema, dialect)
        return TableName(_compared(self.name, dialect), schema)

    def is_closed(self, dialect: Dialect) -> bool:
        """Whether no statement may touch it: it tells secrets, or reads files."""
        name, schema = _coarse(self.name), _coarse(self.schema or "")
        if dialect == "sqlite" and name.startswith("pragma_"):
            return True
        if name in _CLOSED_INFORMATION[dialect] and schema in ("", "information_schema"):
            return True
        if dialect == "postgres" and _is_closed_catalogue(name, schema):
            return True
        return name in _CLOSED[dialect] or schema in _CLOSED_SCHEMAS[dialect]

    def is_system(self, dialect: Dialect) -> bool:
        """Whether it holds what the server knows of itself; such a table is never written."""
        name, schema = _coarse(self.name), _coarse(self.schema or "")
        prefixes = _SYSTEM_PREFIXES[dialect]
        if schema in _SYSTEM_SCHEMAS[dialect] or schema.startswith(prefixes):
            return True
        return name.startswith(prefixes)


def _coarse(name: str) -> str:
    """A name as no server compares it more coarsely: without case, and without marks. A server may
    take a capital I with a dot for a plain one."""
    if name.isascii():
        return name.lower()
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(one for one in parts if not unicodedata.combining(one)).replace("\u0131", "i")


def _is_closed_catalogue(name: str, schema: str) -> bool:
    """Whether a table is of the catalogue of Postgres, and not one of those that may be read."""
    if schema == "information_schema":
        return name in _CLOSED_IF_NAMED
    is_catalogue = schema == "pg_catalog" or (schema == "" and name.startswith("pg_"))
    return is_catalogue and name not in _OPEN_CATALOGUE


@attrs.frozen
class ContextScope:
    """What a context lets a statement touch, as its dialect compares it; None if it does not
    narrow."""

    dialect: Dialect
    schema: str | None
    tables: frozenset[TableName] | None

    @classmethod
    def of(
        cls, dialect: Dialect, schema: str | None, tables: tuple[str, ...] | None
    ) -> "ContextScope":
        """The scope of a context, a schema and a list of tables."""
        home = None if schema is None else _compared(schema, dialect)
        if tables is None:
            return cls(dialect, home, None)
        placed = (named.placed(dialect, home) for named in _named(tables, dialect))
        return cls(dialect, home, frozenset(table.compared(dialect) for table in placed))

    def holds(self, table: TableName) -> bool:
        """Whether the context allows the table to be touched."""
        if self.schema is None and self.tables is None:
            return not table.is_closed(self.dialect)
        placed = table.placed(self.dialect).compared(self.dialect)
        if self.schema not in (None, placed.schema):
            return False
        if self.tables is not None and placed not in self.tables:
            return False
        return not table.is_closed(self.dialect) and not table.is_system(self.dialect)


def argument_names(tables: tuple[str, ...], dialect: Dialect) -> list[str]:
    """The tables of a context as a tool is given them: without quotes, each once."""
    return list(dict.fromkeys(named.as_argument(dialect).text for named in _named(tables, dialect)))


def outside_table(
    root: "Expr", dialect: Dialect, schema: str | None, tables: tuple[str, ...] | None
) -> TableName | None:
    """A table of the statement that the context does not let it touch; None if all are inside.

    A function in the place of a table does not count as one, nor does a CTE where it is visible.
    What the server knows of itself is outside of what a change may name, but in a query inside of
    it.
    """
    from sqlglot import exp

    scope = ContextScope.of(dialect, schema, tables)
    for table in root.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue
        schema_name = table.args.get("db")
        if not isinstance(schema_name, exp.Identifier | None):  # of two dots, an empty text
            return TableName(table.name, "")
        named = TableName(
            identifier_of(table.this, dialect),
            None if schema_name is None else identifier_of(schema_name, dialect),
        )
        if table.args.get("catalog") is not None:
            return TableName(named.name, f"{table.catalog}.{named.schema}")
        is_written = _is_written(table)
        may_be_cte = named.schema is None and not is_written
        if may_be_cte and _compared(named.name, dialect) in _visible_ctes(table, dialect):
            continue
        if not scope.holds(named) or (is_written and named.is_system(dialect)):
            return named
    return None


def _is_written(table: "Expr") -> bool:
    """Whether it stands in a change itself, not in a query inside: what is written is not a CTE."""
    from sqlglot import exp

    parent = table.parent
    while parent is not None and not isinstance(parent, exp.Query | exp.CTE):
        parent = parent.parent
    return not isinstance(parent, exp.Query)


def _visible_ctes(table: "Expr", dialect: Dialect) -> Iterator[str]:
    """The names of the CTEs that `table` may mean.

    In the body of a query those of its WITH; in a CTE those before it, and itself if the WITH is
    recursive. One that comes later is not visible in MySQL, whatever the others say.
    """
    from sqlglot import exp

    child, parent = table, table.parent
    while parent is not None:
        if isinstance(parent, exp.With):
            for cte in parent.expressions:
                if cte is child:
                    if parent.args.get("recursive"):
                        yield _cte_name(cte, dialect)
                    break
                yield _cte_name(cte, dialect)
        else:
            own = parent.args.get("with_")
            if own is not None and own is not child:
                for cte in own.expressions:
                    yield _cte_name(cte, dialect)
        child, parent = parent, parent.parent


def _cte_name(cte: "Expr", dialect: Dialect) -> str:
    return _compared(identifier_of(cte.args["alias"].this, dialect), dialect)


def identifier_of(identifier: "Expr", dialect: Dialect) -> str:
    """The name that an identifier of the tree stands for."""
    kind = TokenKind.NAME if identifier.args.get("quoted") else TokenKind.WORD
    return _looked_up(identifier.name, dialect, kind)


def _named(tables: tuple[str, ...], dialect: Dialect) -> Iterator[TableName]:
    """The tables of a context. An entry that is not the name of a table lets nothing through.

    Clients write names in a context with quotes, as a statement does, or as they are in a
    catalogue: an entry without quotes and without a schema means both.
    """
    for entry in tables:
        lexed = lex(entry, dialect)
        tokens = lexed.tokens if isinstance(lexed, Lexed) else ()
        named = TableName.of_tokens(tokens, dialect)
        if named is not None:
            yield named
        is_told_exactly = named is not None and (
            len(tokens) > 1 or tokens[0].kind is TokenKind.NAME
        )
        if entry and not is_told_exactly:
            yield TableName(entry)


def schema_name(schema: str, dialect: Dialect) -> str:
    """The schema of a context: in quotes as a statement writes it, else as it is."""
    lexed = lex(schema, dialect)
    match lexed:
        case Lexed(tokens=(Token(kind=TokenKind.NAME, text=text),)):
            return text
    return schema


def _looked_up(name: str, dialect: Dialect, kind: TokenKind) -> str:
    """A name as its dialect looks it up: Postgres folds what is not in quotes."""
    return fold(name) if dialect == "postgres" and kind is TokenKind.WORD else name


def fold(name: str) -> str:
    """A name as SQLite compares it: only the case of ASCII letters does not matter."""
    return name.translate(_TO_LOWER)


def _compared(name: str, dialect: Dialect) -> str:
    """A name that was taken, as its dialect compares it: MySQL on Linux and Postgres exactly."""
    return fold(name) if dialect == "sqlite" else name
