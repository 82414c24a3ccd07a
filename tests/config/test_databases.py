"""`[databases.<connectionId>]`: what is accepted, what is refused, and what is shown."""

import re
from pathlib import Path

import pytest

from chatd.answers.mcp.mapping import READY, Binary, Call, Form, PeerMapping
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config import ConfigError, Loaded, explain, load, sample
from chatd.config.databases import FROM_FILE_OF_DATA
from tests.rows import rows

FOREIGN = "command = ['x']\ndialect = 'sqlite'\nmapping = 'dbhub'\n"
VOUCHED = f"{FOREIGN}credentials = 'read-only'\n"


def from_text(tmp_path: Path, text: str) -> Loaded:
    (tmp_path / "chatd.toml").write_text(text)
    return load(None, {}, {}, tmp_path, places=[Path("chatd.toml")])


def database(tmp_path: Path, text: str) -> DatabaseSettings:
    return from_text(tmp_path, f"[databases.a]\n{text}").config.databases["a"]


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        from_text(tmp_path, f"[databases.a]\n{text}")
    place = re.compile(rf"^{tmp_path}/chatd\.toml, line \d+: ", re.MULTILINE)
    return place.sub("", str(caught.value))


def test_a_database_that_is_written_takes_the_place_of_the_sample(tmp_path: Path) -> None:
    databases = from_text(tmp_path, "[databases.'my db']\nsqlite = '/a.db'\n").config.databases
    assert databases == {"my db": DatabaseSettings(sqlite="/a.db")}
    assert databases["my db"].peer is READY["chatd"]


def test_a_file_that_may_be_written_has_its_bounds(tmp_path: Path) -> None:
    text = "sqlite = '/a.db'\nread_only = false\nmax_rows_written = 5\nmax_growth_bytes = 4096\n"
    found = database(tmp_path, text)
    assert (found.max_rows_written, found.max_growth_bytes) == (5, 4096)
    assert refusal(tmp_path, f"{FOREIGN}read_only = false\nmax_rows_written = 5\n") == (
        "databases.a.max_rows_written is used with sqlite and postgres only; leave it out."
    )


def test_a_command_has_its_environment_and_bounds(tmp_path: Path) -> None:
    found = database(
        tmp_path,
        "command = ['uvx', 'mcp-alchemy']\ndialect = 'postgres'\nmapping = 'mcp-alchemy'\n"
        "credentials = 'read-only'\nenvironment = { DB_URL = 'postgresql://a:b@c/d' }\n"
        "pass_environment = ['PGSSLROOTCERT']\nconnections = 3\nstart_timeout_s = 9\n"
        "call_timeout_s = 7\nmax_message_bytes = 2048\n",
    )
    assert found == DatabaseSettings(
        command=("uvx", "mcp-alchemy"),
        dialect="postgres",
        mapping="mcp-alchemy",
        credentials="read-only",
        environment={"DB_URL": "postgresql://a:b@c/d"},
        pass_environment=("PGSSLROOTCERT",),
        connections=3,
        start_timeout_s=9.0,
        call_timeout_s=7.0,
        max_message_bytes=2048,
    )


def test_a_url_has_headers(tmp_path: Path) -> None:
    found = database(
        tmp_path,
        "url = 'https://mcp.example.com/mcp'\ndialect = 'mysql'\nmapping = 'dbhub'\n"
        "read_only = false\nheaders = { Authorization = 'Bearer x' }\n",
    )
    assert found.url == "https://mcp.example.com/mcp"
    assert found.headers == {"Authorization": "Bearer x"}
    assert not found.read_only


def test_a_postgres_address_needs_no_mapping_and_is_a_secret(tmp_path: Path) -> None:
    text = (
        "postgres = 'host=db user=reader password=hush'\nmax_rows_written = 5\nread_only = false\n"
        "environment = { PGSSLMODE = 'verify-full' }\npass_environment = ['PGPASSWORD']\n"
    )
    found = database(tmp_path, text)
    assert (found.dialect, found.peer) == ("postgres", READY["chatd"])
    variables = found.variables({"PATH": "/bin", "PGPASSWORD": "x", "OTHER": "y"}, ("PGPASSWORD",))
    assert variables == {
        "DATABASE_URL": "host=db user=reader password=hush",
        "PATH": "/bin",
        "PGPASSWORD": "x",
        "PGSSLMODE": "verify-full",
    }
    shown = explain(from_text(tmp_path, f"[databases.a]\n{text}"))
    assert 'postgres = "(set, 33 characters)"\n' in shown
    assert "hush" not in shown
    assert "hush" not in repr(found)


ONE_OF = "one of command, url, sqlite, postgres, sample"
MAPPING = """\
[databases.a.mapping]
terms = { max_rows = "limit" }
error_prefixes = ["ERR"]
binary = "buffer"
streams = true
[databases.a.mapping.query]
tool = "run"
argument = "sql"
form = "markdown"
fixed = { mode = "ro" }
[databases.a.mapping.list_tables]
tool = "tables"
rows = "data.rows"
"""


def test_a_mapping_can_be_written_out(tmp_path: Path) -> None:
    text = "url = 'http://h/'\ndialect = 'mysql'\nread_only = false\n" + MAPPING
    assert database(tmp_path, text).peer == PeerMapping(
        query=Call("run", "sql", Form.MARKDOWN, fixed={"mode": "ro"}),
        list_tables=Call("tables", rows="data.rows"),
        terms={"max_rows": "limit"},
        error_prefixes=("ERR",),
        binary=Binary.BUFFER,
        streams=True,
    )


@rows(
    ("text", "sentence"),
    [
        (
            "",
            f"databases.a must have {ONE_OF}; it has none.",
        ),
        (
            "sample = true\nsqlite = 'a'",
            f"databases.a must have {ONE_OF}; it has sqlite and sample.",
        ),
        (
            "postgres = 'x'\nmapping = 'dbhub'",
            "databases.a.mapping is not used with postgres; leave it out.",
        ),
        (
            "postgres = 'x'\ndialect = 'mysql'",
            'databases.a.dialect must be "postgres" with postgres.',
        ),
        (
            "postgres = 'x'\nread_only = false\nmax_growth_bytes = 5",
            "databases.a.max_growth_bytes is used with sqlite only; leave it out.",
        ),
        (
            "sqllite = 'a'",
            "databases.a.sqllite is not a key; did you mean sqlite?",
        ),
        (
            "csv = 'shop.csv'",
            f"databases.a.csv is not a key; {FROM_FILE_OF_DATA}",
        ),
        (
            "command = 'x'",
            "databases.a.command must be a list of a program and its arguments, not that text.",
        ),
        (
            "command = ['x', 1]",
            "databases.a.command[1] must be a list of a program and its arguments, not a number.",
        ),
        (
            "command = ['x']\nmapping = 'dbhub'",
            "databases.a.dialect is missing; write one of sqlite, postgres, mysql.",
        ),
        (
            "command = ['x']\ndialect = 'sqlite'",
            (
                "databases.a.mapping is missing; write one of chatd, mcp-alchemy, "
                "mcp-server-sqlite, mcp-server-sqlite-npx, dbhub, a table of your own."
            ),
        ),
        (
            "command = ['x']\ndialect = 'sqlite'\nmapping = 'dbhubb'",
            "databases.a.mapping must be a ready mapping; did you mean dbhub?",
        ),
        (
            FOREIGN,
            (
                'databases.a.credentials must be "read-only" before this db-mcp is asked: give it '
                "credentials that can only read and say so here, or allow writing by "
                "read_only = false."
            ),
        ),
        (
            f"{VOUCHED}headers = {{ a = 'b' }}",
            "databases.a.headers is not used with command; leave it out.",
        ),
        (
            f"{VOUCHED}environment = {{ CHATD_AUTH__JWT_SECRET = 'b' }}",
            (
                "databases.a.environment must be a table of variables whose names do not begin "
                "with CHATD_; CHATD_AUTH__JWT_SECRET is no such name."
            ),
        ),
        (
            f"{VOUCHED}environment = {{ A = 1 }}",
            "databases.a.environment.A must be a text without control characters.",
        ),
        (
            f"{VOUCHED}pass_environment = ['CHATD_AUTH__JWT_SECRET']",
            (
                "databases.a.pass_environment[0] must be a list of names of variables that do not "
                'begin with CHATD_, not the text "CHATD_AUTH__JWT_SECRET".'
            ),
        ),
        (
            f"{VOUCHED}connections = 0",
            "databases.a.connections must be a whole number from 1 to 64, not 0.",
        ),
        (
            "url = 'https://user:hush@h/'",
            (
                'databases.a.url must be an address such as "https://mcp.example.com/mcp", without '
                "user and password."
            ),
        ),
        (
            "url = 'ftp://h/'",
            (
                'databases.a.url must be an address such as "https://mcp.example.com/mcp", without '
                "user and password."
            ),
        ),
        (
            "url = 'http://h/'\ndialect = 'mysql'\nmapping = 'dbhub'\nenvironment = {}",
            "databases.a.environment is not used with url; leave it out.",
        ),
        (
            "sample = true\nread_only = false",
            "databases.a.read_only must be true with sample; use sqlite and a file to write.",
        ),
        (
            "sqlite = 'a'\nmapping = 'chatd'",
            "databases.a.mapping is not used with sqlite; leave it out.",
        ),
        (
            "sqlite = 'a'\ndialect = 'mysql'",
            'databases.a.dialect must be "sqlite" with sqlite.',
        ),
        (
            "mapping = { list_tables = { tool = 'x' } }",
            "databases.a.mapping.query is missing; write which tool takes a statement.",
        ),
        (
            "mapping = { query = { argument = 'x' } }",
            "databases.a.mapping.query.tool is missing; write the name of the tool.",
        ),
        (
            "mapping = { query = { tool = 'x', from = 'tabs' } }",
            "databases.a.mapping.query.from is not a key; did you mean form?",
        ),
        (
            "mapping = { query = { tool = 'x', form = 'csv' } }",
            (
                'databases.a.mapping.query.form must be one of "structured", "json", "markdown", '
                '"tabs", "python", "records", "names", "text", not the text "csv".'
            ),
        ),
        (
            "mapping = { terms = { max_row = 'x' } }",
            "databases.a.mapping.terms.max_row is not a key; did you mean max_rows?",
        ),
        (
            "mapping = { querry = { tool = 'x' } }",
            "databases.a.mapping.querry is not a key; did you mean query?",
        ),
    ],
)
def test_a_fault_is_told_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Beside others, where something else is wrong as well."""
    assert sentence in refusal(tmp_path, text).split("\n")


def test_databases_are_a_table_of_tables_with_names_of_rooms(tmp_path: Path) -> None:
    for text, sentence in [
        ("databases = 1", "databases must be tables [databases.<connectionId>], not a number."),
        ("[databases]\na = 1", "databases.a must be a table with one of command, url, sqlite, "),
        (
            "[databases.'é']",
            'line 1: databases."\\u00e9" must have a name of 1 to 128 printable ASCII characters',
        ),
        ("[databases.'é']", 'line 1: databases."\\u00e9" must have one of command, url, sqlite'),
    ]:
        with pytest.raises(ConfigError) as caught:
            from_text(tmp_path, text)
        assert sentence in str(caught.value)


def test_the_environment_cannot_set_a_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"CHATD_DATABASES__A__SQLITE": "x"}, {}, tmp_path, places=())
    assert str(caught.value) == (
        "environment variable CHATD_DATABASES__A__SQLITE: databases cannot be set in the "
        "environment, write it in chatd.toml, where postgres_file and environment_file and "
        "headers_file name files with secrets."
    )


def test_what_is_shown_holds_no_secret(tmp_path: Path) -> None:
    loaded = from_text(
        tmp_path,
        "[databases.a]\ncommand = ['x', '--dsn', 'postgres://me:hush@h/d']\ndialect = 'postgres'\n"
        "mapping = 'dbhub'\ncredentials = 'read-only'\nenvironment = { KEY = 'hush' }\n"
        "[databases.b]\nurl = 'http://h/'\ndialect = 'mysql'\nread_only = false\n"
        "mapping = 'dbhub'\nheaders = { Authorization = 'hush' }\n",
    )
    text = explain(loaded)
    assert "hush" not in text
    assert "hush" not in repr(loaded.config.databases["b"])
    assert 'command = ["x", "--dsn", "postgres://me:***@h/d"]\n' in text
    assert 'environment = { "KEY" = "(set, 4 characters)" }\n' in text


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    text = "[databases.a]\nurl = 'http://h/'\ndialect = 'mysql'\nread_only = false\n" + MAPPING
    loaded = from_text(tmp_path, f"{text}[databases.'b c']\nsqlite = '/x'\nconnections = 4\n")
    (tmp_path / "again.toml").write_text(explain(loaded))
    assert load(Path("again.toml"), {}, {}, tmp_path).config == loaded.config


def test_the_databases_of_the_sample_are_valid_once_they_are_uncommented(tmp_path: Path) -> None:
    lines = sample().split("[databases.demo]\n")[1].splitlines()
    written = [line.removeprefix("# ") for line in lines if " = " in line or "[databases." in line]
    databases = from_text(tmp_path, "\n".join(["[databases.demo]", *written])).config.databases
    assert databases == {
        "demo": DatabaseSettings(sample=True),
        "sales": DatabaseSettings(
            command=("uvx", "--with", "psycopg[binary]", "mcp-alchemy"),
            environment={"DB_URL": "postgresql+psycopg://reader:password@localhost/sales"},
            dialect="postgres",
            mapping="mcp-alchemy",
            credentials="read-only",
        ),
        "shop": DatabaseSettings(
            postgres="postgresql://reader:password@localhost/shop", dialect="postgres"
        ),
        "stock": DatabaseSettings(sqlite="/srv/stock.db"),
    }
