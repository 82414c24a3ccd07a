"""`chatd config check --databases`: ask each database, and print what was found."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import trio

from chatd.answers.mcp.inspection import Inspected, inspect
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.sample import make_sample
from chatd.app.parts.answering import configured_databases
from chatd.cli.options import say
from chatd.config import Config
from chatd.observe.clock import Clock

AT_ONCE: Final = 4
"""Databases that are asked at the same time."""


def check_databases(config: Config) -> bool:
    """Print what was found about each database; returns whether all of them can be asked."""
    databases = configured_databases(config)
    with tempfile.TemporaryDirectory(prefix="chatd-") as directory:
        sample = Path(directory) / "sample.sqlite3"
        if any(database.sample for database in databases.values()):
            make_sample(sample, Clock().wall_ms())
        found = trio.run(partial(_inspect_all, databases, sample))
    for one in found:
        for line in one.lines:
            say(line)
    return all(one.is_usable for one in found)


async def _inspect_all(databases: Mapping[str, DatabaseSettings], sample: Path) -> list[Inspected]:
    """Inspect all databases; the results are in the order of the configuration."""
    found: dict[str, Inspected] = {}
    places = trio.CapacityLimiter(AT_ONCE)

    async def look_at(connection_id: str, database: DatabaseSettings) -> None:
        async with places:
            found[connection_id] = await inspect(connection_id, database, sample=sample)

    async with trio.open_nursery() as nursery:
        for connection_id, database in databases.items():
            nursery.start_soon(look_at, connection_id, database)
    return [found[connection_id] for connection_id in databases]
