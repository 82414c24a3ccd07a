"""What in a message is a question to its database (docs/answers, "Questions").

A message is a question when it is

- a command, at its beginning: see `COMMANDS`. A word after a slash that is nearly one of them is
  taken for a slip and answered with a sentence; any other is plain talk;
- one fenced block whose info string names SQL, anywhere in the message; a block without an info
  string where its text is SQL by the next rule;
- SQL from its first word to its last.

Plain talk begins with the words of SQL too ("select the best one please", "delete this message").
So a text is SQL only where the grammar of the room's dialect makes a statement of it, and

- it does not end as a sentence does, with `.`, `?`, `!`, `…` or `,`; a comment is no part of it;
- a SELECT, WITH or VALUES without a FROM names no column, for there is none: "select one";
- no table is called like the small words of English: "select one from the list";
- the words that have to follow the first one do: DELETE FROM, INSERT, REPLACE and MERGE INTO,
  UPDATE ... SET, TABLE, VIEW or INDEX after CREATE, ALTER and DROP, and ON t (...) after CREATE
  INDEX; SHOW, DESCRIBE, EXPLAIN and PRAGMA have a form of their own.

A statement can still be a sentence where it is bare words on one line: letters and numbers, no
other sign, no WHERE, JOIN, ORDER BY or LIMIT. Then its first word tells. In capitals it is SQL;
with one capital it begins a sentence ("Select people from Berlin", "Delete from cart"); in small
letters it is SQL, as people type it ("select name from customers"), but for what only a sentence
says: a number of something ("select two people"), a second name of a table that nothing uses
("select seats from row A"), and DROP ("drop table reservations").

What is doubtful beyond that is talk: no talk is answered, and a user who is misunderstood can
write /sql. Whether the statement may run is not asked here: see `guard`.

Every message comes by. A look at its first word decides for nearly all of them (`may_be_question`);
only then is the grammar asked, after the message is stored, in a process of its own (`reader`).
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import attrs

from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.grammar import parse
from chatd.answers.sql.lexer import Dialect, Lexed, TokenKind, lex
from chatd.answers.sql.places import DIALECT_NAMES

if TYPE_CHECKING:
    from sqlglot import Expr

TEXT_CHARS_MAX = 10_000  # of what is given to the grammar; a longer message is SQL in a block only
NEARNESS = 0.75  # of a word to a command, from 0 to 1, from where on it is taken for a slip


@attrs.frozen
class Help:
    """What may be asked."""


@attrs.frozen
class Misused:
    """A question that cannot be carried out as it stands; the sentence says how to write it."""

    sentence: str


Question: TypeAlias = Request | Help | Misused


@attrs.frozen
class Command:
    """A command: what stands after it (None: nothing), what it does, the question that it is."""

    argument: str | None
    purpose: str
    question: Callable[[str], Question]


COMMANDS: Mapping[str, Command] = {
    "tables": Command(None, "lists the tables", lambda _: ListTables()),
    "describe": Command("TABLE", "shows the columns of a table", DescribeTable),
    "sample": Command("TABLE", "shows some rows of a table", SampleTable),
    "sql": Command("SQL", "runs a statement", RunStatement),
    "explain": Command(
        "SQL", "shows the plan of a statement, and does not run it", ExplainStatement
    ),
    "help": Command(None, "shows this", lambda _: Help()),
}

_COMMAND = re.compile(r"/([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)
# Lines that open a block, without the spaces around them; nothing in them is tried twice.
_OPENING = re.compile(r"(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`]*+)")
_OPENING_BEHIND_TEXT = re.compile(
    r"(?!>)(?:[^`]++|`{1,2}+(?!`))++(?P<fence>`{3,}+)[ \t]*+(?P<info>\w*+)"
)
_SQL_INFO = frozenset(
    {"sql", "sqlite", "sqlite3", "mysql", "mariadb", "psql", "pgsql"}
) | frozenset({"postgres", "postgresql", "plpgsql"})
_LEADING_COMMENT = re.compile(r"(?:--[^\n]*\n|/\*.*?\*/|\s|\()+", re.DOTALL)
_FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)(?![A-Za-z0-9_'’:.!?])")
_BYTE_ORDER_MARK = "\ufeff"  # some files begin with it, and what is copied out of them
_ENDS_A_SENTENCE = (".", "?", "!", "…", ",", ":")

_NAME = r"(?:\w+|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])"
_TABLE = rf"(?P<table>{_NAME}(?:\.{_NAME})?)"
_SHOW_TABLES = re.compile(  # all tables are an answer to LIKE too
    r"SHOW\s+(?:FULL\s+)?TABLES(?:\s+LIKE\s*(?:'[^']*'|\"[^\"]*\"))?", re.IGNORECASE
)
_SHOW_COLUMNS = re.compile(
    rf"SHOW\s+(?:FULL\s+)?(?:COLUMNS|FIELDS)\s+(?:FROM|IN)\s+{_TABLE}", re.IGNORECASE
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
_EXPLAIN = re.compile(r"EXPLAIN\s+(?:QUERY\s+PLAN\s+)?(?P<statement>.+)", re.IGNORECASE | re.DOTALL)
_EXPLAIN_WITH_OPTIONS = re.compile(
    r"EXPLAIN\s+(?:ANALYZE|VERBOSE|FORMAT\s*=\s*\w+|\([^()]*\))\s+(?P<statement>.+)",
    re.IGNORECASE | re.DOTALL,
)

# Bare words, and the words that only SQL has among them.
_BARE = re.compile(r"(?:(?:[^\W\d_]++(?:-[^\W\d_]++)*+|\d++)(?:[ \t]++|\Z))++")
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


def may_be_question(content: str) -> bool:
    """Whether a message is worth the closer look of `question_in`; costs next to nothing."""
    text = _begun(content)
    return text.startswith("/") or "```" in text or "~~~" in text or _reads(text) is not None


def question_in(content: str, dialect: Dialect) -> Question | None:
    """The question in the content of a message of a room whose database speaks this dialect; None
    for plain talk. Never raises."""
    text = _begun(content).rstrip()
    if text.startswith("/") and (command := _COMMAND.fullmatch(text)) is not None:
        return _of_command(command.group(1), (command.group(2) or "").strip())
    if "```" in text or "~~~" in text:
        return _of_blocks(text, dialect) or _of_statement(text, dialect)
    return _of_statement(text, dialect)


def help_text(dialect: Dialect) -> str:
    """What may be asked of a database of this kind, as lines of Markdown."""
    lines = [
        f"- `/{name}{'' if command.argument is None else ' ' + command.argument}` {command.purpose}"
        for name, command in COMMANDS.items()
    ]
    name = DIALECT_NAMES[dialect]
    return "\n".join(
        [
            f"This database is {name}. You can ask it:",
            "",
            *lines,
            "",
            f"Plain SQL as {name} has it, or SQL in a block, is run too.",
        ]
    )


def _begun(content: str) -> str:
    """A text from its first character on that is seen."""
    return content.lstrip().removeprefix(_BYTE_ORDER_MARK).lstrip()


def _of_command(word: str, argument: str) -> Question | None:
    name = word.lower()
    command = COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=NEARNESS)
        if name == "desc":  # what every database knows it by
            near = ["describe"]
        return Misused(f"There is no /{name}; did you mean {_usage(near[0])}?") if near else None
    if command.argument is None and argument:
        return Misused(f"Write {_usage(name)} alone, with nothing after it.")
    blocks = _blocks(argument)
    if command.argument == "SQL" and blocks:
        argument = blocks[0][1]
    if command.argument is not None and not argument:
        return Misused(f"Say what to {name}: {_usage(name)}.")
    return command.question(argument)


def _usage(name: str) -> str:
    argument = COMMANDS[name].argument
    return f"/{name}" if argument is None else f"/{name} {argument}"


def _of_blocks(text: str, dialect: Dialect) -> Question | None:
    found: list[Question] = []
    for language, statement in _blocks(text):
        if language in _SQL_INFO:
            if not statement:
                return Misused("The SQL block is empty; write a statement in it.")
            found.append(_of_sql(statement, dialect))
        elif not language:
            question = _of_statement(statement, dialect)
            if question is not None:
                found.append(question)
    if len(found) > 1:
        return Misused(f"Ask one thing at a time; the message has {len(found)} blocks of SQL.")
    return found[0] if found else None


def _blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks: the first word of the info string, in small letters, and the text.

    They are those of CommonMark ("Fenced code blocks") and, as SQL is expected to be answered, some
    more: a fence may be indented by any number of spaces, and a block of SQL may open and close
    behind other text of a line. A quoted block (`>`) is another user's.
    """
    blocks: list[tuple[str, str]] = []
    lines = iter(text.split("\n"))
    for line in lines:
        opening = _opening(line.strip())
        if opening is not None:
            fence, language = opening
            blocks.append((language, _up_to_fence(lines, fence, language)))
    return blocks


def _opening(line: str) -> tuple[str, str] | None:
    """The fence and the language of the block that a line opens."""
    if (opening := _OPENING.fullmatch(line)) is not None:
        return opening["fence"], "".join(opening["info"].lower().split(maxsplit=1)[:1])
    opening = _OPENING_BEHIND_TEXT.fullmatch(line)
    if opening is None or not _may_hold_sql(opening["info"].lower()):
        return None
    return opening["fence"], opening["info"].lower()


def _up_to_fence(lines: Iterator[str], fence: str, language: str) -> str:
    """The text of a block; takes its lines and the one that closes it, or all that are left."""
    inside = []
    for line in lines:
        text = line.rstrip()
        if text.endswith(fence):
            before = text.rstrip(fence[0])
            if not before.strip():
                break
            if _may_hold_sql(language):
                inside.append(before)
                break
        inside.append(line)
    return "\n".join(inside).strip()


def _may_hold_sql(language: str) -> bool:
    return not language or language in _SQL_INFO


def _of_sql(statement: str, dialect: Dialect) -> Question:
    """The question that a statement is, where the message says that it is one."""
    reading = _reading(statement, dialect)
    question = None if reading is None else _asked_otherwise(reading)
    return RunStatement(statement) if question is None else question


@attrs.frozen
class _LexedText:
    """A text as written, and as its dialect reads it, which finds it clear."""

    text: str
    dialect: Dialect
    lexed: Lexed


def _reading(text: str, dialect: Dialect) -> _LexedText | None:
    """A text as the dialect reads it; None where it is not clear, or empty."""
    lexed = lex(text, dialect)
    if isinstance(lexed, Lexed) and lexed.tokens:
        return _LexedText(text, dialect, lexed)
    return None


def _of_statement(text: str, dialect: Dialect) -> Question | None:
    """The question that a text is as a whole, where it is SQL."""
    if _reads(text) is None or len(text.rstrip("; \t\r\n")) > TEXT_CHARS_MAX:
        return None
    reading = _reading(text, dialect)
    if reading is None or not _is_sql(reading):
        return None
    return _asked_otherwise(reading) or RunStatement(text)


def _reads(text: str) -> Callable[[_LexedText], bool] | None:
    """What a text has to be that begins with this word of SQL; None where it is no such word."""
    leading = _LEADING_COMMENT.match(text)
    first = _FIRST_WORD.match(text, leading.end() if leading is not None else 0)
    return None if first is None else _BY_FIRST_WORD.get(first.group(1).upper())


def _is_sql(reading: _LexedText) -> bool:
    """Whether the text is SQL from its first word to its last."""
    reads = _reads(reading.text)
    if reads is None or reading.lexed.sql.endswith(_ENDS_A_SENTENCE):
        return False
    return not _is_prose(reading) and reads(reading)


def _is_prose(reading: _LexedText) -> bool:
    """Whether the text is sooner a sentence, though the grammar may make a statement of it."""
    first, *others = reading.lexed.tokens
    form = _BARE_SQL.get(first.text)
    if form is None or first.written.isupper() or reading.text.rstrip().endswith(";"):
        return False
    if _BARE.fullmatch(reading.lexed.plain) is None:
        return False
    if any(other.is_word(*_CLAUSES) for other in others):
        return False
    return form.fullmatch(reading.lexed.plain) is None


def _asked_otherwise(reading: _LexedText) -> Question | None:
    """The question that a statement is which databases know by other words."""
    sql = reading.lexed.sql
    if _SHOW_TABLES.fullmatch(sql):
        return ListTables()
    table = _SHOW_COLUMNS.fullmatch(sql) or _DESCRIBE.fullmatch(sql)
    if table is not None:
        return DescribeTable(table["table"])
    if _EXPLAIN_WITH_OPTIONS.fullmatch(sql):
        return None  # some of them run it: the guard says how to ask
    explained = _explained(reading, _EXPLAIN)
    return None if explained is None else ExplainStatement(explained.text.rstrip("; \t\r\n"))


def _explained(reading: _LexedText, form: "re.Pattern[str]") -> _LexedText | None:
    """The statement in an EXPLAIN of the form, as written."""
    match = form.fullmatch(reading.lexed.sql)
    lexed = None if match is None else lex(match["statement"], reading.dialect)
    if not isinstance(lexed, Lexed) or not lexed.tokens:
        return None
    first, *_ = reading.lexed.tokens[-len(lexed.tokens) :]
    return _LexedText(reading.text[first.at :], reading.dialect, lexed)


def _is_statement(reading: _LexedText) -> bool:
    """Whether the dialect makes a statement of the text that is no sentence by accident."""
    plain = reading.lexed.plain
    for form, words in _REWORDED:
        if (match := form.match(plain)) is not None:
            plain = words + plain[match.end() :]
    statements = parse(attrs.evolve(reading.lexed, plain=plain), reading.dialect)
    return isinstance(statements, tuple) and bool(statements) and _is_meant(statements[0])


def _is_meant(root: "Expr") -> bool:
    from sqlglot import exp

    for table in root.find_all(exp.Table):
        if table.name.lower() in _SMALL_WORDS and not table.this.args.get("quoted"):
            return False
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


def _after(*words: str) -> Callable[[_LexedText], bool]:
    """Whether one of the words follows the first, and the text is a statement."""

    def reads(reading: _LexedText) -> bool:
        second = reading.lexed.tokens[1:2]
        return bool(second) and second[0].is_word(*words) and _is_statement(reading)

    return reads


def _creates(reading: _LexedText) -> bool:
    """Whether the text creates something; an index is created ON a table."""
    words = [token.text for token in reading.lexed.tokens if token.kind is TokenKind.WORD]
    if "INDEX" in words[1:3] and "ON" not in words:
        return False
    return _after("TABLE", "VIEW", "INDEX", "UNIQUE", "TEMP", "TEMPORARY", "OR")(reading)


def _form(*forms: "re.Pattern[str]") -> Callable[[_LexedText], bool]:
    """Whether the text has one of the forms, and names no table by a small word."""

    def reads(reading: _LexedText) -> bool:
        for form in forms:
            match = form.fullmatch(reading.lexed.sql)
            if match is not None:
                return match.groupdict().get("table", "").lower() not in _SMALL_WORDS
        return False

    return reads


def _is_explained(reading: _LexedText) -> bool:
    explained = _explained(reading, _EXPLAIN_WITH_OPTIONS) or _explained(reading, _EXPLAIN)
    if explained is None or explained.lexed.tokens[0].is_word(*_FORMS):
        return False
    return _is_sql(explained)


_FORMS: Mapping[str, Callable[[_LexedText], bool]] = {
    "SHOW": _form(_SHOW_TABLES, _SHOW_COLUMNS, _SHOW_OTHER),
    "DESCRIBE": _form(_DESCRIBE),
    "DESC": _form(_DESCRIBE),
    "PRAGMA": _form(_PRAGMA, _PRAGMA_OF_VALUE),
    "EXPLAIN": _is_explained,
}

# What a text has to be that begins with the word; every other word begins plain talk.
_BY_FIRST_WORD: Mapping[str, Callable[[_LexedText], bool]] = {
    **_FORMS,
    "SELECT": _is_statement,
    "WITH": _is_statement,
    "VALUES": _is_statement,
    "INSERT": _after("INTO", "OR", "IGNORE"),
    "REPLACE": _after("INTO"),
    "MERGE": _after("INTO"),
    "UPDATE": _is_statement,
    "DELETE": _after("FROM"),
    "CREATE": _creates,
    "ALTER": _after("TABLE"),
    "DROP": _after("TABLE", "VIEW", "INDEX"),
    "TRUNCATE": _is_statement,
}
