"""`chatd config doc`: a key is found by any of its names, and every key is explained."""

import pytest
from click.testing import CliRunner

from chatd.cli.commands import main
from chatd.config.databases import DATABASES
from chatd.config.explained import UnknownKeyError, explained
from chatd.config.names import dotted_names, written_name
from tests.rows import rows


def heads(text: str) -> list[str]:
    """The keys that are explained."""
    return [line.partition(" = ")[0] for line in text.splitlines() if line and line[0] != " "]


def test_a_key_is_explained_with_all_that_sets_it() -> None:
    assert explained("server.port") == (
        "server.port = 8765\n"
        "    TCP port, 0 to 65535; 0 takes any that is free. A port above 1023 needs no "
        "privileges.\n"
        "    Accepted: a whole number from 0 to 65535.\n"
        "    Variable: CHATD_SERVER__PORT.\n"
    )
    words = " ".join(explained("auth.jwt_secret").split())
    assert words.endswith(
        "A secret; also auth.jwt_secret_file, CHATD_AUTH__JWT_SECRET_FILE, or the credential "
        "auth.jwt_secret."
    )
    words = " ".join(explained("databases.environment").split())
    assert words.endswith(
        "A secret; also databases.<connectionId>.environment_file.NAME, or the credential "
        "databases.<connectionId>.environment.NAME."
    )


def test_every_key_is_explained() -> None:
    databases = [f"databases.<connectionId>.{key}" for key in DATABASES.table.keys]
    assert heads(explained()) == [*map(written_name, dotted_names()), *databases]
    assert all(len(line) <= 100 for line in explained().splitlines())


@rows(
    ("name", "keys"),
    [
        ("port", ["server.port"]),
        ("[log]", ["log.format", "log.level"]),
        ("log", ["log.format", "log.level"]),
        ("enabled", ["answers.enabled", "web.enabled", "api.enabled"]),
        ("CHATD_SERVER__PORT", ["server.port"]),
        ("CHATD_AUTH__JWT_SECRET_FILE", ["auth.jwt_secret"]),
        ("auth.jwt_secret_file", ["auth.jwt_secret"]),
        ("jwt_secret_file", ["auth.jwt_secret"]),
        ("databases.sales.postgres", ["databases.<connectionId>.postgres"]),
        ("databases.my.room.postgres_file", ["databases.<connectionId>.postgres"]),
        ("databases.sales.environment.DB_URL", ["databases.<connectionId>.environment"]),
        ("postgres", ["databases.<connectionId>.postgres"]),
        ("directory.connections", ["directory.connections"]),
        ("directory.connections.demo.users", ["directory.connections"]),
    ],
)
def test_a_key_is_found_by_any_of_its_names(name: str, keys: list[str]) -> None:
    assert heads(explained(name)) == keys


def test_a_section_of_databases_is_all_of_its_keys() -> None:
    assert len(heads(explained("databases"))) == len(DATABASES.table.keys)


@rows(
    ("name", "meant"),
    [
        ("server.prot", "server.port"),
        ("prot", "server.port"),
        ("CHATD_SERVER__PROT", "server.port"),
        ("servr", "server"),
        ("databases.sales.postgress", "databases.<connectionId>.postgres"),
        ("xyzzy", None),
        (".", None),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(name: str, meant: str | None) -> None:
    with pytest.raises(UnknownKeyError) as caught:
        explained(name)
    assert caught.value.meant == meant


def test_the_command_prints_it_and_an_unknown_key_is_a_wrong_command_line() -> None:
    shown = CliRunner().invoke(main, ["config", "doc", "port"])
    assert (shown.exit_code, shown.output) == (0, explained("port"))
    assert CliRunner().invoke(main, ["config", "doc"]).exit_code == 0
    for name, hint in (
        ("prot", "did you mean server.port?"),
        ("xyzzy", "chatd config doc lists all."),
    ):
        shown = CliRunner().invoke(main, ["config", "doc", name])
        assert shown.exit_code == 2
        assert f"Error: There is no key '{name}'; {hint}\n" in shown.output
