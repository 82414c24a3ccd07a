"""What the grammar makes of a statement: rules 5 to 7 of `guard`."""

from typing import TYPE_CHECKING

from chatd.answers.sql import nodes
from chatd.answers.sql.columns import said_of_unknown, unknown_column
from chatd.answers.sql.elsewhere import instead_of, instead_of_word
from chatd.answers.sql.functions import FUNCTIONS
from chatd.answers.sql.grammar import NotParsed, parse
from chatd.answers.sql.lexer import EMPTIED, Dialect, Lexed, Token, TokenKind
from chatd.answers.sql.places import (
    date_with_dots,
    misspelt,
    not_understood,
    place,
    to_be_filled_in,
)
from chatd.answers.sql.scopes import outside_table
from chatd.answers.sql.slips import Slip, slip_in, slip_of
from chatd.answers.sql.verdicts import ONLY_READING, Policy, Refused, closed, outside
from chatd.wire.codes import Code

if TYPE_CHECKING:
    from sqlglot import Expr

NODES_MAX = 20_000  # parts of the tree, four for each word; beyond it the statement is refused

# What a database takes for grammar, as its word is reserved, and sqlglot for a function.
_GRAMMAR_CALLED = ("ALL", "ROW", "VALUES")


def checked_tree(sql: str, lexed: Lexed, policy: Policy) -> "tuple[Expr, bool]":
    """The one statement that the grammar makes of it, out of parts that are known; and whether it
    only reads."""
    statements = parse(lexed, policy.dialect)
    if isinstance(statements, NotParsed):
        if statements.is_bounded:
            raise Refused("The statement is nested too deeply; write it more simply.")
        raise Refused(
            _of_others(sql, lexed.tokens, policy.dialect)
            or to_be_filled_in(sql, lexed.tokens)
            or _said_of(slip_in(lexed, statements.token, policy.dialect), sql, policy.dialect)
            or not_understood(sql, lexed.tokens, statements.token, policy.dialect),
            Code.DB_SYNTAX,
        )
    if len(statements) != 1:
        raise Refused("Send one statement at a time.")
    root = statements[0]
    is_reading = True
    known = nodes.READING if policy.read_only else nodes.WRITING
    for count, node in enumerate(root.walk()):
        name = type(node).__name__
        is_reading = is_reading and name in nodes.READING
        if count >= NODES_MAX:
            raise Refused("The statement has too many parts.")
        if name in nodes.WRITES and policy.read_only:
            raise Refused(ONLY_READING, Code.DB_READ_ONLY)
        if name not in known:
            filled_in = to_be_filled_in(sql, lexed.tokens)
            if name in nodes.FILLED_IN and filled_in is not None:
                raise Refused(filled_in)
            if name == "Dot" and (date := date_with_dots(sql, lexed.tokens)) is not None:
                raise Refused(date, Code.DB_SYNTAX)
            raise Refused(f"A part of the statement is not allowed here ({name}).")
        _check_node(node, name, lexed, policy)
    if type(root).__name__ not in nodes.QUERIES | nodes.WRITES:
        raise Refused("The statement is no query.")
    table = outside_table(root, policy.dialect, policy.schema, policy.tables)
    if table is not None:
        raise closed(table) if table.is_closed(policy.dialect) else outside(table)
    column = unknown_column(root) if policy.dialect == "postgres" else None
    if column is not None:
        raise Refused(said_of_unknown(column, root))
    return root, is_reading


def said_of_slip(sql: str, lexed: Lexed, dialect: Dialect) -> str | None:
    """Which keyword was meant, if the statement is not understood and has a misspelt one."""
    return _said_of(slip_of(lexed, dialect), sql, dialect)


def _said_of(slip: Slip | None, sql: str, dialect: Dialect) -> str | None:
    return None if slip is None else misspelt(sql, slip.token, slip.keyword, dialect)


def _check_node(node: "Expr", name: str, lexed: Lexed, policy: Policy) -> None:
    """What a part may not be, although its kind is known."""
    if name == "Anonymous":
        called = str(node.this).upper()
        if called not in FUNCTIONS[policy.dialect] and called not in _GRAMMAR_CALLED:
            instead = instead_of(str(node.this), policy.dialect)
            raise Refused(instead or f"The function {node.this} may not be called here.")
    if name in ("Create", "Alter", "Drop") and node.args.get("kind") not in nodes.WRITABLE_KINDS:
        raise Refused("Only tables and their indexes may be created or changed.")
    if name == "Drop" and node.args.get("temporary"):
        raise Refused("Temporary tables may not be used here.")
    if (name == "Drop" and node.args.get("cascade")) or (
        name == "TruncateTable" and str(node.args.get("option")).upper() == "CASCADE"
    ):
        raise Refused("Leave CASCADE out; it changes what the statement does not name.")
    if name == "Table" and node.name == EMPTIED and _has_strings(lexed):  # else it is so called
        raise Refused("A table is named by a string; write its name without quotes.")


def _has_strings(lexed: Lexed) -> bool:
    return any(token.kind is TokenKind.LITERAL for token in lexed.tokens)


def _of_others(sql: str, tokens: tuple[Token, ...], dialect: Dialect) -> str | None:
    """What the database has for a word that only others have, and where the word stands."""
    for token, after in zip(tokens, (*tokens[1:], None), strict=True):
        text = token.text
        if token.kind is TokenKind.SYMBOL:
            if after is None or after.kind is not TokenKind.SYMBOL or after.at != token.end:
                continue
            text += after.text
        elif token.kind is not TokenKind.WORD:
            continue
        if (instead := instead_of_word(text, dialect)) is not None:
            return f"{instead[:-1]} ({place(sql, token.at)})."
    return None
