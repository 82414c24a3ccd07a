"""Pools of connections with a real server: bounded, replaced when they die, with a back-off."""

import datetime
from pathlib import Path

import psycopg
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.postgres_client import Pool, TrioConnection, Unreachable, pool
from chatd.postgres_client.pool import LONGEST_WAIT_S
from tests.peers.servers import free_port
from tests.postgres import Postgres, a_server

LIMIT_S = 60.0
PATIENT_S = 30.0


async def pid_of(connection: TrioConnection) -> int:
    await connection.execute(b"SELECT 1")
    return connection.pgconn.backend_pid


async def held(connection: TrioConnection) -> None:
    await connection.execute(b"SELECT pg_sleep(600)")


async def failing(connection: TrioConnection) -> int:
    await connection.execute(b"BEGIN")
    await connection.execute(b"SELECT 1/0")
    raise AssertionError


async def test_a_connection_is_used_again_also_after_an_error(postgres: Postgres) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 3)
    first = await one.run(pid_of, PATIENT_S)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await one.run(failing, PATIENT_S)
    assert await one.run(pid_of, PATIENT_S) == first
    one.close()


async def test_there_are_no_more_connections_than_may_be_and_others_wait_their_turn(
    postgres: Postgres,
) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 2)
    now, most, turns = 0, 0, []

    async def busy(connection: TrioConnection) -> int:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await connection.execute(b"SELECT pg_sleep(0.05)")
        now -= 1
        return connection.pgconn.backend_pid

    async def take(turn: int) -> None:
        pids.add(await one.run(busy, PATIENT_S))
        turns.append(turn)

    pids: set[int] = set()
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            for turn in range(8):
                nursery.start_soon(take, turn)
    assert (most, len(pids), sorted(turns)) == (2, 2, list(range(8)))
    one.close()


async def test_who_finds_all_connections_busy_is_told_so_in_time(postgres: Postgres) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 1)
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.run, held, PATIENT_S)
            await trio.sleep(0.1)
            with pytest.raises(Unreachable, match=r"^All connections .* \(1\) were busy for 0.2 s"):
                await one.run(pid_of, 0.2)
            nursery.cancel_scope.cancel()
        assert await one.run(pid_of, PATIENT_S)  # the place is free again
    one.close()


async def test_what_is_in_use_when_a_pool_is_closed_is_closed_once_it_is_given_back(
    postgres: Postgres,
) -> None:
    one, used = Pool(postgres.url("postgres", "postgres"), 2), []

    async def closing(connection: TrioConnection) -> None:
        used.append(connection)
        one.close()
        await connection.execute(b"SELECT 1")

    await one.run(closing, PATIENT_S)
    assert used[0].closed
    assert await one.run(pid_of, PATIENT_S) > 0  # asked later, it opens another
    one.close()


async def test_a_server_that_does_not_answer_is_given_up_in_time(postgres: Postgres) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 1)
    with trio.fail_after(LIMIT_S):
        with pytest.raises(Unreachable, match=r"no answer within 0.2 s"):
            await one.run(held, 0.2)
        assert await one.run(pid_of, PATIENT_S)
    one.close()


async def test_a_connection_that_the_server_ended_is_replaced_unseen(postgres: Postgres) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 2)
    first = await one.run(pid_of, PATIENT_S)
    with postgres.connect("postgres") as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [first])
    assert await one.run(pid_of, PATIENT_S) != first
    one.close()


async def test_a_connection_that_ends_in_the_middle_is_tried_again_once_it_is_new(
    postgres: Postgres,
) -> None:
    one, tries = Pool(postgres.url("postgres", "postgres"), 1), 0

    async def ended(connection: TrioConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(b"SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Unreachable):
        await one.run(ended, PATIENT_S)
    assert tries == 1
    await one.run(pid_of, PATIENT_S)
    with pytest.raises(Unreachable):
        await one.run(ended, PATIENT_S)
    assert tries == 3
    one.close()


async def test_a_connection_that_was_idle_for_long_is_not_trusted(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 1)
    first = await one.run(pid_of, PATIENT_S)
    monkeypatch.setattr(pool, "IDLE_S", 0.0)
    assert await one.run(pid_of, PATIENT_S) != first
    one.close()


async def test_a_server_that_crashes_and_comes_back_is_found_after_a_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0
    really_open = TrioConnection.open

    async def counted(address: str, threads: trio.CapacityLimiter) -> TrioConnection:
        nonlocal tries
        tries += 1
        return await really_open(address, threads)

    monkeypatch.setattr(TrioConnection, "open", counted)
    with a_server() as server, trio.fail_after(LIMIT_S):
        one = Pool(server.url("postgres", "postgres"), 2)
        await one.run(pid_of, PATIENT_S)
        server.crash()
        assert tries == 1
        for _ in range(50):
            with pytest.raises(Unreachable, match="cannot be reached"):
                await one.run(pid_of, PATIENT_S)
        assert tries < 10  # most failed at once, and tried nothing
        server.start()
        while True:
            try:
                await one.run(pid_of, PATIENT_S)
                break
            except Unreachable:
                await trio.sleep(0.1)
        one.close()


async def test_of_those_who_ask_a_database_that_was_away_one_tries_it_again(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def silent(_address: str, _threads: trio.CapacityLimiter) -> TrioConnection:
        nonlocal tries
        tries += 1
        await trio.sleep(4)
        raise psycopg.OperationalError("no answer")

    async def ask() -> None:
        with pytest.raises(Unreachable):
            await one.run(pid_of, PATIENT_S)
        ended_s.append(trio.current_time() - began_s)

    monkeypatch.setattr(TrioConnection, "open", silent)
    one = Pool("postgresql://nowhere/log", 5)
    for expected in ((5, [4.0] * 5), (1, [0.0] * 4 + [4.0])):
        tries, ended_s, began_s = 0, list[float](), trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            mock_clock.jump(4)
        assert (tries, ended_s) == expected
        mock_clock.jump(LONGEST_WAIT_S)


async def test_no_sentence_of_a_pool_repeats_a_password() -> None:
    for address in (
        "postgresql://ada:hunter2@127.0.0.1:1/sales",
        "postgresql://ada:hunter2@localhost:1/sales?sslmode=verify-full",
        "host=127.0.0.1 port=1 user=ada password=hunter2",
        "postgresql://ada:hunter@2@127.0.0.1:1/hunter2",
        "postgresql://ada:hunter2",
        "postgresql://ada:p/hunter2@127.0.0.1/sales",
    ):
        with pytest.raises(Unreachable) as caught:
            await Pool(address, 1).run(pid_of, PATIENT_S)
        assert "hunter2" not in f"{caught.value!r} {caught.value.__context__!r}"


async def test_a_server_that_freezes_holds_nobody_for_longer_than_they_wait() -> None:
    with a_server() as server, trio.fail_after(LIMIT_S):
        one = Pool(server.url("postgres", "postgres"), 2)
        await one.run(pid_of, PATIENT_S)
        server.freeze()
        try:
            for _ in range(2):  # on the connection that is kept, and on one that is to be opened
                with pytest.raises(Unreachable):
                    await one.run(pid_of, 0.3)
        finally:
            server.thaw()
        await one.run(pid_of, PATIENT_S)
        one.close()


async def test_tls_is_as_the_address_says(tmp_path: Path) -> None:
    port = free_port()
    own, other = certificate("localhost"), certificate("localhost")
    (tmp_path / "own.crt").write_bytes(own[0])
    (tmp_path / "other.crt").write_bytes(other[0])
    with (
        a_server(listen_addresses="127.0.0.1", port=str(port)) as server,
        trio.fail_after(LIMIT_S),
    ):
        server.put("server.crt", own[0])
        server.put("server.key", own[1])
        with server.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET ssl = on")
            connection.execute("SELECT pg_reload_conf()")
        base = f"postgresql://postgres@localhost:{port}/postgres?sslmode="
        verified = f"{base}verify-full&sslrootcert={tmp_path}/"
        await reloaded(Pool(base + "require", 1))
        for address, is_encrypted in (
            (base + "disable", b"f"),
            (base + "require", b"t"),
            (verified + "own.crt", b"t"),
        ):
            one = Pool(address, 1)
            assert await one.run(is_tls, PATIENT_S) == is_encrypted
            one.close()
        for name, why in (
            ("other.crt", "certificate verify failed"),
            ("no.crt", "does not exist"),
        ):
            with pytest.raises(Unreachable, match=why):
                await Pool(verified + name, 1).run(is_tls, PATIENT_S)


async def is_tls(connection: TrioConnection) -> bytes | None:
    cursor = await connection.execute(b"SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert cursor.pgresult is not None
    return cursor.pgresult.get_value(0, 0)


async def reloaded(encrypted: Pool) -> None:
    """Return once the server takes TLS."""
    while True:
        try:
            await encrypted.run(pid_of, PATIENT_S)
            break
        except Unreachable:
            await trio.sleep(0.1)
    encrypted.close()


def certificate(name: str) -> tuple[bytes, bytes]:
    """A certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM), secret


async def test_each_connection_has_the_settings_of_its_pool(postgres: Postgres) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 1, {"work_mem": "1MB", "jit": "off"})

    async def settings(connection: TrioConnection) -> tuple[object, ...] | None:
        cursor = await connection.execute(
            "SELECT current_setting('work_mem'), current_setting('jit')"
        )
        return await cursor.fetchone()

    assert await one.run(settings, PATIENT_S) == ("1MB", "off")
    one.close()
    assert await one.run(settings, PATIENT_S) == ("1MB", "off")
    one.close()


async def test_a_setting_that_the_server_refuses_is_told(postgres: Postgres) -> None:
    one = Pool(postgres.url("postgres", "postgres"), 1, {"work_mem": "plenty"})
    with pytest.raises(Unreachable, match="work_mem"):
        await one.run(pid_of, PATIENT_S)
    one.close()
