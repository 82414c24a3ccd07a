"""Exports from PostgreSQL: line by line what those from SQLite are."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from chatd.postgres_store.knowledge import export_room_from_postgres, export_user_from_postgres
from chatd.postgres_store.sessions import LogAddress
from chatd.store.errors import BackupFailed, NothingKnown, StoreUnavailable
from chatd.store.knowledge import export_room, export_user
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import open_store
from tests.chat.commands import message_id
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address
from tests.rows import rows
from tests.store.full_store import write_to
from tests.store.logs import ROOM, message, reacted, stored
from tests.store.test_log_copy import copied, filled, in_files, in_postgres

pytestmark = pytest.mark.timeout(120)

LATER = (
    stored(13, message_id=message_id(77), user_id="eve", mentions=("bob", "ada")),
    reacted(message(9, message_id=message_id(9)), 8, user_id="eve"),
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> tuple[Path, LogAddress]:
    directory = filled(tmp_path_factory.mktemp("full") / "state")
    store = open_store(directory, "write")
    write_to(store, [LATER[0]])
    store.close()
    with closing(sqlite3.connect(directory / LOG_NAME, isolation_level=None)) as connection:
        connection.execute("DELETE FROM members WHERE NOT is_member")  # nobody needs them there
    for path in directory.glob("snapshot*"):
        path.unlink()
    address = new_address(postgres)
    copied(in_files(directory), in_postgres(address))
    return directory, address


def lines_of(export: Callable[..., int], *arguments: Any, into: Path) -> list[dict[str, Any]]:
    count = export(*arguments, into)
    lines = [orjson.loads(line) for line in into.read_bytes().splitlines()]
    into.unlink()
    assert len(lines) == count
    assert lines[0].pop("position") > 0
    return lines


@rows("user", ["ada", "bob", "eve", "joe"])
def test_what_is_known_of_a_user_is_the_same_from_both(
    both: tuple[Path, LogAddress], tmp_path: Path, user: str
) -> None:
    directory, address = both
    target = tmp_path / user
    first = lines_of(export_user, directory, user, into=target)
    assert lines_of(export_user_from_postgres, address, directory, user, into=target) == first
    kinds = {line["kind"] for line in first}
    if user == "bob":
        assert kinds == {"user", "membership", "receipt", "mention", "react", "unreact"}
    if user == "ada":
        assert {"message", "question", "answer_message", "audit"} <= kinds


@rows("room", [ROOM, "other"])
def test_what_a_room_holds_is_the_same_from_both(
    both: tuple[Path, LogAddress], tmp_path: Path, room: str
) -> None:
    directory, address = both
    target = tmp_path / room
    first = lines_of(export_room, directory, room, into=target)
    assert lines_of(export_room_from_postgres, address, room, into=target) == first


def test_no_file_is_made_where_nothing_is_known(
    both: tuple[Path, LogAddress], tmp_path: Path
) -> None:
    directory, address = both
    target = tmp_path / "out"
    exports: tuple[Callable[[], int], ...] = (
        lambda: export_user(directory, "nobody", target),
        lambda: export_room(directory, "nowhere", target),
        lambda: export_user_from_postgres(address, directory, "nobody", target),
        lambda: export_room_from_postgres(address, "nowhere", target),
    )
    for export in exports:
        with pytest.raises(NothingKnown):
            export()
        assert not list(tmp_path.iterdir())


def test_an_export_replaces_nothing_and_leaves_nothing_where_it_fails(
    both: tuple[Path, LogAddress], tmp_path: Path, postgres: Postgres
) -> None:
    target = tmp_path / "taken"
    target.touch()
    with pytest.raises(BackupFailed, match="replaces nothing"):
        export_room_from_postgres(both[1], ROOM, target)
    with pytest.raises(StoreUnavailable, match="no log"):
        export_room_from_postgres(new_address(postgres), ROOM, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
