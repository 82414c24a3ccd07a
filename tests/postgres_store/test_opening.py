"""A start on PostgreSQL: what it makes, and the sentence and the code where it cannot."""

from pathlib import Path

import attrs
import psycopg
import pytest
import trio

from chatd.chat.commits import Committed
from chatd.postgres_client import Pool
from chatd.postgres_store import migrations, opening
from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.migrations import Step, all_steps
from chatd.postgres_store.opening import open_log
from chatd.postgres_store.requirements import OLDEST_VERSION, ServerFacts, is_shared, why_unfit
from chatd.postgres_store.sessions import LogAddress
from chatd.postgres_store.store import open_postgres_store
from chatd.postgres_store.verify import verify_postgres_log
from tests.peers.servers import free_port
from tests.postgres import Postgres, a_server
from tests.postgres_client.test_pool import certificate, reloaded
from tests.postgres_store.bouncer import a_bouncer
from tests.postgres_store.logs import NOW_MS, SCHEMA, new_address, opened_log, rows_of, run_in
from tests.postgres_store.pooler import a_pooler
from tests.rows import rows
from tests.store.logs import ROOM, last_page, stored
from tests.store.test_log_copy import copied, in_files, in_postgres

pytestmark = pytest.mark.timeout(120)

APART = ((1, 2), (1, 2))
FACTS = ServerFacts(APART, 160_002, "16.2", "UTF8", False, True, "chat", "app", False, True, False)


def refused(address: LogAddress) -> DatabaseUnfit:
    with pytest.raises(DatabaseUnfit) as caught:
        open_log(address, NOW_MS)
    sentence = str(caught.value)
    assert sentence.startswith(f"[state] url ({caught.value.code}): ")
    assert sentence[-1] in ".?"
    assert "hunter2" not in sentence
    return caught.value


def test_an_empty_database_gets_the_schema_and_another_start_finds_it(postgres: Postgres) -> None:
    address = new_address(postgres)
    with opened_log(address) as first:
        epoch = first.log.epoch
        assert len(epoch) == 16
        assert int(epoch, 16)
        assert first.log.recovered.rooms == {}
    with opened_log(address) as second:
        assert second.log.epoch == epoch
        assert second.node_id != first.node_id
    assert rows_of(address, "SELECT version, created_ms FROM meta") == [
        (all_steps()[-1].version, NOW_MS)
    ]
    assert rows_of(address, "SELECT node_id FROM nodes") == [(second.node_id,)]


def test_two_schemas_of_one_database_are_two_logs(postgres: Postgres) -> None:
    address = new_address(postgres)
    with opened_log(address) as one, opened_log(attrs.evolve(address, schema="other")) as other:
        assert one.log.epoch != other.log.epoch


@rows(
    ("url", "says"),
    [
        pytest.param("sales", r"cannot be read", id="no url"),
        pytest.param(
            "postgresql://chat:hunter2@x@db/app",
            r"not read as it is meant; .* percent-encoded",
            id="an at in the password",
        ),
        pytest.param(
            "postgresql://chat:hunter2@db:hunter2/app",
            r"not read as it is meant",
            id="a port that is none",
        ),
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_its_password(url: str, says: str) -> None:
    unfit = refused(LogAddress(url, SCHEMA))
    assert (unfit.code, unfit.exit_code) == (Unfit.URL_INVALID, 78)
    with pytest.raises(DatabaseUnfit, match=says):
        raise unfit


@rows(
    ("place", "says"),
    [
        pytest.param("127.0.0.1:1/app", "refused", id="a host that takes nobody"),
        pytest.param("nowhere.invalid/app", "nowhere.invalid", id="a name that nobody has"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_with_its_cause(place: str, says: str) -> None:
    unfit = refused(LogAddress(f"postgresql://chat:hunter2@{place}", SCHEMA))
    assert (unfit.code, unfit.exit_code) == (Unfit.UNREACHABLE, 1)
    assert says in unfit.sentence


def test_a_database_that_is_not_there_is_told_by_its_name(postgres: Postgres) -> None:
    unfit = refused(LogAddress(postgres.url("nothing", "postgres"), SCHEMA))
    assert unfit.code is Unfit.UNREACHABLE
    assert 'database "nothing" does not exist' in unfit.sentence


def test_a_user_who_may_not_create_the_schema_is_told_what_its_owner_does(
    postgres: Postgres,
) -> None:
    address = new_address(postgres)
    run_in(address, 'CREATE USER "poor one"')
    poor = attrs.evolve(address, url=address.url.replace("postgres@", "poor%20one@"))
    unfit = refused(poor)
    assert (unfit.code, unfit.exit_code) == (Unfit.RIGHT_MISSING, 78)
    remedy = unfit.sentence.split(" run ")[1].rstrip(".")
    run_in(address, remedy)
    with opened_log(poor) as opened:
        assert opened.log.recovered.rooms == {}
    run_in(address, 'DROP SCHEMA chatd CASCADE; DROP USER "poor one"')


@rows(
    ("taken", "says"),
    [
        pytest.param(
            "REVOKE ALL ON SCHEMA chatd FROM guest",
            "may not use the schema chatd",
            id="no use of the schema",
        ),
        pytest.param(
            "REVOKE DELETE ON chatd.mentions FROM guest",
            "may not read and write the table mentions",
            id="one table is only read",
        ),
        pytest.param(
            "UPDATE chatd.meta SET version = 1; DROP FUNCTION chatd.scrub",
            "permission denied for schema chatd",
            id="a schema to be migrated is somebody elses",
        ),
    ],
)
def test_a_right_that_is_missing_in_a_schema_of_others_is_told(
    postgres: Postgres, taken: str, says: str
) -> None:
    address = new_address(postgres)
    with opened_log(address):
        pass
    run_in(
        address,
        "CREATE USER guest; GRANT USAGE ON SCHEMA chatd TO guest;"
        " GRANT ALL ON ALL TABLES IN SCHEMA chatd TO guest",
    )
    guest = attrs.evolve(address, url=address.url.replace("postgres@", "guest@"))
    try:
        with opened_log(guest):
            pass
        run_in(address, taken)
        unfit = refused(guest)
        assert unfit.code is Unfit.RIGHT_MISSING
        assert says in unfit.sentence
    finally:
        run_in(address, "DROP SCHEMA chatd CASCADE; DROP USER guest")


def test_a_schema_of_a_newer_chatd_is_left_alone(postgres: Postgres) -> None:
    address = new_address(postgres)
    with opened_log(address):
        pass
    run_in(address, "UPDATE chatd.meta SET version = 900")
    before = rows_of(address, "SELECT * FROM nodes")
    unfit = refused(address)
    assert unfit.code is Unfit.SCHEMA_TOO_NEW
    assert "version 900, of a newer chatd" in unfit.sentence
    assert rows_of(address, "SELECT * FROM nodes") == before


@rows(
    ("table",),
    [
        pytest.param("CREATE TABLE chatd.orders (id int)", id="other tables"),
        pytest.param("CREATE TABLE chatd.meta (version text)", id="another meta"),
        pytest.param("CREATE TABLE chatd.meta (version int, epoch text)", id="an empty meta"),
    ],
)
def test_a_schema_with_tables_of_others_is_left_alone(postgres: Postgres, table: str) -> None:
    address = new_address(postgres)
    run_in(address, f"CREATE SCHEMA chatd; {table}")
    assert refused(address).code is Unfit.SCHEMA_FOREIGN
    assert len(rows_of(address, "SELECT FROM pg_tables WHERE schemaname = 'chatd'")) == 1


def test_a_second_chatd_on_the_same_schema_is_turned_away(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = new_address(postgres)
    monkeypatch.setattr(opening, "LOCK_TRIES", 2)
    with opened_log(address):
        unfit = refused(address)
    assert (unfit.code, unfit.exit_code) == (Unfit.SCHEMA_IN_USE, 1)
    with opened_log(address):
        pass


def test_a_pooler_in_transaction_mode_is_told_apart(postgres: Postgres) -> None:
    database = postgres.new_database()
    with a_pooler(postgres.directory, database) as url:
        unfit = refused(LogAddress(url, SCHEMA, is_synced=False))
    assert (unfit.code, unfit.exit_code) == (Unfit.TRANSACTION_POOLER, 78)
    assert "5432 instead of 6543" in unfit.sentence
    left = LogAddress(postgres.url(database, "postgres"), SCHEMA)
    assert rows_of(left, "SELECT FROM pg_namespace WHERE nspname = 'chatd'") == []


async def test_tls_is_verified_as_the_address_says(tmp_path: Path) -> None:
    port = free_port()
    own, other = certificate("localhost"), certificate("localhost")
    for name, (authority, _) in (("own", own), ("other", other)):
        (tmp_path / f"{name}.crt").write_bytes(authority)

    def address(host: str, authority: str) -> LogAddress:
        verified = f"sslmode=verify-full&sslrootcert={tmp_path}/{authority}.crt"
        url = f"postgresql://postgres@{host}:{port}/postgres?hostaddr=127.0.0.1&{verified}"
        return LogAddress(url, SCHEMA, is_synced=False)

    with a_server(listen_addresses="127.0.0.1", port=str(port)) as server:
        server.put("server.crt", own[0])
        server.put("server.key", own[1])
        with server.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET ssl = on")
            connection.execute("SELECT pg_reload_conf()")
        required = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=require"
        await reloaded(Pool(required, 1))
        with opened_log(address("localhost", "own")) as opened:
            assert opened.connection.pgconn.ssl_in_use
            assert verify_postgres_log(address("localhost", "own")).is_sound
        for host, authority, why in (
            ("db.example", "own", 'certificate for "localhost" does not match host name'),
            ("localhost", "other", "certificate verify failed"),
            ("localhost", "none", "does not exist"),
        ):
            unfit = refused(address(host, authority))
            assert (unfit.code, unfit.exit_code) == (Unfit.UNREACHABLE, 1)
            assert why in unfit.sentence


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_pgbouncer_in_a_mode_without_sessions_is_refused(postgres: Postgres, mode: str) -> None:
    database = postgres.new_database()
    with a_bouncer(postgres, database, mode) as url:
        unfit = refused(LogAddress(url, SCHEMA, is_synced=False))
    assert (unfit.code, unfit.exit_code) == (Unfit.TRANSACTION_POOLER, 78)
    left = LogAddress(postgres.url(database, "postgres"), SCHEMA)
    assert rows_of(left, "SELECT FROM pg_namespace WHERE nspname = 'chatd'") == []


async def test_pgbouncer_in_session_mode_is_as_good_as_the_server(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.new_database()
    with a_bouncer(postgres, database, "session") as url:
        address = LogAddress(url, SCHEMA, is_synced=False)
        store = open_postgres_store(tmp_path / "state", address)
        log = store.start_log()
        async with trio.open_nursery() as nursery:
            await nursery.start(log.run)
            assert isinstance(await log.commit([stored(1)]), Committed)
            assert (await last_page(store.readers, ROOM, 10)).last_seq == 1
            assert refused(address).code == Unfit.SCHEMA_IN_USE
            nursery.cancel_scope.cancel()
        await log.close(30)
        store.close()
        assert verify_postgres_log(address).is_sound
        copied(in_postgres(address), in_files(tmp_path / "copy"))
        with opened_log(address) as again:
            assert again.log.recovered.rooms == {ROOM: 1}


@rows(
    ("backends", "shared"),
    [
        pytest.param(((7, 7), (7, 7)), True, id="one for both"),
        pytest.param(((7, 8), (8, 7)), True, id="in turns"),
        pytest.param(((7, 8), (9, 8)), True, id="another one for one of them"),
        pytest.param(((7, 8), (7, 8)), False, id="one each"),
    ],
)
def test_sessions_that_are_shared_show_in_the_processes(
    backends: tuple[tuple[int, int], ...], shared: bool
) -> None:
    assert is_shared(backends) is shared


@rows(
    ("found", "code", "says"),
    [
        pytest.param(
            {"version": OLDEST_VERSION - 1, "version_text": "13.16"},
            Unfit.SERVER_TOO_OLD,
            "PostgreSQL 13.16",
            id="too old",
        ),
        pytest.param({"encoding": "LATIN1"}, Unfit.NOT_UTF8, "LATIN1", id="another encoding"),
        pytest.param({"is_read_only": True}, Unfit.READ_ONLY, "primary", id="a standby"),
        pytest.param(
            {"has_fsync": False}, Unfit.NOT_DURABLE, 'durability = "write"', id="no fsync"
        ),
    ],
)
def test_a_server_that_is_none_to_keep_a_log_is_told_why(
    found: dict[str, object], code: Unfit, says: str
) -> None:
    unfit = why_unfit(attrs.evolve(FACTS, **found), SCHEMA, needs_fsync=True)  # type: ignore[arg-type]
    assert unfit is not None
    assert unfit.code is code
    assert says in unfit.sentence


def test_the_oldest_server_that_will_do_does() -> None:
    oldest = attrs.evolve(FACTS, version=OLDEST_VERSION, has_fsync=False)
    assert why_unfit(oldest, SCHEMA, needs_fsync=False) is None


def test_an_old_server_without_fsync_that_only_reads_is_told_apart_for_real() -> None:
    with a_server(default_transaction_read_only="on") as server:
        address = LogAddress(server.url("postgres", "postgres"), SCHEMA)
        assert refused(address).code is Unfit.READ_ONLY
        writing = f"{address.url}&options=-c%20default_transaction_read_only%3Doff"
        assert refused(LogAddress(writing, SCHEMA)).code is Unfit.NOT_DURABLE


def test_a_database_of_another_encoding_is_refused(postgres: Postgres) -> None:
    with postgres.connect("postgres") as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    address = LogAddress(postgres.url("latin", "postgres"), SCHEMA, is_synced=False)
    assert refused(address).code is Unfit.NOT_UTF8


def test_a_step_that_fails_leaves_the_version_before_it(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = new_address(postgres)
    steps = all_steps()
    broken = Step(len(steps) + 1, "CREATE TABLE half (id int); SELECT 1/0;")
    monkeypatch.setattr(migrations, "all_steps", lambda: [*steps, broken])
    assert refused(address).code is Unfit.UNREACHABLE
    monkeypatch.undo()
    with opened_log(address):
        pass
    assert rows_of(address, "SELECT version FROM meta") == [(len(steps),)]
    assert rows_of(address, "SELECT FROM pg_tables WHERE tablename = 'half'") == []


def test_an_older_schema_is_brought_forward_with_all_that_it_holds(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = new_address(postgres)
    with opened_log(address) as opened:
        epoch = opened.log.epoch
    run_in(address, "INSERT INTO chatd.rooms (connection_id, last_seq) VALUES ('sales', 5)")
    steps = all_steps()
    added = Step(len(steps) + 1, "ALTER TABLE rooms ADD COLUMN colour text;")
    monkeypatch.setattr(migrations, "all_steps", lambda: [*steps, added])
    with opened_log(address) as opened:
        assert opened.log.epoch == epoch
        assert opened.log.recovered.rooms == {"sales": 5}
    assert rows_of(address, "SELECT colour FROM rooms") == [(None,)]


def test_the_files_of_the_schema_are_numbered_without_a_hole() -> None:
    assert [step.version for step in all_steps()] == list(range(1, len(all_steps()) + 1))


def test_the_audit_can_only_be_appended_to(postgres: Postgres) -> None:
    address = new_address(postgres)
    with opened_log(address):
        pass
    run_in(address, "INSERT INTO chatd.audit (at_ms, outcome) VALUES (1, 'done')")
    with pytest.raises(psycopg.errors.RaiseException, match="only appended to"):
        run_in(address, "UPDATE chatd.audit SET outcome = 'failed'")
    run_in(address, "UPDATE chatd.audit SET statement = NULL, address = NULL")
