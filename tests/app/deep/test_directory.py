"""What is found of the directory of rooms."""

from pathlib import Path

from chatd.app.deep.check import Found, Verdict
from chatd.app.deep.directory import look_at_directory
from chatd.config import DirectoryConfig
from tests.app.deep.surroundings import here
from tests.auth.directories_in_sql import rooms_in
from tests.postgres import Postgres

PASSWORD = "hunter2-of-the-directory"


async def look(tmp_path: Path, url: str) -> Found:
    directory = DirectoryConfig(source="sql", url=url)
    found = await look_at_directory(here(tmp_path, directory=directory))
    assert found is not None
    return found


async def test_one_that_always_answers_is_not_asked(tmp_path: Path) -> None:
    assert await look_at_directory(here(tmp_path)) is None


async def test_a_database_is_asked_with_the_query(tmp_path: Path, postgres: Postgres) -> None:
    rooms = rooms_in(postgres, rows="")
    assert (await look(tmp_path, rooms.url)).verdict is Verdict.FINE
    rooms.execute("DROP TABLE connection_members")
    found = await look(tmp_path, rooms.url)
    assert (found.verdict, found.exit_code) == (Verdict.WRONG, 1)
    assert "connection_members" in found.sentence


async def test_one_that_cannot_be_reached_is_wrong_and_one_that_cannot_be_read_is_a_mistake(
    tmp_path: Path,
) -> None:
    found = await look(tmp_path, f"postgresql://ada:{PASSWORD}@127.0.0.1:1/none")
    assert (found.verdict, found.exit_code) == (Verdict.WRONG, 1)
    unread = await look(tmp_path, f"postgresql://ada:{PASSWORD}@[::1/none")
    assert (unread.verdict, unread.exit_code) == (Verdict.WRONG, 78)
    assert PASSWORD not in found.sentence + unread.sentence
