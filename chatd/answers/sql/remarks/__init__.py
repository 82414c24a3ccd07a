"""What a statement surely does not do as it was meant, though its database runs it without a word.

A comparison with NULL is true for no row; a date without quotes is a subtraction; what one database
joins, another one adds. Whoever asks sees an answer that looks right, or is empty, and no reason.
So the answer gets a sentence beside it. Only what hardly anybody means is remarked on: a remark on
a good statement teaches people not to read them. A remark keeps nothing from running.

The rules look at the tree, node by node; a module for each kind of mistake: `nulls`, `dates`,
`texts`, `conditions`, `aggregates`, `joins`, `divisions`. `statement` finds the literals, which are
emptied in the tree.
"""

from typing import TYPE_CHECKING, Final

from chatd.answers.sql.lexer import Dialect, Lexed
from chatd.answers.sql.remarks import (
    aggregates,
    conditions,
    dates,
    divisions,
    joins,
    nulls,
    texts,
)
from chatd.answers.sql.remarks.statement import Rule, Statement, kind_of

if TYPE_CHECKING:
    from sqlglot import Expr

_RULES: Final[dict[str, list[Rule]]] = {}
for _module in (nulls, dates, texts, conditions, aggregates, joins, divisions):
    for _rule, _kinds in _module.RULES.items():
        for _kind in _kinds:
            _RULES.setdefault(_kind, []).append(_rule)


def remark_on(root: "Expr", lexed: Lexed, dialect: Dialect) -> str | None:
    """A sentence about a statement that has passed the guard; None if there is nothing to remark.

    `root` is what the grammar makes of `lexed`. The sentence holds no markup.
    """
    statement = Statement.of(lexed, dialect)
    for node in root.walk():
        for rule in _RULES.get(kind_of(node), ()):
            if (remark := rule(node, statement)) is not None:
                return remark
    return None
