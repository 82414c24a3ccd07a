"""A look at a database: what can be asked, and why it cannot; no secret is told."""

import sys
from pathlib import Path

from chatd.answers.mcp.inspection import TABLES_SHOWN, Inspected, inspect, names_listed
from chatd.answers.mcp.last_words import WORDS_BYTES
from chatd.answers.mcp.settings import DatabaseSettings
from tests.answers.mcp.pools import fake
from tests.rows import rows


async def test_the_bundled_db_mcp_is_fine(tmp_path: Path) -> None:
    from chatd.answers.sample import make_sample

    make_sample(tmp_path / "sample", 1_700_000_000_000)
    found = await inspect("demo", DatabaseSettings(sample=True), sample=tmp_path / "sample")
    assert found.is_usable
    assert found.line == "databases.demo: fine: 8 tables, opened to read only."
    assert "orders" in found.lines[1].split(", ")


async def test_a_db_mcp_that_lacks_a_tool_cannot_be_asked() -> None:
    found = await inspect("demo", fake("toolless"))
    assert not found.is_usable
    assert "without the tools" in found.line


async def test_a_db_mcp_that_does_not_become_ready_cannot_be_asked() -> None:
    found = await inspect("demo", fake("silent", start_timeout_s=0.5))
    assert not found.is_usable
    assert "not ready in time" in found.line
    assert found.words == ("silent from now on",)


async def test_a_db_mcp_that_does_not_start_is_told_with_its_last_words() -> None:
    script = (
        "import os, sys; sys.stderr.write('first\\n' * 2000 + 'no \\x1b[31m' + os.environ['URL'] "
        "+ ' and ' + 'p@ss' + os.environ['OTHER'] + '\\n')"
    )
    configured = DatabaseSettings(
        command=(sys.executable, "-c", script),
        environment={"URL": "postgresql://reader:p%40ss@db/sales"},
        pass_environment=("OTHER",),
        dialect="postgres",
        mapping="mcp-alchemy",
        credentials="read-only",
    )
    found = await inspect("demo", configured, own_environment={"OTHER": "hidden", "PATH": ""})
    assert not found.is_usable
    assert found.lines[0] == (
        "databases.demo: The server of this database cannot be asked: the process ended."
    )
    assert found.lines[-1].strip() == "no \\x1b[31m*** and ***"  # both stand side by side
    assert not any("\n" in line for line in found.lines)
    assert {line.strip() for line in found.lines[3:-2]} == {"first"}
    assert sum(len(line) for line in found.words) < WORDS_BYTES


async def test_a_program_that_is_not_there_is_told() -> None:
    configured = DatabaseSettings(
        command=("/nowhere/at/all",), dialect="mysql", mapping="dbhub", credentials="read-only"
    )
    found = await inspect("demo", configured)
    assert not found.is_usable
    assert "No such file or directory" in found.line


def test_the_names_of_many_tables_are_cut_and_counted() -> None:
    tables = tuple(f"t{number}" for number in range(TABLES_SHOWN + 5))
    _, listed = Inspected("demo", True, tables=tables).lines
    assert listed.startswith("    t0, t1, t2, ")
    assert listed.endswith(f"t{TABLES_SHOWN - 1} and 5 more")


@rows(
    ("names", "row", "name"),
    [
        (["name"], ["orders"], "orders"),
        (["schema", "name"], ["public", "orders"], "orders"),
        (["TABLE_NAME", "TABLE_SCHEMA"], ["orders", "archive"], "archive.orders"),
        (["Tables_in_sales"], ["orders"], "orders"),
        (["a", "b"], ["orders", 1], "orders"),
    ],
)
def test_a_table_is_listed_as_it_is_asked_for(
    names: list[str], row: list[str | int], name: str
) -> None:
    assert names_listed(names, [row]) == (name,)
