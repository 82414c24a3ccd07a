"""Whether a statement may run: the second layer of read-only (docs/answers, "Statements").

A statement is allowed when two readers agree that it is harmless. The first reads the words, with
`lexer` and the lists here and in `functions`, and believes no parser (here and in `calls`); the
second is the grammar of the dialect (`grammar`), whose tree may hold only what stands in `nodes`
(`trees`). What neither understands is refused. The rules, in their order:

1. the text is clear (`lexer`) and short, and is not nested deeply;
2. it is one statement, and its first word begins a query;
3. no word outside of quotes is one that writes, escapes or locks; a column of such a name has to be
   put in quotes;
4. every name before a parenthesis is a function of the list, or calls nothing by its place; a size
   that it takes is written as a small number; in Postgres every type and every operator is one
   that the server brings (`catalogue`);
5. the grammar makes one query of it, out of parts that read;
6. if the context narrows, every table is inside of it (`scopes`);
7. in Postgres, if `t.f` may call `f`, it is known to be a column (`columns`).

Where writing is allowed, rules 2, 3 and 5 let changes of rows and of tables with their indexes
through, and nothing else: no files, no other databases, no code, no rights, nothing that the server
knows of itself. A view is code, which runs with the rights of its owner; a temporary table would
stand in for another of its name; CASCADE changes what the statement does not name.

The statement that is sent differs from the one that was written by its comments, and by the names
that could mean something else: in Postgres functions and types are named by their catalogue, and in
MySQL no space stands before the parenthesis of a call, where `now ()` may be a stored function.

A statement that passed may get a remark: that it hardly does what was meant (`remarks`). It runs
all the same.

What the schema itself does stays with the credentials, the third layer: a view, an operator for a
type of the schema's own, a cast or a generated column may call functions, and so may `t.f` in
Postgres, on a row `t` of a table.
"""

from chatd.answers.sql.calls import SentNames, check_names
from chatd.answers.sql.elsewhere import instead_of_word
from chatd.answers.sql.functions import words
from chatd.answers.sql.lexer import (
    Dialect,
    Lexed,
    Token,
    TokenKind,
    Unclear,
    closing_parentheses,
    lex,
)
from chatd.answers.sql.places import begins_like, place, unbalanced
from chatd.answers.sql.remarks import remark_on
from chatd.answers.sql.scopes import ContextScope, TableName
from chatd.answers.sql.trees import checked_tree, said_of_slip
from chatd.answers.sql.verdicts import (
    ONLY_READING,
    Allowed,
    Policy,
    Refused,
    Rejected,
    Verdict,
    closed,
    outside,
)
from chatd.wire.codes import Code

DEPTH_MAX = 40  # parentheses and brackets inside of each other; honest statements have 5
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
# First words of statements that begin and end transactions.
_TRANSACTIONS = words("abort begin commit end release rollback savepoint start xa")
_LOCKS_AFTER_FOR = ("UPDATE", "SHARE", "NO", "KEY")


def check_statement(sql: str, policy: Policy) -> Verdict:
    """Whether the statement may run under the policy. Never raises, whatever it is given."""
    try:
        lexed = _lexed(sql, policy)
        if policy.dialect == "sqlite":
            lexed = _without_outer_parentheses(lexed)
        _check_shape(sql, lexed.tokens, policy)
        _check_words(lexed.tokens, policy)
        names = _checked_names(sql, lexed, policy)
        root, is_reading = checked_tree(sql, lexed, policy)
        remark = remark_on(root, lexed, policy.dialect)
        return Allowed(names.sent(lexed), is_reading, remark)
    except Refused as refused:
        return refused.rejected


def check_table(name: str, policy: Policy) -> TableName | Rejected:
    """The table that a name means, with its schema if it has one; or why it may not be asked.

    A name is one or two parts with a dot between, each with or without quotes; anything else that
    has no quotes in it is taken for one name as it is. The result may hold any sign, so wherever it
    goes it is put in quotes, or given as a value.
    """
    try:
        return _named_table(name, policy)
    except Refused as refused:
        return refused.rejected


def _named_table(name: str, policy: Policy) -> TableName:
    table = TableName.read(name, policy.dialect)
    if table is None:
        raise Refused('Name one table, as in orders, sales.orders or "my orders".')
    for part in (table.schema or "", table.name):
        if len(part) > NAME_CHARS_MAX:
            raise Refused(f"The name of a table has {NAME_CHARS_MAX} characters at most.")
    if table.is_closed(policy.dialect):
        raise closed(table)
    if not ContextScope.of(policy.dialect, policy.schema, policy.tables).holds(table):
        raise outside(table)
    return table


def _lexed(text: str, policy: Policy) -> Lexed:
    lexed = lex(text, policy.dialect)
    if not isinstance(lexed, Unclear):
        return lexed
    if lexed.at is None:
        raise Refused(lexed.sentence)
    for sign in (text[lexed.at : lexed.at + 2], text[lexed.at : lexed.at + 1]):
        if (instead := instead_of_word(sign, policy.dialect)) is not None:
            raise Refused(f"{instead[:-1]} ({place(text, lexed.at)}).", Code.DB_SYNTAX)
    raise Refused(f"{lexed.sentence[:-1]} ({place(text, lexed.at)}).")


def _without_outer_parentheses(lexed: Lexed) -> Lexed:
    """The statement without the parentheses around all of it, which SQLite does not take."""
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
        raise Refused("There is no statement in it.", Code.DB_SYNTAX)
    if any(token.is_symbol(";") for token in tokens):
        raise Refused("Send one statement at a time; no ; may stand between two.")
    if (odd := unbalanced(sql, tokens)) is not None:
        raise Refused(odd, Code.DB_SYNTAX)
    if _depth(tokens) > DEPTH_MAX:
        raise Refused(
            f"Its parentheses are nested too deeply; {DEPTH_MAX} may be open at a time.",
            Code.DB_SYNTAX,
        )
    if first.is_word(*_QUERY):
        if policy.dialect == "sqlite" and first is not tokens[0]:
            raise Refused(
                "SQLite takes no parentheses around a part of a UNION; write SELECT * FROM (...) "
                "for that part.",
                Code.DB_SYNTAX,
            )
        return
    if first.is_word(*_CHANGE) and first is tokens[0]:
        if policy.read_only:
            raise Refused(ONLY_READING, Code.DB_READ_ONLY)
        return
    if first.is_word("EXPLAIN"):
        raise Refused("Send the statement alone with /explain.")
    if first.is_word("SHOW", "DESCRIBE", "DESC"):
        raise Refused("Ask with /tables, or /describe TABLE.")
    if first.is_word("PRAGMA"):
        raise Refused("PRAGMA may not be used here; ask with /tables, or /describe TABLE.")
    if first.is_word("TABLE"):
        raise Refused("Write SELECT * FROM for TABLE.")
    if first.kind is TokenKind.WORD and first.text in _ESCAPES:
        raise Refused(f"{first.text} may not be used here.")
    near = begins_like(first)
    if near is not None:
        raise Refused(
            f"{first.written} ({place(sql, first.at)}) begins no statement; did you mean {near}?",
            Code.DB_SYNTAX,
        )
    if first.kind is TokenKind.WORD and first.text in _TRANSACTIONS:
        raise Refused(f"Leave {first.text} out; each question is a transaction of its own.")
    if policy.read_only:
        raise Refused("A statement begins with SELECT, WITH or VALUES here.")
    raise Refused(
        "A statement begins with SELECT, WITH, VALUES, INSERT, UPDATE, DELETE, CREATE, ALTER or "
        "DROP here."
    )


def _checked_names(sql: str, lexed: Lexed, policy: Policy) -> SentNames:
    """The names of the statement, all of which are known.

    A misspelt keyword may pass for the name of a type in Postgres, as in `a LIK 'x'`: then the
    refusal says which keyword was meant.
    """
    try:
        return check_names(lexed.tokens, policy)
    except Refused:
        if policy.dialect == "postgres" and (said := said_of_slip(sql, lexed, "postgres")):
            raise Refused(said, Code.DB_SYNTAX) from None
        raise


def _check_words(tokens: tuple[Token, ...], policy: Policy) -> None:
    """No word that writes or escapes, in the places where it is a word of the language."""
    for index, (token, after) in enumerate(zip(tokens, (*tokens[1:], None), strict=True)):
        if token.kind is not TokenKind.WORD or _is_member(tokens, index):
            continue
        if token.text in (_ESCAPES if policy.read_only else _ESCAPES | _CREATES_ESCAPES):
            raise Refused(
                f"{token.text} may not be used here; put it in quotes where it is a name."
            )
        if token.is_word("FOR") and after is not None and after.is_word(*_LOCKS_AFTER_FOR):
            raise Refused("Rows may not be locked; leave FOR ... out.", Code.DB_READ_ONLY)
        if token.is_word("NEXT") and after is not None and after.is_word("VALUE"):
            raise Refused("A sequence may not be moved on.", Code.DB_READ_ONLY)
        is_called = after is not None and after.is_symbol("(")
        is_function = is_called and token.is_word(*_WRITES_OR_FUNCTIONS[policy.dialect])
        if policy.read_only and token.text in _WRITES and not is_function:
            raise Refused(
                f"Only reading is allowed here, and {token.text} may write; "
                "put it in quotes where it is a name.",
                Code.DB_READ_ONLY,
            )
        if token.is_word("TABLE") and not tokens[0].is_word(*_CHANGES_TABLES):
            raise Refused("Write SELECT * FROM for TABLE; put it in quotes where it is a name.")
        # SQLite reads a whole table, or calls a function, for a name after IN.
        is_followed = after is not None and after.is_symbol("(")
        if policy.dialect == "sqlite" and token.is_word("IN") and not is_followed:
            raise Refused("Put what stands after IN in parentheses.")


def _is_member(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether the word is written as a column of a table, as in `orders.set`: in every dialect only
    a name can stand there."""
    if at < 2 or not tokens[at - 1].is_symbol(".") or not tokens[at - 2].is_name:
        return False
    return tokens[at - 1].at + 1 == tokens[at].at


def _depth(tokens: tuple[Token, ...]) -> int:
    """How many parentheses and brackets are open at most."""
    depth = deepest = 0
    for token in tokens:
        if token.kind is TokenKind.SYMBOL:
            depth += (token.text in "([") - (token.text in ")]")
            deepest = max(deepest, depth)
    return deepest
