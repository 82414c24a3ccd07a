"""How a statement of Postgres names what the server brings, so that it means nothing else.

Postgres looks functions, types and operators up along the search path, and takes the one that fits
the arguments best. A user's `log(text)` is called for `log('x')`, though the server has a `log`; a
cast to a user's domain runs its CHECK; and if the search path names `pg_catalog` late, a user's
type may even be called `text`. Then a function that runs with the rights of its owner (SECURITY
DEFINER) may write, whatever the credentials. So a statement is sent with `pg_catalog.` before each
function that it calls and each type that it names. What stands here finds those names in the words
of the statement:

- functions before a parenthesis, as `guard` found them, except those that are grammar (`SYNTAX`),
  for which Postgres goes to its catalogue by itself;
- types after `::`, after the AS of a CAST, before a string (`date '2026-01-01'`), and in the
  columns of an alias;
- operators cannot be named so without new parentheses everywhere: those that the server does not
  have are refused. One of the same signs for types of a user's own can still be called; so can a
  function of a row, as `t.f`, a cast function of a type of a user's own, and what views and
  policies call. For these there is the lock of the connection: default_transaction_read_only.

Sources: PostgreSQL 15, gram.y, parse_func.c, "Operators" and "Type Conversion".
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from chatd.answers.sql.elsewhere import instead_of_word
from chatd.answers.sql.functions import words
from chatd.answers.sql.keywords import LOOK_BACK_TOKENS, is_grammar
from chatd.answers.sql.lexer import Token, TokenKind

CATALOGUE = "pg_catalog."

# Called by grammar, never by their name (gram.y, func_expr_common_subexpr; SystemFuncName).
SYNTAX = words("""
    cast coalesce current_catalog current_date current_role current_time current_timestamp
    current_user extract greatest grouping least localtime localtimestamp normalize nullif position
    session_user trim user
""")
# Types that are grammar: nothing is looked up for them.
KEYWORD_TYPES = words("""
    bigint bit boolean char character dec decimal double float int integer interval national nchar
    numeric real smallint time timestamp varchar
""")
# Types that are looked up by their name. Of the `reg...` types, which look up what a text names,
# only those for tables and types are here.
NAMED_TYPES = words("""
    bool bpchar bytea cidr circle box date datemultirange daterange float4 float8 inet int2 int4
    int4multirange int4range int8 int8multirange int8range json jsonb jsonpath line lseg macaddr
    macaddr8 money name nummultirange numrange oid path pg_lsn point polygon regclass regtype text
    timestamptz timetz
    tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector uuid varbit xml
""")
_OPERATOR_SIGNS = frozenset("+-*/<>=~!@#%^&|?")
_ENDS_IN_SIGN = frozenset("~!@#%^&|?")  # an operator may end in + or - only if it has one of these
OPERATORS = words("""
    !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <->
    << <<= <<| <= <> <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/
    |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~* != =>
""")


class Unvouched(Exception):
    """A name may be a user's own; the text is a sentence."""


def is_by_syntax(tokens: Sequence[Token], at: int, closing: int) -> bool:
    """Whether the word at `at` is called by grammar, its parentheses ending at `closing`.

    `substring(a FROM 2)` and `overlay(a PLACING b FROM 2)` are; `substring(a, 2)` is looked up. Of
    several arrays `unnest` is grammar in FROM, and there only without its catalogue.
    """
    word = tokens[at].text
    if word in SYNTAX:
        return True
    if word not in ("SUBSTRING", "OVERLAY", "UNNEST"):
        return False
    inside = list(_outermost(tokens, at + 1, closing))
    has_comma = any(tokens[index].is_symbol(",") for index in inside)
    if word == "UNNEST":
        return has_comma and _is_in_from(tokens, at)
    return not has_comma and any(_divides(tokens, index) for index in inside)


def _is_in_from(tokens: Sequence[Token], at: int) -> bool:
    """Whether `at` begins a member of FROM."""
    if tokens[at - 1].is_word("JOIN", "LATERAL"):
        return True
    depth = 0
    for index in range(at - 1, max(0, at - LOOK_BACK_TOKENS), -1):
        token = tokens[index]
        depth += token.is_symbol(")") - token.is_symbol("(")
        if depth < 0:
            return False
        if depth == 0 and token.is_word("FROM"):
            # Not that of `a IS DISTINCT FROM b`, nor one that divides the arguments of a function.
            return not tokens[index - 1].is_word("DISTINCT") and _is_in_query(tokens, index)
        if depth == 0 and (token.is_word(*_CLAUSES) or (index == at - 1 and token.text != ",")):
            return False
    return False


def _is_in_query(tokens: Sequence[Token], at: int) -> bool:
    """Whether the parenthesis around `at` holds a query; also true if there is no parenthesis."""
    depth = 0
    for index in range(at - 1, max(-1, at - LOOK_BACK_TOKENS), -1):
        depth += tokens[index].is_symbol(")") - tokens[index].is_symbol("(")
        if depth < 0:
            return tokens[index + 1].is_word("SELECT", "WITH")
    return at < LOOK_BACK_TOKENS


_CLAUSES = words("select where group having order window limit offset fetch values returning set")


def _divides(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word divides the arguments of a function that is grammar."""
    token = tokens[at]
    if token.is_word("FROM"):
        return not tokens[at - 1].is_word("DISTINCT")  # a IS DISTINCT FROM b
    if token.is_word("SIMILAR"):
        return not tokens[at + 1].is_word("TO")
    return token.is_word("FOR", "PLACING")


def check_members(tokens: Sequence[Token]) -> None:
    """Raise `Unvouched` if a member of a value is named, as in `(a).b`: it may be a function."""
    for before, token in pairwise(tokens):
        if token.is_symbol(".") and (before.is_symbol(")") or before.is_symbol("]")):
            raise Unvouched("A member of a value may not be named here, as in (a).b.")


def check_operators(tokens: Sequence[Token]) -> None:
    """Raise `Unvouched` if an operator is not one that Postgres brings."""
    for operator in _operators(tokens):
        if operator not in OPERATORS:
            instead = instead_of_word(operator, "postgres")
            raise Unvouched(
                instead or f"PostgreSQL itself has no operator {operator}; write it another way."
            )


def _operators(tokens: Sequence[Token]) -> Iterator[str]:
    """The operators, cut out of rows of signs as Postgres cuts them (scan.l)."""
    run, end = "", -1
    for token in (*tokens, Token(TokenKind.SYMBOL, ";", ";", -2)):
        is_sign = token.kind is TokenKind.SYMBOL and token.text in _OPERATOR_SIGNS
        if run and not (is_sign and token.at == end):
            while len(run) > 1 and run[-1] in "+-" and not _ENDS_IN_SIGN & set(run):
                run = run[:-1]  # the rest is a sign before a number, as in 1*-2
            yield run
            run = ""
        if is_sign:
            run, end = run + token.text, token.at + 1


def named_types(
    tokens: Sequence[Token], closing: Mapping[int, int], aliases: Collection[int]
) -> Iterator[int]:
    """Where a type stands that is looked up by its name.

    `closing` has the ends of parentheses, and `aliases` those that hold the columns of an alias.
    Raises `Unvouched` if it may be a user's own.
    """
    for at in _types(tokens, closing, aliases):
        token = tokens[at] if at < len(tokens) else None
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        is_dotted = after is not None and after.is_symbol(".")
        if token is not None and token.kind is TokenKind.WORD and not is_dotted:
            if token.text in NAMED_TYPES:
                yield at
                continue
            if token.text in KEYWORD_TYPES and (
                token.text != "DOUBLE" or (after is not None and after.is_word("PRECISION"))
            ):
                continue
        written = "what stands there" if token is None else token.written
        raise Unvouched(
            f"Only types that Postgres itself has may be named here, and {written} is not one."
        )


def _types(
    tokens: Sequence[Token], closing: Mapping[int, int], aliases: Collection[int]
) -> Iterator[int]:
    """Where types begin."""
    yield from _cast_types(tokens, closing)
    yield from _types_before_strings(tokens)
    for opened, closed in closing.items():
        if opened in aliases or _opens_columns(tokens, opened):
            yield from _column_types(tokens, opened, closed)


def _cast_types(tokens: Sequence[Token], closing: Mapping[int, int]) -> Iterator[int]:
    at = 0
    while at + 1 < len(tokens):
        one, two = tokens[at], tokens[at + 1]
        if one.is_symbol(":") and two.is_symbol(":") and two.at == one.at + 1:
            yield at + 2
            at += 1
        elif one.is_word("CAST") and two.is_symbol("("):
            closed = closing.get(at + 1, len(tokens))
            for index in _outermost(tokens, at + 1, closed):
                if tokens[index].is_word("AS"):
                    yield index + 1
        at += 1


def _types_before_strings(tokens: Sequence[Token]) -> Iterator[int]:
    """`date '2026-01-01'`: whatever is before a string and is not grammar."""
    for at, (before, token) in enumerate(pairwise(tokens)):
        if token.kind is not TokenKind.LITERAL or not before.is_name:
            continue
        is_dotted = at > 0 and tokens[at - 1].is_symbol(".")
        if before.kind is TokenKind.WORD and not is_dotted:
            if before.text in _BEFORE_STRINGS or is_grammar(tokens, at, "postgres"):
                continue
            if before.is_word("ZONE") and at and tokens[at - 1].is_word("TIME"):
                continue
            if before.is_word("PRECISION") and at and tokens[at - 1].is_word("DOUBLE"):
                continue
        elif is_dotted:
            raise Unvouched(
                "Only types that Postgres itself has may be named here, without a schema."
            )
        yield at


# Beside those before a parenthesis: other reserved words. No type can be called like them.
_BEFORE_STRINGS = words("""
    asc asymmetric both collate desc do fetch grant into leading null placing symmetric trailing
    variadic
""")


def _opens_columns(tokens: Sequence[Token], opened: int) -> bool:
    """Whether a parenthesis holds the columns of a function, as in `f(x) AS (a int)`."""
    if opened < 2 or not tokens[opened - 1].is_word("AS") or not tokens[opened - 2].is_symbol(")"):
        return False
    first, second = tokens[opened + 1], tokens[opened + 2 : opened + 3]
    if first.is_word("VALUES") and not (second and second[0].is_symbol("(")):
        return True  # a column of that name
    return not first.is_word(*_BEGINS_QUERY) and not first.is_symbol("(")


_BEGINS_QUERY = ("SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE")


def _column_types(tokens: Sequence[Token], opened: int, closed: int) -> Iterator[int]:
    """The types of columns that are written with one: `(a int, b)` has one, of `a`."""
    starts = [opened] + [
        index for index in _outermost(tokens, opened, closed) if tokens[index].is_symbol(",")
    ]
    for start, end in pairwise([*starts, closed]):
        if end - start > 2:
            yield start + 2


def _outermost(tokens: Sequence[Token], opened: int, closed: int) -> Iterator[int]:
    """What stands between two parentheses, without what is in others or in brackets inside."""
    depth = 0
    for index in range(opened + 1, min(closed, len(tokens))):
        token = tokens[index]
        if token.kind is TokenKind.SYMBOL:
            depth -= token.text in ")]"
            if depth == 0 and token.text not in "()[]":
                yield index
            depth += token.text in "(["
        elif depth == 0:
            yield index
