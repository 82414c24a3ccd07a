"""The directory that a configuration names, made and asked once."""

import sys
from typing import Any

import pytest

from chatd.app.directory import check_directory, rooms_once, why_directory_fails
from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.auth import Grant, Identity
from chatd.config import Config
from chatd.config.sections import DirectoryConfig
from chatd.wire.names import Role
from tests.auth.directories_in_sql import ADA, rooms_in
from tests.postgres import Postgres

NOWHERE = "postgresql://ada:hunter2@127.0.0.1:1/sales"


def config(source: str = "sql", **keys: Any) -> Config:
    return Config(directory=directory(source, **keys))


def directory(source: str = "sql", **keys: Any) -> DirectoryConfig:
    return DirectoryConfig(source=source, **keys)


def who(user_id: str, **claims: object) -> Identity:
    return Identity(user_id, None, 0, claims)


async def test_a_directory_that_answers_is_asked_without_a_complaint(postgres: Postgres) -> None:
    rooms = rooms_in(postgres)
    assert await why_directory_fails(directory(url=rooms.url)) is None


async def test_one_that_does_not_says_why_and_keeps_the_password(postgres: Postgres) -> None:
    said = await why_directory_fails(directory(url=NOWHERE))
    assert said is not None
    assert "cannot be reached" in said
    assert "hunter2" not in said
    empty = postgres.url(postgres.new_database(), "postgres")
    assert "42P01" in (await why_directory_fails(directory(url=empty)) or "")


async def test_the_rooms_of_a_user_are_asked_of_whichever_directory(postgres: Postgres) -> None:
    rooms = rooms_in(postgres)
    asked = await rooms_once(config(url=rooms.url), who(ADA))
    assert asked["sales"] == Grant("sales", "Sales", Role.OWNER)
    listed = {"connections": [{"id": "sales", "role": "viewer"}]}
    assert (await rooms_once(config("claim"), who(ADA, **listed)))["sales"].role is Role.VIEWER
    named = config("file", connections={"hr": {"users": [ADA]}})
    assert list(await rooms_once(named, who(ADA))) == ["hr"]


def test_without_psycopg_the_daemon_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("chatd.postgres_client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StartFailedError, match=r'pip install "\.\[postgres\]"') as caught:
        check_directory(config(url=NOWHERE))
    assert caught.value.exit_code == EXIT_CONFIG
    check_directory(config("claim"))
