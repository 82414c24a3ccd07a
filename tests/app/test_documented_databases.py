"""The databases that the documents show: they are valid, and the one for Postgres answers."""

import re
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from chatd.config import load
from tests.answers.mcp.test_others import ROOT, venv
from tests.app.daemon import House
from tests.postgres import Postgres

pytestmark = pytest.mark.answers

DOCUMENTS: Final = (ROOT / "README.md", *sorted((ROOT / "chatd" / "docs").glob("*.md")))
BLOCK: Final = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
SAMPLE: Final = ROOT / "chatd.toml"
UVX: Final = """\
#!{python}
# What uvx does, without the network: the tool with the packages that were asked for beside it.
import os, sys
words = sys.argv[1:]
asked = []
while words[0] == "--with":
    asked.append(words[1])
    del words[:2]
if "psycopg[binary]" not in asked:
    sys.exit("ModuleNotFoundError: No module named 'psycopg'")
open(os.path.join(os.environ["HOME"], "cache"), "w").close()
os.execv({program!r}, [words[0]])
"""


def documented() -> Iterator[tuple[str, str]]:
    """Each block of the documents with a database, and where it is."""
    for path in DOCUMENTS:
        for block in BLOCK.findall(path.read_text("utf-8")):
            if "[databases." in block:
                yield path.name, block


def sales() -> dict[str, Any]:
    """The database of Postgres as docs/answers has it."""
    for _, block in documented():
        database: dict[str, Any] = tomllib.loads(block)["databases"]["sales"]
        if "command" in database:
            return database
    raise AssertionError("no example with a command")


def written(database: dict[str, Any]) -> str:
    """A database of Postgres as a section of the configuration."""
    lines = ["[databases.sales]"]
    for key, value in database.items():
        if isinstance(value, dict):
            value = "{ " + ", ".join(f'{name} = "{one}"' for name, one in value.items()) + " }"
            lines.append(f"{key} = {value}")
        else:
            lines.append(f"{key} = {value!r}")
    return "\n".join(lines)


@pytest.fixture
def uvx(tmp_path: Path) -> Path:
    """A folder with a `uvx` that fetches nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "uvx"
    program.write_text(UVX.format(python=sys.executable, program=venv("mcp-alchemy")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def test_every_database_of_the_documents_is_valid(tmp_path: Path) -> None:
    blocks = list(documented())
    assert len(blocks) >= 2
    for name, block in blocks:
        text = block
        if "[databases.sales.mapping]" in block:  # a part of the section of another block
            known = {key: value for key, value in sales().items() if key != "mapping"}
            text = f"{written(known)}\n{block}"
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        assert load(path, {}, {}, tmp_path).config.databases, name


def test_the_sample_of_the_configuration_has_the_same_database() -> None:
    lines = [line.removeprefix("# ") for line in SAMPLE.read_text("utf-8").splitlines()]
    section = "\n".join(lines).partition("[databases.sales]\n")[2]
    assert tomllib.loads(section) == sales()


def test_the_sample_of_the_configuration_names_the_db_mcps_of_chatd_first() -> None:
    sample = SAMPLE.read_text("utf-8")
    ours = [sample.index(f"\n# {kind} = ") for kind in ("postgres", "sqlite")]
    assert max(ours) < sample.index("\n# command = ")


async def test_the_database_of_the_documents_answers(
    house: House, postgres: Postgres, uvx: Path
) -> None:
    example = sales()
    address = example["environment"]["DB_URL"]
    scheme = address.partition("://")[0]
    name = postgres.new_database()
    with postgres.connect(name) as connection:
        connection.execute("CREATE TABLE invoices (id int)")
    example["environment"]["DB_URL"] = postgres.url(name, "postgres", scheme)
    house.config(f"{written(example)}\nstart_timeout_s = 60.0\n")
    path = f"{uvx}:{house.environment['PATH']}"
    done = await house.run("config", "check", "--databases", env={"PATH": path})
    assert done.code == 0, done.out + done.err
    _, line, tables = done.out.splitlines()
    assert line.startswith("databases.sales: can be asked (1 table, read-only transactions, ")
    assert tables == "    invoices"


@pytest.mark.parametrize(
    ("scheme", "home", "words"),
    [
        ("postgresql", "", "No module named 'psycopg2'"),  # no driver for this address
        ("postgresql+psycopg", "/proc", "No such file or directory: '/proc/cache'"),
        ("nonsense", "", "Can't load plugin"),
    ],
)
async def test_what_keeps_a_database_from_starting_is_said(
    house: House, postgres: Postgres, uvx: Path, scheme: str, home: str, words: str
) -> None:
    example = sales()
    address = f"{scheme}://reader:a%40secret@localhost:1/sales"
    example["environment"] = {"DB_URL": address, **({"HOME": home} if home else {})}
    house.config(f"{written(example)}\nstart_timeout_s = 60.0\n")
    path = f"{uvx}:{house.environment['PATH']}"
    done = await house.run("config", "check", "--databases", env={"PATH": path})
    assert done.code == 78
    assert words in done.out
    assert "secret" not in done.out
