"""No statement of the corpus writes, gets out, or is answered; each layer holds by itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatd.answers.requests import DatabaseFailed, ExplainStatement, RunStatement
from chatd.sqlite_mcp.catalog import Catalog
from chatd.sqlite_mcp.handle import DatabaseFile, forbid_writes, open_handle
from chatd.sqlite_mcp.permissions import Authorizer
from chatd.wire.codes import Code
from tests.rows import rows
from tests.sqlite_mcp.databases import checksum, failure, query
from tests.sqlite_mcp.hostile import ESCAPING, NEVER, NO_STATEMENTS, WRITING

REFUSALS = {Code.DB_READ_ONLY, Code.DB_STATEMENT_REJECTED, Code.DB_SYNTAX}


def is_refusal(failed: DatabaseFailed) -> bool:
    """Some ways out are built into some SQLites only; elsewhere there is no such table."""
    return failed.code in REFUSALS or "no such table: " in failed.sentence


@pytest.fixture(autouse=True)
def in_its_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a statement makes would be beside the database."""
    monkeypatch.chdir(tmp_path)


def test_the_corpus_is_large() -> None:
    assert len(set(WRITING)) >= 50
    assert len(set(ESCAPING)) >= 60
    assert len(set(NEVER)) >= 70


@rows("sql", WRITING)
@rows("terms", [{}, {"writable": True}, {"read_only": False}], ids=str)
def test_a_write_is_refused_unless_both_allow_it(
    database: Path, sql: str, terms: dict[str, object]
) -> None:
    before = checksum(database)
    refused = failure(database, RunStatement(sql), **terms)
    assert refused.code is Code.DB_READ_ONLY or "EXPLAIN" in sql
    assert is_refusal(refused)
    assert checksum(database) == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


@rows("sql", ESCAPING + NO_STATEMENTS)
def test_a_way_out_is_refused(database: Path, sql: str) -> None:
    before = checksum(database)
    refused = failure(database, RunStatement(sql))
    assert is_refusal(refused)
    assert checksum(database) == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


@rows("sql", NEVER)
def test_what_is_for_nobody_is_refused_where_writes_are_allowed(database: Path, sql: str) -> None:
    before = checksum(database)
    refused = failure(database, RunStatement(sql), writable=True, read_only=False)
    assert is_refusal(refused)
    assert checksum(database) == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


@rows("sql", WRITING + ESCAPING)
def test_what_is_refused_is_not_explained_either(database: Path, sql: str) -> None:
    assert is_refusal(failure(database, ExplainStatement(sql)))


@rows("sql", WRITING + ESCAPING)
def test_no_refusal_names_a_place_of_the_machine_or_python(database: Path, sql: str) -> None:
    sentence = failure(database, RunStatement(sql)).sentence
    assert str(database.parent) not in sentence
    assert "Traceback" not in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@rows("sql", WRITING + ESCAPING)
def test_the_authorizer_alone_lets_nothing_be_written(database: Path, sql: str) -> None:
    before = checksum(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        scope = Catalog.read(connection, None).scope
        connection.set_authorizer(Authorizer(scope, may_write=False))
        with pytest.raises((sqlite3.Error, sqlite3.Warning)):
            connection.execute(sql).fetchall()
    assert checksum(database) == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


@rows("sql", [sql for sql in WRITING if "EXPLAIN" not in sql and "TEMP" not in sql.upper()])
def test_the_handle_alone_lets_nothing_be_written(database: Path, sql: str) -> None:
    before = checksum(database)
    with (
        closing(open_handle(DatabaseFile(database), will_write=False)) as connection,
        pytest.raises(sqlite3.OperationalError),
    ):
        connection.execute(sql).fetchall()
    assert checksum(database) == before


@rows("sql", [sql for sql in WRITING if "EXPLAIN" not in sql])
def test_a_handle_that_may_write_does_not_once_it_is_forbidden(database: Path, sql: str) -> None:
    before = checksum(database)
    with closing(open_handle(DatabaseFile(database), will_write=True)) as connection:
        forbid_writes(connection)
        with pytest.raises(sqlite3.OperationalError):
            connection.execute(sql).fetchall()
    assert checksum(database) == before


def test_a_database_in_a_place_where_nobody_may_write_is_read(database: Path) -> None:
    database.chmod(0o400)
    database.parent.chmod(0o500)
    try:
        assert query(database, "SELECT count(*) FROM people").rows == [[3]]
        assert failure(database, RunStatement("DELETE FROM people")).code is Code.DB_READ_ONLY
    finally:
        database.parent.chmod(0o700)
