"""What clients are told of databases: which commands there are, and what each room can ask; pure.

All of it is known from the configuration, whether a db-mcp runs or not.
"""

from collections.abc import Sequence
from typing import assert_never

from chatd.answers.mcp.mapping import PeerMapping
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.commands import COMMANDS, Help, Misused, Question
from chatd.wire.events import CommandHelp, RoomDatabase
from chatd.wire.names import DatabaseKind


def command_help() -> Sequence[CommandHelp]:
    """All commands, as `/help` tells them."""
    return [
        CommandHelp(f"/{name}", command.argument, command.purpose)
        for name, command in COMMANDS.items()
    ]


def described(settings: DatabaseSettings) -> RoomDatabase:
    """The database of a room, by its configuration."""
    mapping = settings.peer
    return RoomDatabase(
        kind=_kind(settings),
        dialect=settings.dialect,
        read_only=settings.read_only,
        dry_run=mapping.explain is not None,
        commands=[
            f"/{name}"
            for name, command in COMMANDS.items()
            if _has_tool(mapping, command.question(""))
        ],
    )


def _kind(settings: DatabaseSettings) -> DatabaseKind:
    if settings.postgres:
        return DatabaseKind.POSTGRES
    return DatabaseKind.SQLITE if settings.is_bundled else DatabaseKind.MCP


def _has_tool(mapping: PeerMapping, asked: Question) -> bool:
    """Whether the mapping has a tool for a question; chatd itself answers questions that need
    none."""
    match asked:
        case ListTables():
            return mapping.list_tables is not None
        case ListColumns():
            return mapping.list_columns is not None
        case DescribeTable():
            return mapping.describe_table is not None
        case SampleTable():
            return mapping.sample_table is not None
        case RunStatement():
            return mapping.query is not None
        case ExplainStatement():
            return mapping.explain is not None
        case Help() | Misused():
            return True
        case _:
            assert_never(asked)
