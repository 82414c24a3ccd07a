"""A look at a database: what can be asked, and why it cannot; no secret is told."""

import sys
from pathlib import Path

from chatd.answers.mcp.inspection import WORDS_LINES, inspect, last_words, secrets_of
from chatd.answers.mcp.settings import DatabaseSettings
from tests.answers.mcp.pools import fake


async def test_the_bundled_db_mcp_is_fine(tmp_path: Path) -> None:
    from chatd.answers.sample import make_sample

    make_sample(tmp_path / "sample", 1_700_000_000_000)
    found = await inspect("demo", DatabaseSettings(sample=True), sample=tmp_path / "sample")
    assert found.is_usable
    assert found.line == "databases.demo: fine: 8 tables, opened to read only."


async def test_a_db_mcp_that_lacks_a_tool_cannot_be_asked() -> None:
    found = await inspect("demo", fake("toolless"))
    assert not found.is_usable
    assert "without the tools" in found.line


async def test_a_db_mcp_that_does_not_become_ready_cannot_be_asked() -> None:
    found = await inspect("demo", fake("silent", start_timeout_s=0.5))
    assert not found.is_usable
    assert "not ready in time" in found.line
    assert "silent from now on" in found.line


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
    assert found.line.endswith("no \\x1b[31m*** and ******.")
    assert "\n" not in found.line
    assert found.line.count("first") == WORDS_LINES - 1


async def test_a_program_that_is_not_there_is_told() -> None:
    configured = DatabaseSettings(
        command=("/nowhere/at/all",), dialect="mysql", mapping="dbhub", credentials="read-only"
    )
    found = await inspect("demo", configured)
    assert not found.is_usable
    assert "No such file or directory" in found.line


def test_the_longest_secret_is_masked_first() -> None:
    assert last_words(b"abc abcd", ["abc", "abcd"]) == "*** ***"


def test_passwords_are_found_in_addresses_only() -> None:
    found = secrets_of(["value", ""], ["--dsn", "mysql://a:b%3F@c/d", "http://[bad"])
    assert found == {"value", "b%3F", "b?"}
