import pytest

from chatd.answers.requests import DatabaseFailed
from chatd.db_mcp.statement import SQL_BYTES_MAX, StatementKind, first_word, kind_of
from chatd.sqlite_mcp.statement import KINDS
from chatd.wire.codes import Code
from tests.rows import rows


@rows(
    ("sql", "expected"),
    [
        ("SELECT 1", "SELECT"),
        ("select 1", "SELECT"),
        ("select(1)", "SELECT"),
        (" \t\r\n\f-- c\n/* d */ /**/--\nWITH x", "WITH"),
        ("/* SELECT 1 */ DELETE", "DELETE"),
        ("-- SELECT 1\nDELETE", "DELETE"),
        ("/* SELECT 1", ""),
        ("-- SELECT 1", ""),
        ("", ""),
        ("; SELECT 1", ""),
        ("\ufeffSELECT", ""),
        ("\u00a0SELECT", ""),
        ("[select]", ""),
    ],
)
def test_the_first_word_is_found_behind_comments(sql: str, expected: str) -> None:
    assert first_word(sql) == expected


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", StatementKind.READING),
        ("VALUES (1)", StatementKind.READING),
        ("WITH x AS (SELECT 1) SELECT 1", StatementKind.READING),
        ("PRAGMA table_info(x)", StatementKind.READING),
        ("EXPLAIN SELECT 1", StatementKind.EXPLAINING),
        ("DELETE FROM x", StatementKind.WRITING),
        ("CREATE TABLE x (y)", StatementKind.WRITING),
    ],
)
def test_a_kind_goes_by_the_first_word(sql: str, kind: StatementKind) -> None:
    assert kind_of(sql, KINDS, may_write=True) is kind


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DELETE FROM x", Code.DB_READ_ONLY),
        ("ATTACH 'x' AS y", Code.DB_STATEMENT_REJECTED),
        ("", Code.DB_STATEMENT_REJECTED),
        ("SELECT '\0'", Code.DB_STATEMENT_REJECTED),
        ("SELECT '\udfff'", Code.DB_STATEMENT_REJECTED),
        ("SELECT '" + "x" * SQL_BYTES_MAX + "'", Code.DB_STATEMENT_REJECTED),
        ("HELLO", Code.DB_SYNTAX),
    ],
)
def test_what_may_not_run_in_any_case_is_refused(sql: str, code: Code) -> None:
    with pytest.raises(DatabaseFailed) as refused:
        kind_of(sql, KINDS, may_write=False)
    assert refused.value.code is code


def test_a_statement_of_the_longest_message_is_not_too_long() -> None:
    sql = "SELECT '" + "🐘" * 9_990 + "'"
    assert kind_of(sql, KINDS, may_write=False) is StatementKind.READING
