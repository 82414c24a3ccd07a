"""A statement as the rules see it: its tree, and what stands in its literals."""

import bisect
import itertools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from chatd.answers.sql.lexer import Dialect, Lexed, Token, TokenKind

if TYPE_CHECKING:
    from sqlglot import Expr

SHOWN_CHARS_MAX: Final = 30
"""Characters of the statement that a remark repeats; what is longer may be a secret."""

COMPARISONS: Final = ("EQ", "NEQ", "GT", "GTE", "LT", "LTE")
_SHOWN: Final = re.compile(r"[\w %'.:,-]*")  # means nothing in any markup
_NAME: Final = re.compile(r"[^\W\d]\w+(?: \w+)*")


@attrs.frozen
class Statement:
    """The tokens of a statement beside its tree, in which literals are emptied.

    `words` are those outside of quotes, in capitals; `signs` are two characters that stand together
    and are no letters, as `||`.
    """

    lexed: Lexed
    dialect: Dialect
    words: frozenset[str]
    signs: frozenset[str]

    @classmethod
    def of(cls, lexed: Lexed, dialect: Dialect) -> "Statement":
        """The statement of these tokens."""
        tokens = lexed.tokens
        words = (token.text for token in tokens if token.kind is TokenKind.WORD)
        signs = (
            one.text + after.text
            for one, after in itertools.pairwise(tokens)
            if one.kind is after.kind is TokenKind.SYMBOL and one.end == after.at
        )
        return cls(lexed, dialect, frozenset(words), frozenset(signs))

    def token(self, literal: "Expr") -> Token | None:
        """The token of a literal in the tree; None if the tree does not say where it stands."""
        found = self.index(literal)
        return None if found is None else self.lexed.tokens[found]

    def index(self, literal: "Expr") -> int | None:
        """The number of the token of a literal in the tree."""
        start = literal.meta.get("start")
        starts = self.lexed.plain_starts
        if not isinstance(start, int) or not starts:
            return None
        found = bisect.bisect_right(starts, start) - 1
        is_there = found >= 0 and self.lexed.tokens[found].kind in _LITERALS
        return found if is_there else None

    def text(self, node: "Expr | None") -> str | None:
        """What stands in a string; None if the node is something else."""
        node = bare(node)
        if node is None or kind_of(node) != "Literal" or not node.args["is_string"]:
            return None
        token = self.token(node)
        return None if token is None or token.kind is not TokenKind.LITERAL else token.text

    def name_in_quotes(self, node: "Expr | None") -> str | None:
        """A string that looks like the name of a column, as it is shown; None for all else."""
        text = self.text(node)
        if text is None or _NAME.fullmatch(text) is None:
            return None
        return f"'{text}'" if len(text) <= SHOWN_CHARS_MAX else "A text"

    @property
    def name_quotes(self) -> str:
        """How this database quotes a name."""
        return "in backticks" if self.dialect == "mysql" else "in double quotes"


Rule: TypeAlias = "Callable[[Expr, Statement], str | None]"
"""Says what is remarked on a node of the tree, or None."""

_LITERALS: Final = (TokenKind.LITERAL, TokenKind.NUMBER)


def kind_of(node: "Expr | None") -> str:
    """What a node is, as the tree names it."""
    return type(node).__name__


def bare(node: "Expr | None") -> "Expr | None":
    """A node without the parentheses around it."""
    while node is not None and kind_of(node) == "Paren":
        node = node.this
    return node


def sides(node: "Expr") -> "tuple[Expr | None, Expr | None]":
    """What an operator stands between."""
    return bare(node.this), bare(node.args.get("expression"))


def holder_of(node: "Expr", *passed: str) -> "Expr | None":
    """What a node stands in, beyond parentheses and nodes of these kinds; None at the top."""
    holder = node.parent
    while holder is not None and kind_of(holder) in ("Paren", *passed):
        holder = holder.parent
    return holder


def is_negated(node: "Expr") -> bool:
    """Whether NOT stands before a condition."""
    return bool(node.args.get("negate")) or kind_of(holder_of(node)) == "Not"


def is_assignment(node: "Expr") -> bool:
    """Whether `a = 1` stores a value."""
    is_set = kind_of(node.parent) in ("Update", "OnConflict")
    return is_set and node.arg_key == "expressions" and kind_of(node) == "EQ"


def has_column(node: "Expr | None") -> bool:
    """Whether a column stands in it."""
    return node is not None and any(kind_of(part) == "Column" for part in node.walk())


def column_name(node: "Expr | None", otherwise: str = "") -> str:
    """The name of a column as it is shown; `otherwise` for all that is more than a plain name."""
    node = bare(node)
    if node is None or kind_of(node) != "Column":
        return otherwise
    parts = [node.args[key] for key in ("db", "table", "this") if node.args.get(key) is not None]
    if any(part.args.get("quoted") for part in parts):
        return otherwise
    return shown(".".join(part.name for part in parts)) or otherwise


def shown(written: str) -> str | None:
    """What was written, if it is short and means nothing in any markup: a remark is delivered as it
    is."""
    is_shown = len(written) <= SHOWN_CHARS_MAX and _SHOWN.fullmatch(written) is not None
    return written if is_shown else None


def number_of(node: "Expr | None") -> str | None:
    """A number as it is written, with its sign; None for all else."""
    node, sign = bare(node), ""
    if node is not None and kind_of(node) == "Neg":
        node, sign = bare(node.this), "-"
    if node is None or kind_of(node) != "Literal" or node.args["is_string"]:
        return None
    return f"{sign}{node.this}"


def operands(node: "Expr", kind: str) -> "Iterator[Expr]":
    """What a chain of AND or of OR joins, which may be thousands; the last one first."""
    left = [node]
    while left:
        part = left.pop()
        if kind_of(part) == kind:
            left += [side for side in sides(part) if side is not None]
        else:
            yield part
