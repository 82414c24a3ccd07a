"""Whether a statement may run: the second layer of read-only (docs/answers, "Statements").

A statement is allowed when two readers agree that it is harmless. The first reads the words, with
`lexer` and the lists here and in `functions`, and believes no parser; the second is the grammar of
the dialect (`grammar`), whose tree may hold only what stands in `nodes`. What neither understands
is refused. The rules, in their order:

1. the text is clear (`lexer`) and short, and is not nested deeply;
2. it is one statement, and its first word begins a query;
3. no word outside of quotes is one that writes, escapes or locks; a column of such a name has to be
   put in quotes;
4. every name before a parenthesis is a function of the list, or calls nothing by its place; a size
   that it takes is written as a small number; in Postgres every type and every operator is one
   that the server brings (`catalogue`);
5. the grammar makes one query of it, out of parts that read;
6. where the context narrows, every table is inside of it (`scopes`);
7. in Postgres, where `t.f` may call `f`, it is known to be a column (`scopes`).

Where writing is allowed, rules 2, 3 and 5 let changes of rows and of tables with their indexes
through, and nothing else: no files, no other databases, no code, no rights, nothing that the server
knows of itself. A view is code, which runs with the rights of its owner; a temporary table would
stand in for another of its name; CASCADE changes what the statement does not name.

The statement that is sent differs from the one that was written by its comments, and by the names
that could mean something else: in Postgres functions and types are named by their catalogue, and in
MySQL no space stands before the parenthesis of a call, where `now ()` may be a stored function.

What the schema itself does stays with the credentials, the third layer: a view, an operator for a
type of the schema's own, a cast or a generated column may call functions, and so may `t.f` in
Postgres, on a row `t` of a table.
"""

import enum
import re
from typing import TYPE_CHECKING, TypeAlias

import attrs

from chatd.answers.sql import nodes
from chatd.answers.sql.catalogue import (
    CATALOGUE,
    Unvouched,
    check_members,
    check_operators,
    is_by_syntax,
    named_types,
)
from chatd.answers.sql.elsewhere import instead_of, instead_of_word
from chatd.answers.sql.functions import (
    FORMATS,
    FUNCTIONS,
    OF_TABLES,
    SETTINGS,
    SIZE_MAX,
    SIZES,
    words,
)
from chatd.answers.sql.grammar import NotParsed, parse
from chatd.answers.sql.keywords import SAMPLING, closes_distinct_on, is_grammar
from chatd.answers.sql.lexer import (
    EMPTIED,
    Dialect,
    Lexed,
    Token,
    TokenKind,
    Unclear,
    closing_parentheses,
    lex,
)
from chatd.answers.sql.places import begins_like, not_understood, place, to_be_filled_in, unbalanced
from chatd.answers.sql.scopes import (
    ContextScope,
    TableName,
    outside_table,
    said_of_unknown,
    unknown_column,
)
from chatd.wire.codes import EXPLANATIONS, Code

if TYPE_CHECKING:
    from sqlglot import Expr

DEPTH_MAX = 40  # parentheses and brackets inside of each other; honest statements have 5
NODES_MAX = 20_000  # parts of the tree, four for each word; beyond it the statement is refused
NAME_CHARS_MAX = 255  # of a table's name and of its schema's; MySQL has 64, Postgres 63 bytes

_QUERY = frozenset({"SELECT", "WITH", "VALUES"})
_CHANGES_TABLES = ("CREATE", "ALTER", "DROP", "TRUNCATE")
_CHANGE = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", *_CHANGES_TABLES})

# Words that write, or stand in statements that do. In a query they have to be put in quotes.
_WRITES = _CHANGE | frozenset({"INTO", "SET", "UPSERT"})
# The same words are functions before a parenthesis.
_WRITES_OR_FUNCTIONS: dict[Dialect, tuple[str, ...]] = {
    "sqlite": ("REPLACE",),
    "postgres": ("REPLACE",),
    "mysql": ("REPLACE", "TRUNCATE"),
}
# Words that leave the tables: files, other databases, code, rights, locks. Never outside of quotes.
_ESCAPES = words("""
    attach call copy deallocate detach dumpfile execute grant handler infile load lock outfile
    pragma prepare procedure reindex revoke vacuum
""")
# The same, where something is created; in a query these are honest names of columns.
_CREATES_ESCAPES = words("extension function program tablespace trigger virtual")
_LOCKS_AFTER_FOR = ("UPDATE", "SHARE", "NO", "KEY")
# Where a statement changes tables, `name (` after these words is a list of columns.
_BEFORE_DEFINED = ("INTO", "TABLE", "REFERENCES", "INDEX", "KEY")
# A size in a format that comes with the arguments, or has more than four digits.
_SIZE_IN_FORMAT = re.compile(r"%[^%A-Za-z]*(?:\*|[0-9]{5})")
# What is grammar of MySQL, and a function to sqlglot.
_GRAMMAR_CALLED = ("ROW", "VALUES")


@attrs.frozen
class Policy:
    """What the statements of a question may do; see `requests.Terms`."""

    dialect: Dialect
    read_only: bool = True
    schema: str | None = None
    tables: tuple[str, ...] | None = None


@attrs.frozen
class Allowed:
    """The statement may run. `sql` is it as it is sent; `is_reading`: it changes nothing."""

    sql: str
    is_reading: bool


@attrs.frozen
class Rejected:
    """The statement may not run. The sentence says what to do about it."""

    code: Code
    sentence: str


Verdict: TypeAlias = Allowed | Rejected

_WRITING = EXPLANATIONS[Code.DB_READ_ONLY].sentence


class _Refused(Exception):
    """Ends a check; its caller gets `rejected`."""

    def __init__(self, sentence: str, code: Code = Code.DB_STATEMENT_REJECTED) -> None:
        super().__init__(sentence)
        self.rejected = Rejected(code, sentence)


def check_statement(sql: str, policy: Policy) -> Verdict:
    """Whether the statement may run under the policy. Never raises, whatever it is given."""
    try:
        lexed = _lexed(sql, policy)
        if policy.dialect == "sqlite":
            lexed = _without_outer_parentheses(lexed)
        _check_shape(sql, lexed.tokens, policy)
        _check_words(lexed.tokens, policy)
        names = _check_names(lexed.tokens, policy)
        is_reading = _check_tree(sql, lexed, policy)
        return Allowed(names.sent(lexed), is_reading)
    except _Refused as refused:
        return refused.rejected


def check_table(name: str, policy: Policy) -> TableName | Rejected:
    """The table that a name means, with its schema where it has one; or why it may not be asked.

    A name is one or two parts with a dot between, each with or without quotes; anything else that
    has no quotes in it is taken for one name as it is. What comes out may hold any sign, so that it
    is put in quotes, or given as a value, wherever it goes.
    """
    try:
        return _named_table(name, policy)
    except _Refused as refused:
        return refused.rejected


def _named_table(name: str, policy: Policy) -> TableName:
    table = TableName.read(name, policy.dialect)
    if table is None:
        raise _Refused('Name one table, as in orders, sales.orders or "my orders".')
    for part in (table.schema or "", table.name):
        if len(part) > NAME_CHARS_MAX:
            raise _Refused(f"The name of a table has {NAME_CHARS_MAX} characters at most.")
    if not ContextScope.of(policy.dialect, policy.schema, policy.tables).holds(table):
        raise _outside(table)
    return table


def _lexed(text: str, policy: Policy) -> Lexed:
    lexed = lex(text, policy.dialect)
    if not isinstance(lexed, Unclear):
        return lexed
    if lexed.at is None:
        raise _Refused(lexed.sentence)
    for sign in (text[lexed.at : lexed.at + 2], text[lexed.at : lexed.at + 1]):
        if (instead := instead_of_word(sign, policy.dialect)) is not None:
            raise _Refused(f"{instead[:-1]} ({place(text, lexed.at)}).", Code.DB_SYNTAX)
    raise _Refused(f"{lexed.sentence[:-1]} ({place(text, lexed.at)}).")


def _without_outer_parentheses(lexed: Lexed) -> Lexed:
    """The statement without those that stand around all of it, which SQLite does not take."""
    closing, last = dict(closing_parentheses(lexed.tokens)), len(lexed.tokens) - 1
    count = 0
    while count < last and closing.get(count) == last - count:
        count += 1
    if not count or not lexed.tokens[count].is_word(*_QUERY):
        return lexed
    sql, plain = lexed.sql, lexed.plain
    for _ in range(count):  # both begin and end with them; white space alone stands between
        sql, plain = sql[1:-1].strip(), plain[1:-1].strip()
    within = slice(count, last + 1 - count)
    starts = lexed.plain_starts[within]
    return Lexed(lexed.tokens[within], sql, plain, tuple(start - starts[0] for start in starts))


def _check_shape(sql: str, tokens: tuple[Token, ...], policy: Policy) -> None:
    """One statement, not too deep, that begins as it may."""
    first = next((token for token in tokens if not token.is_symbol("(")), None)
    if first is None:
        raise _Refused("There is no statement in it.", Code.DB_SYNTAX)
    if any(token.is_symbol(";") for token in tokens):
        raise _Refused("Send one statement at a time, with no ; in it.")
    if (odd := unbalanced(sql, tokens)) is not None:
        raise _Refused(odd, Code.DB_SYNTAX)
    if _depth(tokens) > DEPTH_MAX:
        raise _Refused(
            f"Its parentheses are nested too deeply; {DEPTH_MAX} may be open at a time.",
            Code.DB_SYNTAX,
        )
    if first.is_word(*_QUERY):
        if policy.dialect == "sqlite" and first is not tokens[0]:
            raise _Refused(
                "SQLite takes no parentheses around a part of a UNION; write SELECT * FROM (...) "
                "for that part.",
                Code.DB_SYNTAX,
            )
        return
    if first.is_word(*_CHANGE) and first is tokens[0]:
        if policy.read_only:
            raise _Refused(_WRITING, Code.DB_READ_ONLY)
        return
    if first.is_word("EXPLAIN"):
        raise _Refused("Send the statement alone with /explain.")
    if first.is_word("SHOW", "DESCRIBE", "DESC"):
        raise _Refused("Ask with /tables, or /describe TABLE.")
    if first.is_word("PRAGMA"):
        raise _Refused("PRAGMA may not be used here; ask with /tables, or /describe TABLE.")
    if first.is_word("TABLE"):
        raise _Refused("Write SELECT * FROM for TABLE.")
    if first.kind is TokenKind.WORD and first.text in _ESCAPES:
        raise _Refused(f"{first.text} may not be used here.")
    near = begins_like(first)
    if near is not None:
        raise _Refused(
            f"{first.written} ({place(sql, first.at)}) begins no statement; did you mean {near}?",
            Code.DB_SYNTAX,
        )
    raise _Refused("A statement begins with SELECT, WITH or VALUES here.")


def _check_words(tokens: tuple[Token, ...], policy: Policy) -> None:
    """No word that writes or escapes, in the places where it is a word of the language."""
    for index, (token, after) in enumerate(zip(tokens, (*tokens[1:], None), strict=True)):
        if token.kind is not TokenKind.WORD or _is_member(tokens, index):
            continue
        if token.text in (_ESCAPES if policy.read_only else _ESCAPES | _CREATES_ESCAPES):
            raise _Refused(
                f"{token.text} may not be used here; put it in quotes where it is a name."
            )
        if token.is_word("FOR") and after is not None and after.is_word(*_LOCKS_AFTER_FOR):
            raise _Refused("Rows may not be locked; leave FOR ... out.", Code.DB_READ_ONLY)
        if token.is_word("NEXT") and after is not None and after.is_word("VALUE"):
            raise _Refused("A sequence may not be moved on.", Code.DB_READ_ONLY)
        is_called = after is not None and after.is_symbol("(")
        is_function = is_called and token.is_word(*_WRITES_OR_FUNCTIONS[policy.dialect])
        if policy.read_only and token.text in _WRITES and not is_function:
            raise _Refused(
                f"Only reading is allowed here, and {token.text} may write; "
                "put it in quotes where it is a name.",
                Code.DB_READ_ONLY,
            )
        if token.is_word("TABLE") and not tokens[0].is_word(*_CHANGES_TABLES):
            raise _Refused("Write SELECT * FROM for TABLE; put it in quotes where it is a name.")
        # SQLite reads a whole table, or calls a function, for a name after IN.
        is_followed = after is not None and after.is_symbol("(")
        if policy.dialect == "sqlite" and token.is_word("IN") and not is_followed:
            raise _Refused("Put what stands after IN in parentheses.")


def _is_member(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether the word is written as a column of a table, as in `orders.set`: in no dialect does
    anything but a name stand there."""
    if at < 2 or not tokens[at - 1].is_symbol(".") or not tokens[at - 2].is_name:
        return False
    return tokens[at - 1].at + 1 == tokens[at].at


@attrs.frozen
class _Names:
    """What the names of a statement are sent as: tokens, by their positions.

    `by_catalogue` have the catalogue of Postgres put before them; before `joined` no space stands.
    """

    by_catalogue: frozenset[int] = frozenset()
    joined: frozenset[int] = frozenset()

    def sent(self, lexed: Lexed) -> str:
        """The statement with its names so, and otherwise as it was."""
        pieces: list[str] = []
        end = 0
        for index, token in enumerate(lexed.tokens):
            start = lexed.sql.index(token.written, end)  # between two tokens is white space alone
            if index not in self.joined:
                pieces.append(lexed.sql[end:start])
            if index in self.by_catalogue:
                pieces.append(CATALOGUE)
            pieces.append(token.written)
            end = start + len(token.written)
        return "".join(pieces)


def _check_names(tokens: tuple[Token, ...], policy: Policy) -> _Names:
    """Every function that is called is known, and in Postgres every type and operator is."""
    closing = dict(closing_parentheses(tokens))
    calls, aliases = [], set()
    for index, token in enumerate(tokens[1:], start=1):
        if not token.is_symbol("(") or not tokens[index - 1].is_name:
            continue
        called = _check_call(tokens, index, closing, policy)
        if called is _Use.CALL:
            calls.append(index - 1)
        elif called is _Use.ALIAS:
            aliases.add(index)
    if policy.dialect == "mysql":
        return _Names(joined=frozenset(index + 1 for index in calls))
    if policy.dialect == "sqlite":
        return _Names()
    try:
        check_members(tokens)
        check_operators(tokens)
        types = frozenset(named_types(tokens, closing, aliases))
    except Unvouched as unvouched:
        raise _Refused(str(unvouched)) from None
    if any(tokens[at].is_word("REGCLASS", "REGTYPE") for at in types) and _narrows(policy):
        raise _Refused("A table may not be looked up by a text here; name it in FROM.")
    looked_up = {at for at in calls if not is_by_syntax(tokens, at, closing[at + 1])}
    return _Names(by_catalogue=types | looked_up)


class _Use(enum.Enum):
    """What a name before a parenthesis is there for."""

    GRAMMAR = enum.auto()  # or the name of a table with its columns
    ALIAS = enum.auto()  # the name of a table or a query, with those of its columns
    CALL = enum.auto()


def _check_call(
    tokens: tuple[Token, ...],
    index: int,
    closing: dict[int, int],
    policy: Policy,
) -> _Use:
    """The name before the parenthesis at `index` is a known function, or calls nothing there."""
    name = tokens[index - 1]
    is_qualified = index >= 2 and tokens[index - 2].is_symbol(".")
    is_word = name.kind is TokenKind.WORD and not is_qualified
    instead = instead_of(name.text, policy.dialect) if is_word else None
    if is_word and is_grammar(tokens, index - 1, policy.dialect):
        if policy.dialect == "sqlite" and instead is not None and _is_attempt(tokens, index - 1):
            raise _Refused(instead)
        return _Use.GRAMMAR
    if not is_qualified and _is_list_of_columns(tokens, index, closing):
        return _Use.ALIAS
    if not policy.read_only and _is_defined(tokens, index):
        return _Use.GRAMMAR
    is_sampling = index >= 2 and tokens[index - 2].is_word("TABLESAMPLE")
    if policy.dialect == "postgres" and is_sampling and name.is_word(*SAMPLING):
        return _Use.CALL
    if is_word and name.text in FUNCTIONS[policy.dialect]:
        _check_arguments(name, tokens[index + 1 : closing.get(index)], policy)
        return _Use.CALL
    raise _Refused(instead or f"The function {name.written} may not be called here.")


def _is_attempt(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether a word of SQLite's grammar is written as the function that others have."""
    if tokens[at].is_word("LEFT", "RIGHT"):
        return True  # of joins, where no parenthesis follows them
    return tokens[at].is_word("YEAR") and not tokens[at - 1].is_word("AS")  # of a CAST


def _check_arguments(name: Token, inside: tuple[Token, ...], policy: Policy) -> None:
    """What the function is given does no harm: a size, the name of a table or of a setting."""
    _check_sizes(name, inside, policy.dialect)
    if policy.dialect != "postgres":
        return
    if name.text in OF_TABLES and _narrows(policy):
        raise _Refused(
            f"The function {name.written} may not be called where the context names the tables "
            "that may be touched; ask without schema and tables."
        )
    if name.is_word("CURRENT_SETTING") and not _is_harmless_setting(_argument(inside, 0)):
        raise _Refused(
            "Of the settings only harmless ones can be asked for, each as a string: "
            "current_setting('TimeZone')."
        )


def _narrows(policy: Policy) -> bool:
    return policy.schema is not None or policy.tables is not None


def _is_harmless_setting(argument: list[Token]) -> bool:
    match argument:
        case [Token(kind=TokenKind.LITERAL, text=text, written=written)]:
            return written.startswith("'") and text.upper() in SETTINGS
    return False


def _check_sizes(name: Token, inside: tuple[Token, ...], dialect: Dialect) -> None:
    """A size that the function takes is written as a number, and small."""
    position = SIZES[dialect].get(name.text)
    if position is not None and not _is_small(_argument(inside, position)):
        raise _Refused(
            f"The size in {name.written}() has to be written as a number of {SIZE_MAX} at most."
        )
    if name.text in FORMATS[dialect] and not _is_modest_format(_argument(inside, 0)):
        raise _Refused(
            f"The format in {name.written}() has to be written as a string, with no * and no \\, "
            "and with sizes of four digits at most."
        )


def _argument(inside: tuple[Token, ...], position: int) -> list[Token]:
    """The tokens of an argument, of all that stand in the parentheses of a call."""
    depth, found = 0, []
    for token in inside:
        depth += token.is_symbol("(") + token.is_symbol("[")
        depth -= token.is_symbol(")") + token.is_symbol("]")
        if depth == 0 and token.is_symbol(","):
            position -= 1
        elif position == 0:
            found.append(token)
    return found


def _is_small(argument: list[Token]) -> bool:
    match argument:
        case [Token(kind=TokenKind.NUMBER, text=text)]:
            return text.isdigit() and len(text) <= len(str(SIZE_MAX)) and int(text) <= SIZE_MAX
    return False


def _is_modest_format(argument: list[Token]) -> bool:
    """Whether it is one string that says what it is: without escapes, and not in bytes."""
    match argument:
        case [Token(kind=TokenKind.LITERAL, text=text, written=written)]:
            is_plain = written.startswith(("'", "$")) and "\\" not in text
            return is_plain and _SIZE_IN_FORMAT.search(text) is None
    return False


def _check_tree(sql: str, lexed: Lexed, policy: Policy) -> bool:
    """The grammar makes one statement of it, out of parts that are known; whether it only reads."""
    statements = parse(lexed, policy.dialect)
    if isinstance(statements, NotParsed):
        if statements.is_bounded:
            raise _Refused("The statement is nested too deeply; write it more simply.")
        raise _Refused(
            _of_others(sql, lexed.tokens, policy.dialect)
            or to_be_filled_in(sql, lexed.tokens)
            or not_understood(sql, lexed.tokens, statements.token, policy.dialect),
            Code.DB_SYNTAX,
        )
    if len(statements) != 1:
        raise _Refused("Send one statement at a time.")
    root = statements[0]
    is_reading = True
    known = nodes.READING if policy.read_only else nodes.WRITING
    for count, node in enumerate(root.walk()):
        name = type(node).__name__
        is_reading = is_reading and name in nodes.READING
        if count >= NODES_MAX:
            raise _Refused("The statement has too many parts.")
        if name in nodes.WRITES and policy.read_only:
            raise _Refused(_WRITING, Code.DB_READ_ONLY)
        if name not in known:
            filled_in = to_be_filled_in(sql, lexed.tokens)
            if name in nodes.FILLED_IN and filled_in is not None:
                raise _Refused(filled_in)
            raise _Refused(f"A part of the statement is not allowed here ({name}).")
        _check_node(node, name, policy)
    if type(root).__name__ not in nodes.QUERIES | nodes.WRITES:
        raise _Refused("The statement is no query.")
    table = outside_table(root, policy.dialect, policy.schema, policy.tables)
    if table is not None:
        raise _outside(table)
    column = unknown_column(root) if policy.dialect == "postgres" else None
    if column is not None:
        raise _Refused(said_of_unknown(column, root))
    return is_reading


def _check_node(node: "Expr", name: str, policy: Policy) -> None:
    """What a part may not be, although its kind is known."""
    if name == "Anonymous":
        called = str(node.this).upper()
        if called not in FUNCTIONS[policy.dialect] and called not in _GRAMMAR_CALLED:
            instead = instead_of(str(node.this), policy.dialect)
            raise _Refused(instead or f"The function {node.this} may not be called here.")
    if name in ("Create", "Alter", "Drop") and node.args.get("kind") not in nodes.WRITABLE_KINDS:
        raise _Refused("Only tables and their indexes may be created or changed.")
    if name == "Drop" and node.args.get("temporary"):
        raise _Refused("Temporary tables may not be used here.")
    if (name == "Drop" and node.args.get("cascade")) or (
        name == "TruncateTable" and str(node.args.get("option")).upper() == "CASCADE"
    ):
        raise _Refused("Leave CASCADE out; it changes what the statement does not name.")
    if name == "Table" and node.name == EMPTIED:
        raise _Refused("A table is named by a string; write its name without quotes.")


def _of_others(sql: str, tokens: tuple[Token, ...], dialect: Dialect) -> str | None:
    """What the database has for a word that only others have, and where that stands."""
    for token in tokens:
        instead = instead_of_word(token.text, dialect) if token.kind is TokenKind.WORD else None
        if instead is not None:
            return f"{instead[:-1]} ({place(sql, token.at)})."
    return None


def _depth(tokens: tuple[Token, ...]) -> int:
    """How many parentheses and brackets are open at most."""
    depth = deepest = 0
    for token in tokens:
        if token.kind is TokenKind.SYMBOL:
            depth += (token.text in "([") - (token.text in ")]")
            deepest = max(deepest, depth)
    return deepest


def _is_list_of_columns(tokens: tuple[Token, ...], index: int, closing: dict[int, int]) -> bool:
    """Whether the parenthesis at `index`, after a name, holds the columns of an alias or a CTE.

    `AS name (`, `) name (` and `name (columns) AS (query)` are no calls, but for the second after
    `DISTINCT ON (...)`, and the third where what follows AS is a list of types.
    """
    if index < 2:
        return False
    before = tokens[index - 2]
    if before.is_word("AS"):
        return True
    if before.is_symbol(")"):
        return not closes_distinct_on(tokens, index - 2)
    after = closing.get(index, len(tokens)) + 1
    rest = [token for token in tokens[after : after + 5] if not token.is_word("NOT")]
    rest = [token for token in rest if not token.is_word("MATERIALIZED")]
    if len(rest) < 3 or not rest[0].is_word("AS") or not rest[1].is_symbol("("):
        return False
    return rest[2].is_word("SELECT", "WITH") or (
        rest[2].is_word("VALUES") and len(rest) > 3 and rest[3].is_symbol("(")
    )


def _is_defined(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether the name before the parenthesis is that of a table or an index that is changed."""
    before = index - 2
    while before >= 1 and tokens[before].is_symbol("."):
        before -= 2
    if before < 1:
        return False
    if tokens[before].is_word("EXISTS"):
        return tokens[before - 1].is_word("IF", "NOT")
    if tokens[before].is_word("ON"):  # CREATE INDEX ... ON, and not that of a join
        return tokens[0].is_word("CREATE") and tokens[1].is_word("INDEX", "UNIQUE")
    return tokens[before].is_word(*_BEFORE_DEFINED)


def _outside(table: TableName) -> _Refused:
    return _Refused(f"The table {table.text} is outside of what this question may touch.")
