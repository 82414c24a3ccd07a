"""Pools of connections with a real server: bounded, replaced when they die, with a back-off."""

import psycopg
import pytest
import trio

from chatd.postgres_client import Pool, TrioConnection, Unreachable, pool
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
