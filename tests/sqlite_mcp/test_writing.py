"""Writes, where both the connection and the question allow them: all or nothing."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chatd.answers.requests import DatabaseFailed, ExplainStatement, RunStatement, Terms
from chatd.answers.table import Column
from chatd.db_mcp.collecting import KeptRows
from chatd.db_mcp.interrupt import Interrupt, Interrupted
from chatd.sqlite_mcp.handle import DatabaseFile
from chatd.sqlite_mcp.reading import answer
from chatd.wire.codes import Code
from tests.rows import rows
from tests.sqlite_mcp.databases import ask, checksum, failure, query, write

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
MANY = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 500) "
    "INSERT INTO audit SELECT n FROM r RETURNING what"
)


def test_rows_are_written_and_counted_with_those_of_triggers(database: Path) -> None:
    assert write(database, "INSERT INTO audit VALUES (1), (2)").outcome.rows_written == 2
    assert write(database, "UPDATE people SET name = 'x' WHERE id < 3").outcome.rows_written == 4
    assert write(database, "DELETE FROM audit").outcome.rows_written == 4
    assert query(database, "SELECT name FROM people ORDER BY id").rows == [["x"], ["x"], ["<b>"]]


def test_what_is_returned_are_the_rows_and_all_is_written_however_many(database: Path) -> None:
    answered = write(database, MANY, max_rows=3)
    assert answered.rows == [["1"], ["2"], ["3"]]
    assert answered.columns == [Column("what", "TEXT")]
    assert answered.outcome.is_truncated
    assert answered.outcome.rows_written == 500
    assert query(database, "SELECT count(*) FROM audit").rows == [[500]]


def test_tables_and_indexes_are_made_changed_and_dropped(database: Path) -> None:
    for sql in (
        "CREATE TABLE made (id INTEGER PRIMARY KEY AUTOINCREMENT, x UNIQUE)",
        "INSERT INTO made (x) VALUES (1)",
        "ALTER TABLE made ADD COLUMN y DEFAULT 'new'",
        "ALTER TABLE made RENAME COLUMN y TO z",
        "ALTER TABLE made RENAME TO renamed",
        "CREATE INDEX renamed_by_z ON renamed (z)",
        "CREATE TABLE copy AS SELECT * FROM renamed",
        "DROP INDEX renamed_by_z",
        "ALTER TABLE renamed DROP COLUMN z",
        "DROP TABLE renamed",
    ):
        write(database, sql)
    assert query(database, "SELECT * FROM copy").rows == [[1, 1, "new"]]
    assert not query(database, "SELECT 1 FROM sqlite_schema WHERE name LIKE 'renamed%'").rows


@rows(
    ("sql", "has_written"),
    [
        ("INSERT INTO audit VALUES (1)", True),
        ("CREATE TABLE made (id)", True),
        ("INSERT INTO audit VALUES (1), (nowhere)", False),
        ("SELECT * FROM audit", False),
    ],
)
def test_a_stop_comes_too_late_once_a_write_stands(
    database: Path, sql: str, has_written: bool
) -> None:
    interrupt = Interrupt()
    with suppress(DatabaseFailed):
        place, terms = DatabaseFile(database, is_writable=True), Terms(read_only=False)
        answer(place, RunStatement(sql), terms, KeptRows(), interrupt)
    assert interrupt.has_written is has_written


def test_a_write_that_fails_leaves_no_trace(database: Path) -> None:
    before = checksum(database)
    sql = "INSERT INTO people (id, name) VALUES (10, 'x'), (11, 'y'), (1, 'taken')"
    failed = failure(database, RunStatement(sql), writable=True, read_only=False)
    assert failed.code is Code.DB_ERROR
    assert "UNIQUE constraint failed" in failed.sentence
    assert checksum(database) == before


def test_foreign_keys_are_kept(database: Path) -> None:
    failed = failure(
        database,
        RunStatement("INSERT INTO secrets VALUES ('x', 99)"),
        writable=True,
        read_only=False,
    )
    assert "FOREIGN KEY constraint failed" in failed.sentence


def test_a_write_is_explained_where_it_is_allowed_and_does_not_run(database: Path) -> None:
    before = checksum(database)
    sql = "DELETE FROM people WHERE name = 'Ada'"
    answered = ask(database, ExplainStatement(sql), writable=True, read_only=False)
    assert "people_by_name" in str(answered.rows[0][2])
    assert failure(database, ExplainStatement(sql)).code is Code.DB_READ_ONLY
    assert checksum(database) == before


def test_who_may_write_still_reads_without_a_lock_for_writing(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert write(database, "SELECT count(*) FROM people").rows == [[3]]


class StopAtTheFirstRow(KeptRows):
    """Stops the call as soon as there is a row."""

    def __init__(self, interrupt: Interrupt) -> None:
        super().__init__()
        self.interrupt = interrupt

    def row(self, row: object, as_json: bytes, values: object) -> None:
        self.interrupt.stop()


def test_a_write_that_is_stopped_leaves_no_trace(database: Path) -> None:
    before = checksum(database)
    interrupt = Interrupt()
    with pytest.raises(Interrupted):
        answer(
            DatabaseFile(database, is_writable=True),
            RunStatement(MANY),
            Terms(read_only=False),
            StopAtTheFirstRow(interrupt),
            interrupt,
        )
    assert checksum(database) == before


class StopAtTheFirstTick(KeptRows):
    """Stops the call when the statement has been at work for a moment."""

    def __init__(self, interrupt: Interrupt) -> None:
        super().__init__()
        self.interrupt = interrupt

    def tick(self) -> None:
        assert not self.interrupt.is_stopped, "it goes on"
        self.interrupt.is_stopped = True  # as a stop that SQLite forgot, between two statements


@pytest.mark.parametrize(
    "sql",
    [
        f"{ENDLESS} SELECT count(*) FROM r",
        f"{ENDLESS} INSERT INTO audit SELECT n FROM r",
    ],
)
def test_a_statement_that_never_ends_is_stopped(database: Path, sql: str) -> None:
    interrupt = Interrupt()
    with pytest.raises(Interrupted):
        answer(
            DatabaseFile(database, is_writable=True),
            RunStatement(sql),
            Terms(read_only=False),
            StopAtTheFirstTick(interrupt),
            interrupt,
        )
    assert query(database, "SELECT count(*) FROM audit").rows == [[0]]


def test_a_stop_that_comes_first_counts(database: Path) -> None:
    interrupt = Interrupt()
    interrupt.stop()
    with pytest.raises(Interrupted):
        answer(DatabaseFile(database), RunStatement("SELECT 1"), Terms(), KeptRows(), interrupt)


def test_a_stop_reaches_into_a_statement_that_is_not_looked_at() -> None:
    interrupt = Interrupt()
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        interrupt.reaching(connection.interrupt),
    ):
        connection.create_function("stop", 0, interrupt.stop)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(f"{ENDLESS} SELECT max(n) FROM r WHERE n < 2 OR stop()")


class StopWhileWaiting(Interrupt):
    """Is stopped at the third look, when the call has met the lock."""

    looks = 0

    def check(self) -> None:
        self.looks += 1
        if self.looks == 3:
            self.stop()
        super().check()


def test_a_lock_of_somebody_else_is_waited_for_until_the_call_is_stopped(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for sql, terms in (
            ("SELECT 1 FROM people", Terms()),
            ("DELETE FROM people", Terms(read_only=False)),
        ):
            with pytest.raises(Interrupted):
                answer(
                    DatabaseFile(database, True),
                    RunStatement(sql),
                    terms,
                    KeptRows(),
                    StopWhileWaiting(),
                )
        other.execute("ROLLBACK")
    assert write(database, "DELETE FROM secrets").outcome.rows_written == 1


class Faulty(KeptRows):
    """Fails while the statement is at work."""

    def tick(self) -> None:
        raise ConnectionError("nobody listens")


def test_a_fault_in_a_tick_ends_the_call_as_itself(database: Path) -> None:
    endless = f"{ENDLESS} SELECT max(n) FROM r"
    with pytest.raises(ConnectionError, match="nobody listens"):
        answer(DatabaseFile(database), RunStatement(endless), Terms(), Faulty(), Interrupt())


# --- how much may be written ---------------------------------------------------------------------

SERIES = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT {})"
BYTES_MAX = 1_000_000


def refused(place: DatabaseFile, sql: str) -> DatabaseFailed:
    """How a write at a place fails; it leaves no trace."""
    before = checksum(place.path)
    with pytest.raises(DatabaseFailed) as caught:
        answer(place, RunStatement(sql), Terms(read_only=False), KeptRows(), Interrupt())
    assert checksum(place.path) == before
    return caught.value


def test_a_statement_changes_so_many_rows_and_no_more(database: Path) -> None:
    place = DatabaseFile(database, is_writable=True, max_rows_written=100)
    fits = f"{SERIES.format(100)} INSERT INTO audit SELECT n FROM r"
    answer(place, RunStatement(fits), Terms(read_only=False), KeptRows(), Interrupt())
    failed = refused(place, f"{SERIES.format(101)} INSERT INTO audit SELECT n FROM r")
    assert failed.code is Code.DB_STATEMENT_REJECTED
    assert "changes 101 rows and may change 100" in failed.sentence
    # Those of triggers count; and however few are handed out.
    place = DatabaseFile(database, is_writable=True, max_rows_written=5)
    assert "changes 6 rows" in refused(place, "UPDATE people SET name = 'x' RETURNING 1").sentence


@pytest.mark.parametrize(
    "sql",
    [
        f"{SERIES.format(1000)} INSERT INTO audit SELECT randomblob(5000) FROM r",
        "INSERT INTO audit VALUES (zeroblob(2000000))",
        f"CREATE TABLE copy AS {SERIES.format(200000)} SELECT n FROM r",
        f"{SERIES.format(1000)} INSERT INTO notes SELECT hex(randomblob(2000)) FROM r",
        "UPDATE people SET photo = zeroblob(1000000)",
    ],
)
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_statement_makes_the_file_grow_so_far_and_no_further(
    database: Path, sql: str, mode: str
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    failed = refused(DatabaseFile(database, is_writable=True, max_growth_bytes=BYTES_MAX), sql)
    assert failed.code is Code.DB_STATEMENT_REJECTED
    assert "writes more than the 1,000,000 bytes" in failed.sentence


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_journal_grows_so_far_and_no_further(database: Path, mode: str) -> None:
    # Nothing is added here: what is there is overwritten, and its old pages go to the journal, or
    # its new ones to the log beside the file.
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute(f"{SERIES.format(3000)} INSERT INTO audit SELECT zeroblob(3000) FROM r")
        connection.commit()
    place = DatabaseFile(database, is_writable=True, max_growth_bytes=BYTES_MAX)
    assert "bytes" in refused(place, "UPDATE audit SET what = randomblob(3000)").sentence


def test_what_fits_is_written(database: Path) -> None:
    place = DatabaseFile(database, is_writable=True, max_growth_bytes=BYTES_MAX)
    sql = f"{SERIES.format(50)} INSERT INTO audit SELECT zeroblob(5000) FROM r"
    answer(place, RunStatement(sql), Terms(read_only=False), KeptRows(), Interrupt())
    assert query(database, "SELECT count(*) FROM audit").rows == [[50]]


# --- what keeps itself ---------------------------------------------------------------------------


@pytest.fixture
def with_virtual_tables(database: Path) -> Path:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            """
            CREATE VIRTUAL TABLE old USING fts4 (body);
            CREATE VIRTUAL TABLE places USING rtree (id, low, high);
            """
        )
    return database


@rows(
    "table",
    [
        *("notes_data", "notes_idx", "notes_content", "notes_docsize", "notes_config"),
        *("old_content", "old_segments", "old_segdir", "old_docsize", "old_stat"),
        *("places_node", "places_parent", "places_rowid", "NOTES_DATA"),
        *("sqlite_sequence", "sqlite_schema", "sqlite_master"),
    ],
)
@rows(
    "sql",
    [
        "DELETE FROM {}",
        "DELETE FROM main.{} WHERE 1 RETURNING 1",
        "WITH x AS (SELECT 1) DELETE FROM {}",
        "INSERT INTO {} DEFAULT VALUES",
        "REPLACE INTO {} SELECT * FROM {}",
        "UPDATE {} SET rowid = rowid",
        "DROP TABLE {}",
        "ALTER TABLE {} ADD COLUMN x",
        "ALTER TABLE {} RENAME TO y",
        "CREATE INDEX i ON {} (rowid)",
    ],
)
def test_no_table_is_written_by_its_name_that_keeps_itself(
    with_virtual_tables: Path, sql: str, table: str
) -> None:
    before = checksum(with_virtual_tables)
    with pytest.raises(DatabaseFailed):
        write(with_virtual_tables, sql.replace("{}", table))
    assert checksum(with_virtual_tables) == before


def test_the_sentence_says_that_a_table_keeps_itself(database: Path) -> None:
    request = RunStatement("DELETE FROM notes_data")
    failed = failure(database, request, writable=True, read_only=False)
    assert failed.code is Code.DB_STATEMENT_REJECTED
    assert "notes_data may not be written by its name" in failed.sentence


def test_a_table_that_has_such_a_name_alone_is_written(database: Path) -> None:
    write(database, "CREATE TABLE people_data (a)")
    assert write(database, "INSERT INTO people_data VALUES (1)").outcome.rows_written == 1
    write(database, "DROP TABLE people_data")


def test_virtual_tables_themselves_are_written(with_virtual_tables: Path) -> None:
    database = with_virtual_tables
    write(database, "INSERT INTO notes VALUES ('a fox')")
    write(database, "UPDATE notes SET body = 'a wolf' WHERE notes MATCH 'lazy'")
    write(database, "DELETE FROM notes WHERE notes MATCH 'brown'")
    assert query(database, "SELECT body FROM notes ORDER BY 1").rows == [["a fox"], ["a wolf"]]
    write(database, "INSERT INTO old VALUES ('a hen')")
    assert query(database, "SELECT body FROM old WHERE old MATCH 'hen'").rows == [["a hen"]]
    write(database, "INSERT INTO places VALUES (1, 0, 5)")
    write(database, "UPDATE places SET high = 7")
    write(database, "DELETE FROM places")
