"""Whether a text is SQL from its first word to its last, by the grammar of its dialect.

Plain talk begins with the words of SQL too ("select the best one please", "delete this message").
So a text is a statement only if the grammar makes one of it, and

- it does not end as a sentence does, with `.`, `?`, `!`, `…` or `,`; a comment is no part of it;
- a SELECT, WITH or VALUES without a FROM names no column, as it has none: "select one";
- no table is called like the small words of English: "select one from the list". What the statement
  itself declares may be called so, and so may every table if the text has marks that no sentence
  has (`likeness`): `WITH a AS (...) SELECT count(*) FROM a`;
- the words that have to follow the first one do: DELETE FROM, INSERT, REPLACE and MERGE INTO,
  UPDATE ... SET, TABLE, VIEW or INDEX after CREATE, ALTER and DROP, and ON t (...) after CREATE
  INDEX; SHOW, DESCRIBE, EXPLAIN and PRAGMA have a form of their own.

A statement can still be a sentence if it is bare words on one line: letters and numbers, no other
sign, no WHERE, JOIN, ORDER BY or LIMIT. Then its first word tells. In capitals it is SQL; with one
capital it begins a sentence ("Select people from Berlin", "Delete from cart"); in small letters it
is SQL, as people type it ("select name from customers"), but for what only a sentence says: a
number of something ("select two people"), a second name of a table that nothing uses ("select seats
from row A"), and DROP ("drop table reservations").
"""

import enum
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from chatd.answers.requests import DescribeTable, ExplainStatement, ListTables
from chatd.answers.sql.functions import names
from chatd.answers.sql.grammar import NotParsed, parse
from chatd.answers.sql.lexer import Dialect, Lexed, TokenKind, lex
from chatd.answers.sql.likeness import ENDS_A_SENTENCE, first_word, has_marks

if TYPE_CHECKING:
    from sqlglot import Expr


class Standing(enum.Enum):
    """What the grammar makes of a text."""

    STATEMENT = enum.auto()
    SENTENCE = enum.auto()  # the grammar knows it, but it is more likely a sentence
    UNDECIDED = enum.auto()  # it is nested too deeply to be read
    NOTHING = enum.auto()


@attrs.frozen
class LexedText:
    """A text as written, and as its dialect reads it, which finds it clear."""

    text: str
    dialect: Dialect
    lexed: Lexed


def lexed_text(text: str, dialect: Dialect) -> LexedText | None:
    """A text as the dialect reads it; None if it is not clear, or empty."""
    lexed = lex(text, dialect)
    if isinstance(lexed, Lexed) and lexed.tokens:
        return LexedText(text, dialect, lexed)
    return None


def standing_of(reading: LexedText) -> Standing:
    """Whether the text is SQL from its first word to its last."""
    word = first_word(reading.text)
    reads = None if word is None else _BY_FIRST_WORD.get(word)
    if reads is None or reading.lexed.sql.endswith(ENDS_A_SENTENCE):
        return Standing.NOTHING
    standing = reads(reading)
    if standing is Standing.STATEMENT and _is_sentence(reading):
        return Standing.SENTENCE
    return standing


def asked_otherwise(
    reading: LexedText,
) -> ListTables | DescribeTable | ExplainStatement | None:
    """What a statement asks for that is asked for in other words here."""
    sql = reading.lexed.sql
    if _SHOW_TABLES.fullmatch(sql) or _PRAGMA_TABLES.fullmatch(sql):
        return ListTables()
    table = _SHOW_COLUMNS.fullmatch(sql) or _DESCRIBE.fullmatch(sql) or _PRAGMA_TABLE.fullmatch(sql)
    if table is not None:
        return DescribeTable(table["table"])
    if _EXPLAIN_WITH_OPTIONS.fullmatch(sql):
        return None  # some of them run it: the guard says how to ask
    explained = _explained(reading, _EXPLAIN)
    return None if explained is None else ExplainStatement(explained.text.rstrip("; \t\r\n"))


_NAME = r"(?:\w+|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])"
_TABLE = rf"(?P<table>{_NAME}(?:\.{_NAME})?)"
# All tables are an answer to LIKE, and to the name of a schema; so are all columns to LIKE.
_SHOW_TABLES = re.compile(
    rf"SHOW\s+(?:FULL\s+)?TABLES(?:\s+(?:FROM|IN)\s+{_NAME})?"
    r"(?:\s+LIKE\s*(?:'[^']*'|\"[^\"]*\"))?",
    re.IGNORECASE,
)
_SHOW_COLUMNS = re.compile(
    rf"SHOW\s+(?:FULL\s+)?(?:COLUMNS|FIELDS)\s+(?:FROM|IN)\s+{_TABLE}"
    r"(?:\s+LIKE\s*(?:'[^']*'|\"[^\"]*\"))?",
    re.IGNORECASE,
)
_SHOW_OTHER = re.compile(
    rf"SHOW\s+(?:DATABASES|SCHEMAS|GRANTS|VARIABLES|STATUS|PROCESSLIST|ENGINES"
    rf"|CREATE\s+TABLE\s+{_NAME}|INDEX(?:ES)?\s+FROM\s+{_NAME})",
    re.IGNORECASE,
)
_DESCRIBE = re.compile(rf"DESC(?:RIBE)?\s+(?:TABLE\s+)?{_TABLE}", re.IGNORECASE)
_PRAGMAS = """
    analysis_limit application_id auto_vacuum automatic_index busy_timeout cache_size cache_spill
    case_sensitive_like cell_size_check checkpoint_fullfsync collation_list compile_options
    count_changes data_store_directory data_version database_list default_cache_size
    defer_foreign_keys empty_result_callbacks encoding foreign_key_check foreign_key_list
    foreign_keys freelist_count full_column_names fullfsync function_list hard_heap_limit
    ignore_check_constraints incremental_vacuum index_info index_list index_xinfo integrity_check
    journal_mode journal_size_limit legacy_alter_table legacy_file_format locking_mode
    max_page_count mmap_size module_list optimize page_count page_size pragma_list query_only
    quick_check read_uncommitted recursive_triggers reverse_unordered_selects schema_version
    secure_delete short_column_names shrink_memory soft_heap_limit stats synchronous table_info
    table_list table_xinfo temp_store temp_store_directory threads trusted_schema user_version
    wal_autocheckpoint wal_checkpoint writable_schema
""".split()  # noqa: SIM905 - prose; of SQLite, "PRAGMA Statements"
_PRAGMA = re.compile(rf"PRAGMA\s+(?:\w+\.)?(?:{'|'.join(_PRAGMAS)})", re.IGNORECASE)
_PRAGMA_OF_VALUE = re.compile(r"PRAGMA\s+\w+(?:\.\w+)?(?:\s*\([^()]*\)|\s*=\s*\S+)", re.IGNORECASE)
_PRAGMA_TABLES = re.compile(r"PRAGMA\s+(?:\w+\.)?table_list", re.IGNORECASE)
_PRAGMA_TABLE = re.compile(
    r"PRAGMA\s+(?:\w+\.)?(?:table_x?info|table_list|index_list|foreign_key_list)"
    rf"\s*(?:\(\s*'?|=\s*'?){_TABLE}'?\s*\)?",
    re.IGNORECASE,
)
_EXPLAIN = re.compile(r"EXPLAIN\s+(?:QUERY\s+PLAN\s+)?(?P<statement>.+)", re.IGNORECASE | re.DOTALL)
_EXPLAIN_WITH_OPTIONS = re.compile(
    r"EXPLAIN\s+(?:ANALYZE|VERBOSE|FORMAT\s*=\s*\w+|\([^()]*\))\s+(?P<statement>.+)",
    re.IGNORECASE | re.DOTALL,
)

# Bare words, and the words that only SQL has among them.
_BARE = re.compile(r"(?>(?:(?:[^\W\d_]++(?>(?:-[^\W\d_]++)*)|\d++)(?:[ \t]++|\Z))+)")
_CLAUSES = """
    where join by having limit offset fetch for union intersect except when exists using returning
    cascade
""".upper().split()
# What bare words are SQL after a first word that is not in capitals; after other words all are.
_BARE_SQL: "Mapping[str, re.Pattern[str]]" = {
    word: re.compile(pattern, re.VERBOSE)
    for word, pattern in {
        "SELECT": r"""
            (?i:select) \s+ \d+
            | select (?!\s+(?i:one|two|three)\b)
              \s+ (?: \d+ | [^\W\d]\w* (?:\s+ [^\W\d]\w*)? )  # DISTINCT a, or an alias, or a slip
              (?: \s+ (?i:as) \s+ \w+ )?
              (?: \s+ (?i:from) \s+ \w+ (?: \s+ (?i:as) \s+ \w+ )? )?
        """,
        "DELETE": r"delete \s+ (?i:from) \s+ \w+",
        "DROP": r"(?!)",  # none
        "TRUNCATE": r"truncate .*",
        "DESCRIBE": r"describe .*",
        "SHOW": r"show .* | Show \s+ (?!(?i:status|grants|variables|engines)\b) .*",
    }.items()
}

# What the grammar would not parse, and the same in words that it does.
_REWORDED = (
    (re.compile(r"REPLACE\b", re.IGNORECASE), "INSERT"),
    (re.compile(r"UPDATE\s+OR\s+\w+", re.IGNORECASE), "UPDATE"),
)

# Words of English that a table is hardly called, and a sentence often has in its place.
_SMALL_WORDS = frozenset(
    """a above all an any anything both each every everything he her here him his it its me mine
    more my now one our ours please she some something that the their theirs them then there these
    they this those to us we what which who whose you your yours yourself""".split()  # noqa: SIM905 - prose
)
# Those with which no sentence ends.
_BEFORE_OTHERS = names("a an every he my our she the their we your")


def _is_sentence(reading: LexedText) -> bool:
    """Whether the text is more likely a sentence, though the grammar may make a statement of it."""
    first, *others = reading.lexed.tokens
    form = _BARE_SQL.get(first.text)
    if form is None or first.written.isupper() or reading.text.rstrip().endswith(";"):
        return False
    if _BARE.fullmatch(reading.lexed.plain) is None:
        return False
    if any(other.is_word(*_CLAUSES) for other in others):
        return False
    return form.fullmatch(reading.lexed.plain) is None


def _explained(reading: LexedText, form: "re.Pattern[str]") -> LexedText | None:
    """The statement in an EXPLAIN of the form, as written."""
    match = form.fullmatch(reading.lexed.sql)
    lexed = None if match is None else lex(match["statement"], reading.dialect)
    if not isinstance(lexed, Lexed) or not lexed.tokens:
        return None
    first, *_ = reading.lexed.tokens[-len(lexed.tokens) :]
    return LexedText(reading.text[first.at :], reading.dialect, lexed)


def _parsed(reading: LexedText) -> Standing:
    """Whether the dialect makes a statement of the text that is no sentence by accident."""
    plain = reading.lexed.plain
    for form, words in _REWORDED:
        if (match := form.match(plain)) is not None:
            plain = words + plain[match.end() :]
    statements = parse(attrs.evolve(reading.lexed, plain=plain), reading.dialect)
    if isinstance(statements, NotParsed):
        return Standing.UNDECIDED if statements.is_bounded else Standing.NOTHING
    is_meant = bool(statements) and _is_meant(statements[0])
    if is_meant and _has_small_table(statements[0], reading) and not has_marks(reading.text):
        return Standing.NOTHING
    return Standing.STATEMENT if is_meant else Standing.NOTHING


def _has_small_table(root: "Expr", reading: LexedText) -> bool:
    """Whether a table is called by a small word in the place where a sentence has it."""
    from sqlglot import exp

    declared = {one.alias.lower() for one in root.find_all(exp.CTE)}
    last = reading.lexed.tokens[-1]
    for table in root.find_all(exp.Table):
        name = table.name.lower()
        if name not in _SMALL_WORDS or name in declared or table.this.args.get("quoted"):
            continue
        if name not in _BEFORE_OTHERS or last.text.lower() != name:
            return True
    return False


def _is_meant(root: "Expr") -> bool:
    from sqlglot import exp

    match root:
        case exp.Query() | exp.Values():
            if not all(select.expressions for select in root.find_all(exp.Select)):
                return False
            return root.find(exp.From) is not None or root.find(exp.Column) is None
        case exp.Insert():
            return root.expression is not None or bool(root.args.get("default"))
        case exp.Update():
            return bool(root.expressions)
        case exp.Create():
            if isinstance(root.this, exp.Index):
                parameters = root.this.args.get("params")
                return parameters is not None and bool(parameters.args.get("columns"))
            return isinstance(root.this, exp.Schema) or root.expression is not None
        case exp.Delete() | exp.Merge() | exp.Alter() | exp.Drop() | exp.TruncateTable():
            return True
        case _:
            return False


def _after(*words: str) -> Callable[[LexedText], Standing]:
    """What a text is in which one of the words has to follow the first."""

    def reads(reading: LexedText) -> Standing:
        second = reading.lexed.tokens[1:2]
        if not second or not second[0].is_word(*words):
            return Standing.NOTHING
        return _parsed(reading)

    return reads


def _creates(reading: LexedText) -> Standing:
    """What a text is that creates something; an index is created ON a table."""
    words = [token.text for token in reading.lexed.tokens if token.kind is TokenKind.WORD]
    if "INDEX" in words[1:3] and "ON" not in words:
        return Standing.NOTHING
    return _after("TABLE", "VIEW", "INDEX", "UNIQUE", "TEMP", "TEMPORARY", "OR")(reading)


def _form(*forms: "re.Pattern[str]") -> Callable[[LexedText], Standing]:
    """What a text is that has to have one of the forms, and names no table by a small word."""

    def reads(reading: LexedText) -> Standing:
        for form in forms:
            match = form.fullmatch(reading.lexed.sql)
            if match is not None and match.groupdict().get("table", "").lower() not in _SMALL_WORDS:
                return Standing.STATEMENT
        return Standing.NOTHING

    return reads


def _is_explained(reading: LexedText) -> Standing:
    explained = _explained(reading, _EXPLAIN_WITH_OPTIONS) or _explained(reading, _EXPLAIN)
    if explained is None or explained.lexed.tokens[0].is_word(*_FORMS):
        return Standing.NOTHING
    return standing_of(explained)


_FORMS: Mapping[str, Callable[[LexedText], Standing]] = {
    "SHOW": _form(_SHOW_TABLES, _SHOW_COLUMNS, _SHOW_OTHER),
    "DESCRIBE": _form(_DESCRIBE),
    "DESC": _form(_DESCRIBE),
    "PRAGMA": _form(_PRAGMA, _PRAGMA_OF_VALUE),
    "EXPLAIN": _is_explained,
}

# What a text has to be that begins with the word.
_BY_FIRST_WORD: Mapping[str, Callable[[LexedText], Standing]] = {
    **_FORMS,
    "SELECT": _parsed,
    "WITH": _parsed,
    "VALUES": _parsed,
    "INSERT": _after("INTO", "OR", "IGNORE"),
    "REPLACE": _after("INTO"),
    "MERGE": _after("INTO"),
    "UPDATE": _parsed,
    "DELETE": _after("FROM"),
    "CREATE": _creates,
    "ALTER": _after("TABLE"),
    "DROP": _after("TABLE", "VIEW", "INDEX"),
    "TRUNCATE": _parsed,
}
