"""Words before a parenthesis that call nothing: grammar, and types with a size.

In Postgres and in MySQL most words of the grammar may be the name of a user's function as well:
`SELECT like(a, b)` calls one. So a word that is not reserved is taken for grammar only in the place
that the grammar has for it. SQLite keeps no functions in its files: there it does not matter.

Sources: "SQL Key Words" (PostgreSQL 15, appendix C), "Keywords and Reserved Words" (MySQL 8.0).
"""

from collections.abc import Mapping, Sequence

from chatd.answers.sql.functions import words
from chatd.answers.sql.lexer import Dialect, Token, TokenKind

# Words that call nothing wherever they stand.
BEFORE_PARENTHESES: Mapping[Dialect, frozenset[str]] = {
    "sqlite": words("""
        all and any array as between by case check cross cube default distinct else end escape
        except exists filter for foreign from full group having ilike in inner intersect interval is
        join key language lateral left like limit materialized natural not nulls offset on or order
        outer over partition primary references regexp returning right rlike rollup row select sets
        similar some then to union unique using values when where window with within
        bigint binary bit char character date datetime dec decimal double float int integer nchar
        numeric nvarchar real smallint signed time timestamp timestamptz tinyint unsigned varbinary
        varchar varying year
        against conflict columns
    """),
    "postgres": words("""
        all and any array as between case check default distinct else end except exists for foreign
        from group having in intersect lateral limit not offset on or order primary references
        returning row select some then to union unique using values when where window with
        bigint bit char character dec decimal float int integer interval nchar numeric real smallint
        time timestamp varchar
    """),
    "mysql": words("""
        all and as between by case check cross cube default distinct else except exists for foreign
        from group having in inner intersect interval is join key lateral left like limit natural
        not on or order outer over partition primary references regexp right rlike row select then
        to union unique using values when where window with
        bigint binary char character dec decimal double float int integer numeric real smallint
        tinyint unsigned varbinary varchar varying
    """),
}
# Words that call nothing after one of these.
AFTER_WORDS: Mapping[Dialect, Mapping[str, frozenset[str]]] = {
    "sqlite": {},
    "postgres": {
        "BY": words("group order partition"),
        "CONFLICT": words("on"),
        "JOIN": words("cross full inner left natural outer right"),
        "KEY": words("foreign primary"),
        "MATERIALIZED": words("as not"),
        "SETS": words("grouping"),
        "VARYING": words("bit char character nchar"),
    },
    "mysql": {
        "BIT": words("as"),
        "DATETIME": words("as"),
        "NCHAR": words("as"),
    },
}
# Words that call nothing after a value: `a LIKE (b)`. The types among them are of columns.
BEHIND_VALUES: Mapping[Dialect, frozenset[str]] = {
    "sqlite": frozenset(),
    "postgres": words("escape filter ilike join like over overlaps"),
    "mysql": words("against bit columns datetime escape nchar nvarchar"),
}
# Words of MySQL that call nothing before a query in parentheses.
BEFORE_QUERIES = words("any some")
# Functions of Postgres that are called only after TABLESAMPLE, by their names.
SAMPLING = words("bernoulli system")
# Words of Postgres that call nothing in the list of GROUP BY.
GROUPINGS = words("cube rollup")

LOOK_BACK_TOKENS = 200
"""How far back the beginning of a list is looked for, so that no long list takes quadratic time;
honest lists have 50 tokens. Beyond: the word is taken for the name of a function."""

# Words that a value follows, so that no value ends with them.
_OPENERS = words("""
    all and any as asc asymmetric between both by case cast check collate column constraint create
    cross default deferrable desc distinct div do else escape except fetch filter for foreign from
    full grant group having ilike in initially inner intersect into is join lateral leading left
    like limit mod natural not offset on only or order outer over overlaps placing primary
    references regexp returning right rlike select similar some symmetric table then to trailing
    union unique using values variadic when where window with xor zone
""")


def is_grammar(tokens: Sequence[Token], at: int, dialect: Dialect) -> bool:
    """Whether the word at `at`, which stands before a parenthesis or a string, calls nothing.

    Before a string the same words of Postgres name no type.
    """
    word = tokens[at].text
    if word in BEFORE_PARENTHESES[dialect]:
        return True
    after = AFTER_WORDS[dialect].get(word, frozenset())
    if at and tokens[at - 1].is_word(*after):
        return True
    if word in BEHIND_VALUES[dialect] and is_behind_value(tokens, at):
        return True
    if dialect == "mysql" and word in BEFORE_QUERIES:
        return at + 2 < len(tokens) and tokens[at + 2].is_word("SELECT", "WITH", "VALUES")
    return dialect == "postgres" and word in GROUPINGS and _is_in_group_by(tokens, at)


def is_behind_value(tokens: Sequence[Token], at: int) -> bool:
    """Whether a value ends before `at`, or before a NOT that stands there."""
    if at and tokens[at - 1].is_word("NOT"):
        at -= 1
    if at == 0:
        return False
    before = tokens[at - 1]
    match before.kind:
        case TokenKind.WORD:
            return before.text not in _OPENERS
        case TokenKind.SYMBOL if before.text == ")":
            return not closes_distinct_on(tokens, at - 1)
        case TokenKind.SYMBOL:
            return before.text == "]"
    return True


def closes_distinct_on(tokens: Sequence[Token], at: int) -> bool:
    """Whether the parenthesis at `at` ends `DISTINCT ON (...)`, which a value follows."""
    depth = 0
    for index in range(at, -1, -1):
        depth += tokens[index].is_symbol(")") - tokens[index].is_symbol("(")
        if depth == 0:
            return tokens[index - 1].is_word("ON")
    return False


def _is_in_group_by(tokens: Sequence[Token], at: int) -> bool:
    """Whether `at` begins a member of the list of GROUP BY, also inside of GROUPING SETS."""
    depth = 0
    for index in range(at - 1, max(0, at - LOOK_BACK_TOKENS), -1):
        token = tokens[index]
        if token.kind is TokenKind.SYMBOL:
            depth += (token.text in ")]") - (token.text in "([")
        if depth < 0:  # out of a parenthesis: that of GROUPING SETS, or something else
            if not tokens[index - 1].is_word("SETS"):
                return False
            depth = 0
        elif depth == 0:
            if token.is_word("BY", "DISTINCT", "ALL"):
                return tokens[index - 1].is_word("GROUP") or (
                    tokens[index - 1].is_word("BY") and tokens[index - 2].is_word("GROUP")
                )
            if index == at - 1 and not token.is_symbol(",") and not token.is_symbol("("):
                return False
            if token.is_word(*_CLAUSES):
                return False
    return False


_CLAUSES = words("select from where having limit offset on union except intersect values returning")
