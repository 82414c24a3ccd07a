"""Databases with tables of rooms, as chatd's default query and Supabase's examples have them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import psycopg

from chatd.auth.sql_directory import SqlDirectory
from chatd.postgres_client import Pool
from tests.postgres import Postgres

ADA: Final = "11111111-1111-4111-8111-111111111111"
BOB: Final = "22222222-2222-4222-8222-222222222222"
EVE: Final = "33333333-3333-4333-8333-333333333333"
PATIENT_S: Final = 20.0
READER: Final = "chatd_directory"

TABLES: Final = """
    CREATE TABLE public.connections (
      id text PRIMARY KEY,
      owner_id uuid NOT NULL,
      title text
    );
    CREATE TABLE public.connection_members (
      connection_id text NOT NULL REFERENCES public.connections ON DELETE CASCADE,
      user_id uuid NOT NULL,
      role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'member', 'viewer')),
      PRIMARY KEY (connection_id, user_id)
    );
"""
ROWS: Final = f"""
    INSERT INTO public.connections VALUES
      ('sales', '{ADA}', 'Sales'), ('crm', '{BOB}', NULL), ('hr', '{BOB}', 'People');
    INSERT INTO public.connection_members VALUES
      ('sales', '{BOB}', 'viewer'), ('crm', '{ADA}', 'member'), ('hr', '{BOB}', 'viewer');
"""


@attrs.frozen
class Told:
    """What a directory has told the operator."""

    changes: list[str | None] = attrs.field(factory=list)
    passed_over: list[str] = attrs.field(factory=list)


@attrs.frozen
class Rooms:
    """A database of rooms, and how to reach it."""

    postgres: Postgres
    name: str

    @property
    def url(self) -> str:
        return self.postgres.url(self.name, "postgres")

    def execute(self, sql: str) -> None:
        with self.postgres.connect(self.name) as connection:
            connection.execute(sql.encode())

    def connect(self) -> "psycopg.Connection[Any]":
        return self.postgres.connect(self.name)

    @contextmanager
    def directory(
        self,
        query: str = "",
        *,
        url: str | None = None,
        connections: int = 2,
        timeout_s: float = PATIENT_S,
        told: Told | None = None,
    ) -> Iterator[SqlDirectory]:
        told = told or Told()
        directory = SqlDirectory(
            Pool(url or self.url, connections),
            query,
            timeout_s=timeout_s,
            on_change=told.changes.append,
            on_passed_over=told.passed_over.append,
        )
        try:
            yield directory
        finally:
            directory.close()


def rooms_in(postgres: Postgres, tables: str = TABLES, rows: str = ROWS) -> Rooms:
    """A database of its own with these tables."""
    rooms = Rooms(postgres, postgres.new_database())
    rooms.execute(tables)
    if rows:
        rooms.execute(rows)
    return rooms
