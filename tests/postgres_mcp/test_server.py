"""The connections: kept, cleaned, renewed; and a server that is not there."""

import subprocess
import sys

import psycopg
import pytest

from chatd.answers.requests import DatabaseFailed, Terms
from chatd.postgres_mcp.reading import LARGE_ROW_BYTES
from chatd.postgres_mcp.server import KEPT_MAX, PostgresServer, check_reached
from chatd.wire.codes import Code
from tests.postgres_mcp.shops import Shop, call
from tests.rows import rows

UNREAD = "The address of the database cannot be read"
MISREAD = "The address of the database is not read as it is meant"
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'chatd' AND datname = %s"


def sessions(shop: Shop) -> list[int]:
    with shop.postgres.connect("postgres") as connection:
        return [pid for (pid,) in connection.execute(SESSIONS, [shop.database])]


def test_calls_share_a_connection_also_after_an_error(shop: Shop) -> None:
    (first,) = shop.ask("SELECT pg_backend_pid()").rows[0]
    shop.failure("SELECT 1/0")
    shop.failure("SELECT * FROM nowhere")
    assert shop.ask("SELECT pg_backend_pid()").rows == [[first]]


def test_a_call_leaves_nothing_behind_in_the_session(shop: Shop) -> None:
    shop.ask("SELECT pg_advisory_lock(7), set_config('chatd.left', 'here', false)")
    got = shop.ask("""
        SELECT current_setting('chatd.left', true),
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
    """)
    assert got.rows == [["", 0]]


def test_a_connection_that_was_ended_meanwhile_is_opened_again(shop: Shop) -> None:
    shop.ask("SELECT 1")
    with shop.postgres.connect("postgres") as connection:
        for pid in sessions(shop):
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    assert shop.ask("SELECT 1").rows == [[1]]


def test_a_connection_that_is_ended_within_a_call_fails_that_call_alone(shop: Shop) -> None:
    failure = shop.failure("SELECT pg_terminate_backend(pg_backend_pid())")
    assert failure.code is Code.DB_UNAVAILABLE
    assert shop.ask("SELECT 1").rows == [[1]]


def test_a_connection_that_has_held_a_large_row_is_not_kept(shop: Shop) -> None:
    (first,) = shop.ask("SELECT pg_backend_pid()").rows[0]
    got = shop.ask(f"SELECT repeat('x', {2 * LARGE_ROW_BYTES})")
    assert got.outcome.cut.values == 1
    assert shop.reading._kept == []
    assert shop.ask("SELECT pg_backend_pid()").rows != [[first]]


def test_few_connections_are_kept(shop: Shop) -> None:
    def nested(depth: int) -> None:
        with shop.reading.connection():
            if depth:
                nested(depth - 1)

    nested(KEPT_MAX + 2)
    shop.reading.close()
    nested(KEPT_MAX + 2)
    assert len(shop.reading._kept) == KEPT_MAX


def test_no_address_and_no_secret_is_shown() -> None:
    server = PostgresServer("postgresql://reader:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in repr(server)
    with pytest.raises(DatabaseFailed) as failed:
        call(server, "SELECT 1", Terms())
    assert failed.value.code is Code.DB_UNAVAILABLE
    assert "127.0.0.1" not in str(failed.value)


def test_a_process_that_reaches_no_server_says_so_and_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "chatd", "db-mcp", "--postgres"],
        env={"DATABASE_URL": "postgresql://reader:s3cret@127.0.0.1:1/shop"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("The database cannot be reached: ")
    assert "s3cret" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@rows(
    ("address", "beginning"),
    [
        ("postgresql://reader:s3cret@127.0.0.1:1/shop", "The database cannot be reached: "),
        ("host=127.0.0.1 port=1 user=reader password=s3cret", "The database cannot be reached: "),
        ("postgres//reader:s3cret@127.0.0.1:1/shop", UNREAD),
        ("host=127.0.0.1 port=1 password=a s3cret", UNREAD),
        ("host=127.0.0.1 port=1 password='s3cret", UNREAD),
        ("postgresql://reader:s3cret%zz@127.0.0.1:1/shop", UNREAD),
        ("postgresql://reader@127.0.0.1:1/shop?password=a&s3cret", UNREAD),
        ("postgresql://reader:s3cret/a@127.0.0.1:1/shop", MISREAD),
        ("postgresql://reader:1/s3cret@127.0.0.1:1/shop", MISREAD),
        ("postgresql://reader:a@s3cret@127.0.0.1:1/shop", MISREAD),
    ],
)
def test_no_part_of_a_password_is_told_however_its_address_is_misread(
    address: str, beginning: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        check_reached(PostgresServer(address))
    assert str(ended.value.code).startswith(beginning)
    assert "s3cret" not in str(ended.value.code)


def test_psycopg_is_no_part_of_what_imports_the_daemon() -> None:
    code = "import sys, chatd.cli, chatd.app.build; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_peer_that_went_away_without_a_word_is_noticed_unless_the_address_says_otherwise(
    shop: Shop,
) -> None:
    with shop.reading.connection() as connection:
        assert connection.info.get_parameters()["keepalives_idle"] == "30"
    joined = "&" if "?" in shop.reading.address else "?"
    own = PostgresServer(f"{shop.reading.address}{joined}keepalives_idle=7")
    with own.connection() as connection:
        assert connection.info.get_parameters()["keepalives_idle"] == "7"
    own.close()


def test_the_connection_is_of_psycopg_and_speaks_the_extended_protocol_alone(shop: Shop) -> None:
    with shop.reading.connection() as connection:
        assert isinstance(connection, psycopg.Connection)
        assert connection.prepare_threshold is None
