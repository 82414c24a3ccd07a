"""The directory in SQL, asked of a real PostgreSQL: what it gives, and how it fails."""

import re
from collections.abc import Mapping
from importlib import resources

import psycopg
import pytest
import trio

from chatd.auth import DirectoryFailed, Grant, Identity, TokenRefused, sql_directory
from chatd.auth.sql_directory import NOBODY, ROOMS_MAX, SqlDirectory, listed_of
from chatd.wire.names import Role
from tests.auth.directories_in_sql import (
    ADA,
    BOB,
    EVE,
    PATIENT_S,
    READER,
    ROWS,
    TABLES,
    Rooms,
    Told,
    rooms_in,
)
from tests.postgres import Postgres
from tests.rows import rows

HOSTILE = [
    "' OR 1=1 --",
    "$1",
    "%s",
    "\\",
    "{",
    "ada'; DROP TABLE public.connections; --",
    "x" * 255,
]


@pytest.fixture(scope="module")
def rooms(postgres: Postgres) -> Rooms:
    return rooms_in(postgres)


async def grants(directory: SqlDirectory, user_id: str) -> Mapping[str, Grant]:
    with trio.fail_after(2 * PATIENT_S):
        return await directory.grants(Identity(user_id, None, 0, {}))


async def why_failed(directory: SqlDirectory, user_id: str = ADA) -> DirectoryFailed:
    with pytest.raises(DirectoryFailed) as caught:
        await grants(directory, user_id)
    return caught.value


async def test_owners_and_members_have_their_rooms_with_titles_and_roles(rooms: Rooms) -> None:
    with rooms.directory() as directory:
        assert list((await grants(directory, ADA)).values()) == [
            Grant("sales", "Sales", Role.OWNER),
            Grant("crm", None, Role.MEMBER),
        ]
        assert dict(await grants(directory, EVE)) == {}


async def test_who_is_owner_and_viewer_of_a_room_is_its_owner(rooms: Rooms) -> None:
    with rooms.directory() as directory:
        found = await grants(directory, BOB)
    assert {room: grant.role for room, grant in found.items()} == {
        "hr": Role.OWNER,
        "crm": Role.OWNER,
        "sales": Role.VIEWER,
    }


async def test_the_default_query_takes_ids_that_are_uuids_and_roles_of_an_enumeration(
    postgres: Postgres,
) -> None:
    tables = "CREATE TYPE public.room_role AS ENUM ('owner', 'member', 'viewer');" + TABLES.replace(
        "id text", "id uuid"
    ).replace("role text", "role public.room_role").replace(
        " CHECK (role IN ('owner', 'member', 'viewer'))", ""
    ).replace("id text", "id uuid")
    tables = tables.replace("connection_id text", "connection_id uuid")
    one = rooms_in(postgres, tables, rows="")
    one.execute(f"INSERT INTO public.connections VALUES ('{EVE}', '{ADA}', 'Sales')")
    one.execute(f"INSERT INTO public.connection_members VALUES ('{EVE}', '{BOB}', 'viewer')")
    with one.directory() as directory:
        assert dict(await grants(directory, ADA)) == {EVE: Grant(EVE, "Sales", Role.OWNER)}
        assert dict(await grants(directory, BOB)) == {EVE: Grant(EVE, "Sales", Role.VIEWER)}


async def test_a_user_id_that_is_no_uuid_is_refused_in_a_sentence_and_is_no_outage(
    rooms: Rooms,
) -> None:
    told = Told()
    with rooms.directory(told=told) as directory:
        for user_id in ["ada", ADA[:-1], "1", *HOSTILE]:
            with pytest.raises(TokenRefused, match=r"user id \(sub\)") as caught:
                await grants(directory, user_id)
            assert caught.value.code == "token_invalid"
        assert directory.status.why_unavailable is None
        assert len(await grants(directory, ADA)) == 2
    assert told.changes == []


@pytest.mark.parametrize(
    ("column", "user_id"),
    [("bigint", "ada"), ("integer", "99999999999"), ("date", "ada"), ("date", "2026-13-45")],
)
async def test_so_is_one_that_is_no_value_of_another_type(
    postgres: Postgres, column: str, user_id: str
) -> None:
    one = rooms_in(postgres, f"CREATE TABLE t (id text, who {column})", rows="")
    for query in (
        "SELECT id AS connection_id FROM t WHERE who = $1",
        f"SELECT $1 AS connection_id WHERE $1::text::{column} IS NOT NULL",
    ):
        with (
            one.directory(query) as directory,
            pytest.raises(TokenRefused, match=r"user id \(sub\)"),
        ):
            await grants(directory, user_id)


async def test_any_user_id_is_a_text_and_nothing_of_it_is_sql(postgres: Postgres) -> None:
    one = rooms_in(postgres, TABLES.replace("uuid", "text"), rows="")
    with one.directory() as directory:
        for user_id in HOSTILE:
            assert dict(await grants(directory, user_id)) == {}
        one.execute("INSERT INTO public.connections VALUES ('a', '$1', 'A')")
        assert list(await grants(directory, "$1")) == ["a"]


async def test_a_query_of_ones_own_has_lines_comments_and_a_semicolon(rooms: Rooms) -> None:
    query = "-- rooms of $1\nSELECT 'a%b' AS connection_id, /* ; */ $1::text AS title;"
    with rooms.directory(query) as directory:
        assert dict(await grants(directory, ADA)) == {"a%b": Grant("a%b", ADA, Role.MEMBER)}


async def test_what_a_row_says_beside_its_room_is_passed_over(rooms: Rooms) -> None:
    told = Told()
    query = (
        "SELECT * FROM (VALUES ('a', 'owner', 1), ('b', 'admin', 2), (NULL, 'owner', 3), "
        "('ü', 'owner', 4), ('c', NULL, 5)) AS r(connection_id, role, more) WHERE $1 <> ''"
    )
    with rooms.directory(query, told=told) as directory:
        found = await grants(directory, ADA)
    assert dict(found) == {"a": Grant("a", None, Role.OWNER), "c": Grant("c", None, Role.MEMBER)}
    assert told.passed_over == ['connection_id "ü" names no room']


@rows(
    ("row", "why"),
    [
        (("b", None, "admin"), '"admin" is not a role'),
        (("b", None, "Owner"), '"Owner" is not a role'),
        (("b", None, ""), '"" is not a role'),
        ((None, None, None), "connection_id NULL names no room"),
        (("<b>", None, None), 'connection_id "<b>" names no room'),
        (("", None, None), 'connection_id "" names no room'),
        (("x" * 129, None, None), f'connection_id "{"x" * 40}" names no room'),
    ],
)
def test_a_row_that_gives_no_room_says_why(
    row: tuple[str | None, str | None, str | None], why: str
) -> None:
    listed = listed_of(["connection_id", "title", "role"], [row, ("a", " A\n", "viewer")])
    assert (listed.passed_over, listed.why) == (1, why)
    assert dict(listed.grants) == {"a": Grant("a", "A", Role.VIEWER)}


@pytest.mark.parametrize("order", [["viewer", "owner", "member"], ["owner", "member", "viewer"]])
def test_of_several_rows_for_a_room_the_greatest_role_counts(order: list[str]) -> None:
    listed = listed_of(["connection_id", "role"], [("a", role) for role in order])
    assert dict(listed.grants) == {"a": Grant("a", None, Role.OWNER)}


FAULTS = {
    "SELECT id FROM public.connections WHERE owner_id = $1": "no column connection_id",
    "SELECT x AS connection_id FROM public.connections WHERE owner_id = $1": "42703",
    "SELECT 1 FROM nowhere WHERE $1 = ''": "42P01",
    "SELECTED $1": "42601",
    "SELECT $1; SELECT $1": "42601",
    "DELETE FROM public.connections WHERE owner_id = $1 RETURNING id AS connection_id": "42601",
    "WITH d AS (DELETE FROM public.connections WHERE owner_id = $1 RETURNING id) "
    "SELECT id AS connection_id FROM d": "0A000",
    "SELECT set_config('x.y', $1, false) AS connection_id, nextval('s')": "25006",
    "SELECT $1 AS connection_id, $2": "08P01",
    "SELECT title::int::text AS connection_id FROM public.connections WHERE owner_id = $1": "22P02",
    "SELECT id AS connection_id FROM public.connections WHERE owner_id = $1 OR title = $1": "42883",
    "SELECT ('x' || $1)::text AS connection_id, 1 / 0": "22012",
}


@pytest.mark.parametrize("query", FAULTS)
async def test_a_query_that_fails_gives_nobody_a_room_and_tells_the_operator_why(
    rooms: Rooms, query: str
) -> None:
    rooms.execute("CREATE SEQUENCE IF NOT EXISTS public.s")
    told = Told()
    with rooms.directory(query, told=told) as directory:
        failed = await why_failed(directory)
        assert (
            str(failed) == "The directory of rooms has a fault; tell the operator of this server."
        )
        assert FAULTS[query] in failed.reason
        assert directory.status.why_unavailable == failed.reason
    assert told.changes == [failed.reason]
    with rooms.directory() as directory:  # and nothing was written
        assert len(await grants(directory, ADA)) == 2


async def test_a_query_cannot_write_by_a_function_either(rooms: Rooms) -> None:
    rooms.execute(
        "CREATE OR REPLACE FUNCTION public.steal(who text) RETURNS text LANGUAGE sql AS "
        "$$ UPDATE public.connections SET title = 'stolen' RETURNING id $$"
    )
    with rooms.directory("SELECT public.steal($1) AS connection_id") as directory:
        assert "25006" in (await why_failed(directory)).reason


async def test_a_user_with_too_many_rooms_gets_none_and_others_get_theirs(rooms: Rooms) -> None:
    told = Told()
    query = (
        f"SELECT generate_series(1, CASE WHEN $1 = '{ADA}' THEN 1000000000 ELSE {ROOMS_MAX} END)"
        "::text AS connection_id"
    )
    with rooms.directory(query, told=told) as directory:
        assert str(ROOMS_MAX) in (await why_failed(directory)).reason
        assert len(await grants(directory, BOB)) == ROOMS_MAX
    assert told.changes == []


@pytest.fixture
def early_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends a statement long before the client gives it up, however busy the machine."""
    monkeypatch.setattr(sql_directory, "STATEMENT_PART", 0.1)


async def test_a_slow_query_is_ended_by_the_server_in_time(
    rooms: Rooms, early_server: None
) -> None:
    query = "SELECT $1::text AS connection_id FROM pg_sleep(60)"
    with rooms.directory(query, timeout_s=20.0, connections=1) as directory:
        assert "statement timeout" in (await why_failed(directory)).reason
    await sleepers(rooms, 0)


async def test_a_lock_that_somebody_holds_is_not_waited_for_for_ever(
    rooms: Rooms, early_server: None
) -> None:
    with rooms.directory(timeout_s=20.0) as directory:
        await grants(directory, ADA)
        with rooms.connect() as other, other.transaction():
            other.execute("LOCK TABLE public.connections IN ACCESS EXCLUSIVE MODE")
            assert "timeout" in (await why_failed(directory)).reason
        assert len(await grants(directory, ADA)) == 2
        assert directory.status.why_unavailable is None


async def test_where_all_connections_are_busy_a_user_is_refused_in_time(
    rooms: Rooms, early_server: None
) -> None:
    query = f"SELECT 'a' AS connection_id FROM pg_sleep(CASE WHEN $1 = '{ADA}' THEN 60 ELSE 0 END)"
    with rooms.directory(query, timeout_s=20.0, connections=1) as directory:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(why_failed, directory, ADA)
            await sleepers(rooms, 1)
            assert list(await grants(directory, BOB)) == ["a"]  # in its turn
    with rooms.directory(query, timeout_s=0.5, connections=1) as directory:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(why_failed, directory, ADA)
    await sleepers(rooms, 0)


async def test_a_user_who_gives_up_leaves_the_directory_as_it_was(rooms: Rooms) -> None:
    query = f"SELECT 'a' AS connection_id FROM pg_sleep(CASE WHEN $1 = '{ADA}' THEN 60 ELSE 0 END)"
    told = Told()
    with rooms.directory(query, connections=1, told=told) as directory:
        with trio.move_on_after(0.2):
            await grants(directory, ADA)
        assert list(await grants(directory, BOB)) == ["a"]
    assert told.changes == []
    rooms.execute("SELECT pg_terminate_backend(pid) " + SLEEPERS)


async def test_a_database_that_is_away_is_told_once_and_that_it_is_back(postgres: Postgres) -> None:
    one = rooms_in(postgres)
    told = Told()
    with one.directory(told=told) as directory:
        await grants(directory, ADA)
        with postgres.connect("postgres") as other:
            other.execute(f'ALTER DATABASE "{one.name}" ALLOW_CONNECTIONS false')
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            other.execute(end, [one.name])
            for _ in range(3):
                failed = await why_failed(directory)
                assert str(failed) == "The directory of rooms does not answer; try again later."
            assert "not currently accepting connections" in failed.reason
            other.execute(f'ALTER DATABASE "{one.name}" ALLOW_CONNECTIONS true')
        with trio.fail_after(PATIENT_S):
            while directory.status.why_unavailable is not None:
                await trio.sleep(0.1)
                try:
                    await grants(directory, ADA)
                except DirectoryFailed:
                    continue
    assert told.changes == [failed.reason, None]


async def test_nobody_is_told_the_password(rooms: Rooms) -> None:
    told = Told()
    with rooms.directory(url="postgresql://ada:hunter2@127.0.0.1:1/x", told=told) as directory:
        failed = await why_failed(directory)
        assert "hunter2" not in f"{failed!r}{failed.reason}{directory!r}{directory.status!r}"
    assert "hunter2" not in f"{told!r}"


async def test_a_reader_without_rights_or_without_a_policy_gives_nobody_a_room(
    postgres: Postgres,
) -> None:
    one = rooms_in(postgres)
    one.execute(f"CREATE ROLE {READER} LOGIN")
    url = postgres.url(one.name, READER)
    try:
        with one.directory(url=url) as directory:
            assert "42501" in (await why_failed(directory)).reason
            one.execute(
                f"GRANT SELECT ON public.connections, public.connection_members TO {READER}"
            )
            assert len(await grants(directory, ADA)) == 2
            for table in ("connections", "connection_members"):
                one.execute(f"ALTER TABLE public.{table} ENABLE ROW LEVEL SECURITY")
            assert dict(await grants(directory, ADA)) == {}
            for table in ("connections", "connection_members"):
                one.execute(
                    f"CREATE POLICY p ON public.{table} FOR SELECT TO {READER} USING (true)"
                )
            assert len(await grants(directory, ADA)) == 2
    finally:
        one.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}")


async def test_the_documented_sql_is_all_that_a_database_needs(postgres: Postgres) -> None:
    operations = resources.files("chatd").joinpath("docs/operations.md").read_text("utf-8")
    found = re.search(r"## Rooms in SQL\n.*?```sql\n(.*?)```", operations, re.DOTALL)
    assert found is not None
    one = rooms_in(
        postgres, "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY)", ""
    )
    one.execute(found[1])
    try:
        one.execute(f"INSERT INTO auth.users VALUES ('{ADA}'), ('{BOB}')")
        one.execute(ROWS)
        with one.directory(url=postgres.url(one.name, READER)) as directory:
            assert [grant.role for grant in (await grants(directory, ADA)).values()] == [
                Role.OWNER,
                Role.MEMBER,
            ]
        with postgres.connect(one.name, READER) as reader:
            for forbidden in ("SELECT * FROM auth.users", "DELETE FROM public.connections"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    reader.execute(forbidden)
    finally:
        one.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}")


async def test_it_is_checked_by_asking_for_nobody(rooms: Rooms, postgres: Postgres) -> None:
    with rooms.directory() as directory:
        assert dict((await directory.check()).grants) == {}
    one = rooms_in(postgres, "CREATE TABLE t (id text, who bigint)", rows="")
    with one.directory("SELECT id AS connection_id FROM t WHERE who = $1") as directory:
        assert dict((await directory.check()).grants) == {}
    with one.directory() as directory, pytest.raises(DirectoryFailed):
        await directory.check()
    assert len(NOBODY) == 36


SLEEPERS = """
    FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'
"""


async def sleepers(rooms: Rooms, wanted: int) -> None:
    """Return when so many queries sleep."""

    def count() -> int:
        with rooms.connect() as connection:
            [(found,)] = connection.execute("SELECT count(*)" + SLEEPERS).fetchall()
        return int(found)

    with trio.fail_after(PATIENT_S):
        while count() != wanted:  # noqa: ASYNC110  # the server sets no event
            await trio.sleep(0.02)
