"""Which names of a statement call something: rule 4 of `guard`.

A name before a parenthesis is a function of the lists (`functions`), or calls nothing by its place.
In Postgres types and operators call functions too (`catalogue`).
"""

import enum

import attrs

from chatd.answers.sql.catalogue import (
    CATALOGUE,
    Unvouched,
    check_members,
    check_operators,
    is_by_syntax,
    named_types,
)
from chatd.answers.sql.elsewhere import instead_of
from chatd.answers.sql.functions import FUNCTIONS, OF_TABLES, SETTINGS
from chatd.answers.sql.keywords import SAMPLING, closes_distinct_on, is_grammar
from chatd.answers.sql.lexer import Lexed, Token, TokenKind, closing_parentheses
from chatd.answers.sql.nearest import with_nearest
from chatd.answers.sql.sizes import argument, check_growth, check_sizes
from chatd.answers.sql.spelling import nearest_functions
from chatd.answers.sql.verdicts import Policy, Refused, narrows

# If a statement changes tables, `name (` after these words is a list of columns.
_BEFORE_DEFINED = ("INTO", "TABLE", "REFERENCES", "INDEX", "KEY")


@attrs.frozen
class SentNames:
    """What the names of a statement are sent as: tokens, by their positions.

    Those in `by_catalogue` get the catalogue of Postgres before them; those in `joined` have no
    space before the parenthesis.
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


def check_names(tokens: tuple[Token, ...], policy: Policy) -> SentNames:
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
    check_growth(tokens, closing, policy.dialect)
    if policy.dialect == "mysql":
        return SentNames(joined=frozenset(index + 1 for index in calls))
    if policy.dialect == "sqlite":
        return SentNames()
    try:
        check_members(tokens)
        check_operators(tokens)
        types = frozenset(named_types(tokens, closing, aliases))
    except Unvouched as unvouched:
        raise Refused(str(unvouched)) from None
    if any(tokens[at].is_word("REGCLASS", "REGTYPE") for at in types) and narrows(policy):
        raise Refused("A table may not be looked up by a text here; name it in FROM.")
    looked_up = {at for at in calls if not is_by_syntax(tokens, at, closing[at + 1])}
    return SentNames(by_catalogue=types | looked_up)


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
            raise Refused(instead)
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
    if is_word and instead is None and (meant := nearest_functions(name.text, policy.dialect)):
        raise Refused(with_nearest(f"There is no function {name.written}.", meant))
    raise Refused(instead or f"The function {name.written} may not be called here.")


def _is_attempt(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether a word of SQLite's grammar is written as the function that others have."""
    if tokens[at].is_word("LEFT", "RIGHT"):
        return True  # of joins, where no parenthesis follows them
    return tokens[at].is_word("YEAR") and not tokens[at - 1].is_word("AS")  # of a CAST


def _check_arguments(name: Token, inside: tuple[Token, ...], policy: Policy) -> None:
    """What the function is given does no harm: a size, the name of a table or of a setting."""
    check_sizes(name, inside, policy.dialect)
    if policy.dialect != "postgres":
        return
    if name.text in OF_TABLES and narrows(policy):
        raise Refused(
            f"The function {name.written} may not be called where the context names the tables "
            "that may be touched; ask without schema and tables."
        )
    if name.is_word("CURRENT_SETTING") and not _is_harmless_setting(argument(inside, 0)):
        raise Refused(
            "Of the settings only harmless ones can be asked for, each as a string: "
            "current_setting('TimeZone')."
        )


def _is_harmless_setting(tokens: list[Token]) -> bool:
    match tokens:
        case [Token(kind=TokenKind.LITERAL, text=text, written=written)]:
            return written.startswith("'") and text.upper() in SETTINGS
    return False


def _is_list_of_columns(tokens: tuple[Token, ...], index: int, closing: dict[int, int]) -> bool:
    """Whether the parenthesis at `index`, after a name, holds the columns of an alias or a CTE.

    `AS name (`, `) name (` and `name (columns) AS (query)` are not calls, except for the second
    after `DISTINCT ON (...)`, and the third if a list of types follows AS.
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
    """Whether the name before the parenthesis is the name of a table or an index that is
    changed."""
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
