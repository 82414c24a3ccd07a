"""The words of a statement, as its database reads them; read for the guard.

It knows where literals, quoted names and comments begin and end in the three dialects, and no more
of their grammar. Where two settings of a server would read the same text in two ways (a backslash
before a quote), or where the text could hide something from a second reader (executable comments,
odd white space, letters that turn into ASCII when folded), it says `Unclear` and the statement is
refused.

Two texts come out. `sql` is what the database may get: the statement as written, but with a space
for each comment. `plain` is the same with every literal emptied and every quoted name quoted in one
way; it is what `grammar` is asked about, so that no parser can disagree about where a literal ends.

Sources: the scanners of PostgreSQL 15 (scan.l), SQLite 3 (tokenize.c) and MySQL 8.0 ("Language
Structure").
"""

import enum
import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, TypeAlias

import attrs

from chatd.answers.sql.odd_characters import sentence_about

Dialect: TypeAlias = Literal["sqlite", "postgres", "mysql"]

STATEMENT_CHARS_MAX = 20_000  # code points; twice the longest message. A longer one is refused
EMPTIED = "$"  # what stands in a literal of the plain text; as a JSON path it is valid

_SPACE = re.compile(r"[ \t\r\n]+")
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(
    r"0[xX][0-9A-Fa-f]+|0[bB][01]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
_HEX = re.compile(r"[0-9A-Fa-f]*")
_DOLLAR_QUOTE = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_INTERVAL_CONTENT = re.compile(r"[0-9A-Za-z :.+-]+")
_SYMBOLS = {
    "sqlite": frozenset("()+-*/%=<>!|&~,.;"),
    "mysql": frozenset("()+-*/%=<>!|&~^,.;"),
    "postgres": frozenset("()+-*/%=<>!|&~^,.;[]:?@#"),
}
_NAME_QUOTES: dict[Dialect, dict[str, str]] = {
    "sqlite": {'"': '"', "`": "`", "[": "]"},
    "mysql": {"`": "`"},
    "postgres": {'"': '"'},
}
_STRING_QUOTES: dict[Dialect, str] = {"sqlite": "'", "mysql": "'\"", "postgres": "'"}
_STRING_PREFIXES: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset("X"),
    "mysql": frozenset("XBN"),
    "postgres": frozenset("XBNE"),
}


class TokenKind(enum.Enum):
    """What a token is."""

    WORD = enum.auto()  # a keyword or a name without quotes; its text is in upper case
    NAME = enum.auto()  # a name in quotes; its text is what stands between them
    LITERAL = enum.auto()  # a string, bytes or bits
    NUMBER = enum.auto()
    SYMBOL = enum.auto()  # one character


@attrs.frozen
class Token:
    """A token; `written` is the text as it stands in the statement, `at` where it begins there."""

    kind: TokenKind
    text: str
    written: str
    at: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these words, without quotes."""
        return self.kind is TokenKind.WORD and self.text in words

    def is_symbol(self, symbol: str) -> bool:
        """Whether it is this character."""
        return self.kind is TokenKind.SYMBOL and self.text == symbol

    @property
    def end(self) -> int:
        """Where it ends in the statement: the position after its last character."""
        return self.at + len(self.written)

    @property
    def is_name(self) -> bool:
        """Whether it can be a name."""
        return self.kind is TokenKind.WORD or self.kind is TokenKind.NAME


@attrs.frozen
class Lexed:
    """A statement in tokens. `sql` and `plain` are described above; both end with the last token.

    Semicolons after the last token are in neither of them. `plain_starts` says where each token
    begins in `plain`.
    """

    tokens: tuple[Token, ...]
    sql: str
    plain: str
    plain_starts: tuple[int, ...] = ()


@attrs.frozen
class Unclear:
    """Why the text may hide something, and where: the position of a character, if there is one."""

    sentence: str
    at: int | None = None


class _Hidden(Exception):
    """Raised inside of a scan; the caller of `lex` gets `Unclear`."""


def lex(text: str, dialect: Dialect) -> Lexed | Unclear:
    """The tokens of `text`, or why it is unclear. Never raises; linear in the length."""
    if len(text) > STATEMENT_CHARS_MAX:
        return Unclear(
            f"The statement has {len(text)} characters and may have {STATEMENT_CHARS_MAX}."
        )
    scan = _Scan(text, dialect)
    try:
        return scan.run()
    except _Hidden as hidden:
        return Unclear(str(hidden), scan.at)


class _Scan:
    """One pass over one text."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect: Dialect = dialect
        self.at = 0
        self.tokens: list[Token] = []
        self.sql: list[str] = []  # pieces, a space for each comment
        self.plain: list[str] = []
        self.ends: list[tuple[int, int]] = []  # pieces of both, up to and with each token
        self.plain_chars = 0  # so far
        self.plain_starts: list[int] = []  # of each token

    def run(self) -> Lexed:
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if space := _SPACE.match(text, self.at):
                self.put(space.group(), space.group(), space.end())
            elif text.startswith("/*", self.at):
                self.comment()
            elif self.opens_line_comment():
                self.line_comment()
            elif char in _STRING_QUOTES[self.dialect]:
                self.string(self.at)
            elif char in _NAME_QUOTES[self.dialect]:
                self.quoted_name(char)
            elif word := _WORD.match(text, self.at):
                self.word(word)
            elif number := _NUMBER.match(text, self.at):
                self.number(number)
            elif char == "$":
                self.dollar()
            else:
                self.symbol(char)
        while self.tokens and self.tokens[-1].is_symbol(";"):
            self.tokens.pop()
            self.ends.pop()
        sql_end, plain_end = self.ends[-1] if self.ends else (0, 0)
        first = self.plain_starts[0] if self.tokens else 0  # what stands before it is white space
        return Lexed(
            tuple(self.tokens),
            "".join(self.sql[:sql_end]).lstrip(),
            "".join(self.plain[:plain_end]).lstrip(),
            tuple(start - first for start in self.plain_starts[: len(self.tokens)]),
        )

    def put(self, sql: str, plain: str, end: int) -> None:
        self.sql.append(sql)
        self.plain.append(plain)
        self.plain_chars += len(plain)
        self.at = end

    def token(self, kind: TokenKind, text: str, plain: str, end: int) -> None:
        written = self.text[self.at : end]
        self.tokens.append(Token(kind, text, written, self.at))
        self.plain_starts.append(self.plain_chars)
        self.put(written, plain, end)
        self.ends.append((len(self.sql), len(self.plain)))

    def opens_line_comment(self) -> bool:
        if self.text.startswith("--", self.at):
            return True
        return self.dialect == "mysql" and self.text[self.at] == "#"

    def comment(self) -> None:
        text = self.text
        if text[self.at + 2 : self.at + 4].upper().startswith(("!", "+", "M!")):
            raise _Hidden("A comment that begins with /*! or /*+ is executed; leave it out.")
        depth, at = 1, self.at + 2
        for mark in _COMMENT_MARK.finditer(text, at):
            if mark.group() == "*/":
                depth -= 1
            elif self.dialect == "postgres":
                depth += 1
            else:
                raise _Hidden("A comment holds the beginning of another; leave it out.")
            if depth == 0:
                self.put(" ", " ", mark.end())
                return
        raise _Hidden("A comment has no end.")

    def line_comment(self) -> None:
        text = self.text
        after = text[self.at + 2 : self.at + 3]
        # MySQL takes `--1` for two signs, others for a comment.
        if self.dialect == "mysql" and text[self.at] == "-" and after not in ("", *" \t\r\n"):
            raise _Hidden("Write a space after -- where a comment begins, or between two signs.")
        end = text.find("\n", self.at)
        end = len(text) if end < 0 else end
        # Postgres ends the comment at a carriage return, the others go on.
        if "\r" in text[self.at : end].removesuffix("\r"):
            raise _Hidden("A comment holds a carriage return; end it with a new line.")
        self.put(" ", " ", end)

    def string(self, quote_at: int, prefix: str = "") -> None:
        """A string whose prefix begins at `self.at` and whose quote stands at `quote_at`."""
        quote = self.text[quote_at]
        ends = {self.string_end(quote_at, quote, escapes) for escapes in self.readings(prefix)}
        if len(ends) > 1:
            raise _Hidden("A backslash stands before a quote; double the quote instead.")
        end = ends.pop()
        if end is None:
            raise _Hidden(f"A string has no end; a {quote} is missing.")
        content = self.text[quote_at + 1 : end - 1]
        self.no_control_characters(content)
        plain = f"'{EMPTIED}'"
        if prefix in ("X", "B"):
            if _HEX.fullmatch(content) is None:
                raise _Hidden("A string of bytes or bits holds something else.")
            plain = f"{prefix}'{content}'"
        elif (
            self.tokens
            and self.tokens[-1].is_word("INTERVAL")
            and _INTERVAL_CONTENT.fullmatch(content) is not None
        ):
            plain = f"'{content}'"
        self.token(TokenKind.LITERAL, content, plain, end)

    def readings(self, prefix: str) -> tuple[bool, ...]:
        """Whether a backslash escapes: both answers, if a setting of the server decides."""
        if self.dialect == "sqlite" or prefix in ("X", "B"):
            return (False,)
        return (True,) if prefix == "E" else (True, False)

    def string_end(self, quote_at: int, quote: str, escapes: bool) -> int | None:
        """The position after the closing quote, None if there is no such quote."""
        at = quote_at + 1
        while at < len(self.text):
            char = self.text[at]
            if escapes and char == "\\":
                at += 2
            elif char != quote:
                at += 1
            elif self.text[at + 1 : at + 2] == quote:
                at += 2
            else:
                return at + 1
        return None

    def quoted_name(self, quote: str) -> None:
        """A name, in which a doubled closing quote stands for itself.

        In brackets of SQLite nothing is doubled. A backslash escapes nothing in any of the
        dialects.
        """
        closing = _NAME_QUOTES[self.dialect][quote]
        doubled = "" if closing == "]" else closing * 2
        end = self.text.find(closing, self.at + 1) + 1
        while end and doubled and self.text[end : end + 1] == closing:
            end = self.text.find(closing, end + 1) + 1
        if end == 0:
            raise _Hidden(f"A name in quotes has no end; a {closing} is missing.")
        name = self.text[self.at + 1 : end - 1]
        name = name.replace(doubled, closing) if doubled else name
        self.no_control_characters(name)
        if not name and self.dialect != "sqlite":
            raise _Hidden("A name in quotes is empty.")
        plain_quote = "`" if self.dialect == "mysql" else '"'
        plain = plain_quote + name.replace(plain_quote, plain_quote * 2) + plain_quote
        self.token(TokenKind.NAME, name, plain, end)

    def word(self, match: re.Match[str]) -> None:
        written, end = match.group(), match.end()
        upper = written.upper()
        after = self.text[end : end + 1]
        if after and after in _STRING_QUOTES[self.dialect]:
            if upper in _STRING_PREFIXES[self.dialect] and after == "'":
                self.string(end, upper)
                return
            if upper[0] == "_" and self.dialect == "mysql":
                raise _Hidden("A string names its character set; leave that out.")
        if upper == "U" and self.text[end : end + 2] in ("&'", '&"'):
            raise _Hidden("A text with U& is written in escapes; write the characters themselves.")
        if after == "$":
            raise _Hidden("A name holds a $; put it in quotes.")
        if not written.isascii() and not all(map(_stays_itself, written)):
            raise _Hidden("A name holds letters that could pass for others; put it in quotes.")
        self.token(TokenKind.WORD, upper, written, end)

    def number(self, match: re.Match[str]) -> None:
        after = self.text[match.end() : match.end() + 1]
        # `1union` is a number and a word for some, one name for others.
        if after in ("$", "\\") or _WORD.match(after) or after.isdigit():
            raise _Hidden("A number runs into a word; write a space between them.")
        self.token(TokenKind.NUMBER, match.group(), match.group(), match.end())

    def dollar(self) -> None:
        opening = _DOLLAR_QUOTE.match(self.text, self.at)
        if self.dialect != "postgres" or opening is None:
            raise _Hidden(sentence_about("$"))
        tag = opening.group()
        content_at = opening.end()
        end = self.text.find(tag, content_at)
        if not tag.isascii() or end < 0:
            raise _Hidden(f"A string that begins with {tag} has no end.")
        content = self.text[content_at:end]
        self.no_control_characters(content)
        self.token(TokenKind.LITERAL, content, f"'{EMPTIED}'", end + len(tag))

    def symbol(self, char: str) -> None:
        if char not in _SYMBOLS[self.dialect]:
            raise _Hidden(sentence_about(char))
        if self.text.startswith(("*/", "|>"), self.at):
            raise _Hidden("A comment ends that did not begin, or a pipe stands in the statement.")
        self.token(TokenKind.SYMBOL, char, char, self.at + 1)

    def no_control_characters(self, content: str) -> None:
        if any(unicodedata.category(char) == "Cc" and char not in "\t\r\n" for char in content):
            raise _Hidden("A literal holds a control character.")


def closing_parentheses(tokens: tuple[Token, ...]) -> Iterator[tuple[int, int]]:
    """The positions (opening, closing) of each pair of parentheses; what is unbalanced has none."""
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.is_symbol("("):
            opened.append(index)
        elif token.is_symbol(")") and opened:
            yield opened.pop(), index


def _stays_itself(char: str) -> bool:
    """Whether no folding or normalising turns a character that is not ASCII into ASCII."""
    if char.isascii() or char == "ß":  # folds to "SS", and no word of SQL is waiting for that
        return True
    forms = (unicodedata.normalize("NFKC", char), char.upper(), char.lower(), char.casefold())
    return not any(part.isascii() for form in forms for part in form)
