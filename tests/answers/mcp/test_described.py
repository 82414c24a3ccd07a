"""What clients are told of databases, by their configuration alone."""

import pytest

from chatd.answers.mcp.described import command_help, described
from chatd.answers.mcp.mapping import READY, Call, PeerMapping
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.sql.commands import COMMANDS, help_text
from chatd.wire.names import DatabaseKind

ALL = ["/tables", "/describe", "/sample", "/sql", "/explain", "/help"]


@pytest.mark.parametrize(
    ("settings", "kind", "dialect"),
    [
        (DatabaseSettings(sample=True), DatabaseKind.SQLITE, "sqlite"),
        (DatabaseSettings(sqlite="shop.db"), DatabaseKind.SQLITE, "sqlite"),
        (
            DatabaseSettings(postgres="postgres://db", dialect="postgres"),
            DatabaseKind.POSTGRES,
            "postgres",
        ),
        (
            DatabaseSettings(command=("x",), dialect="mysql", mapping="mcp-alchemy"),
            DatabaseKind.MCP,
            "mysql",
        ),
    ],
    ids=["sample", "sqlite", "postgres", "other"],
)
def test_which_db_mcp_answers_and_in_which_sql(
    settings: DatabaseSettings, kind: DatabaseKind, dialect: str
) -> None:
    told = described(settings)
    assert (told.kind, told.dialect, told.read_only, told.dry_run) == (kind, dialect, True, True)
    assert told.commands == ALL


def test_a_room_that_may_be_written_says_so() -> None:
    assert not described(DatabaseSettings(sqlite="shop.db", read_only=False)).read_only


def test_only_what_the_mapping_has_a_tool_for_can_be_asked() -> None:
    few = described(DatabaseSettings(url="https://db", mapping="mcp-server-sqlite"))
    assert few.commands == ["/tables", "/describe", "/sample", "/sql", "/help"]
    assert not few.dry_run
    one = described(DatabaseSettings(url="https://db", mapping=PeerMapping(query=Call("q", "sql"))))
    assert one.commands == ["/sql", "/help"]


@pytest.mark.parametrize("mapping", READY)
def test_help_is_always_there_and_nothing_that_is_no_command(mapping: str) -> None:
    commands = described(DatabaseSettings(url="https://db", mapping=mapping)).commands
    assert commands[-1] == "/help"
    assert set(commands) <= {f"/{name}" for name in COMMANDS}


def test_the_commands_are_those_of_the_help() -> None:
    lines = [line for line in help_text("sqlite").splitlines() if line.startswith("- `/")]
    assert lines == [
        f"- `{' '.join(filter(None, (one.name, one.argument)))}` {one.purpose}"
        for one in command_help()
    ]
