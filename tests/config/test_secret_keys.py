"""Secrets in files of their own: one rule for every key that is a secret, in every layer."""

from pathlib import Path
from typing import Any

import pytest

from chatd.config import explain
from chatd.config.credentials import Credentials
from chatd.config.databases import DATABASES
from chatd.config.errors import InvalidValue
from chatd.config.kinds import BusAddress, PostgresAddress, Text, ValueKind
from chatd.config.secret_keys import SecretKeys
from chatd.config.sections import about, keys_of, sections
from chatd.config.tables import TableKind
from tests.config.secrets import (
    DSN,
    FOREIGN,
    OTHER,
    SALES,
    SECRET,
    WEB,
    credentials,
    reading,
    refusals,
)
from tests.rows import rows


def test_the_file_names_a_file_with_the_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    loaded = reading(tmp_path, "[auth]\njwt_secret_file = 'key'\n")
    assert loaded.config.auth.jwt_secret == SECRET
    origin = f"the file key, named by {tmp_path}/chatd.toml"
    assert loaded.origin["auth.jwt_secret"] == origin
    assert f'jwt_secret = "(set, 39 characters)"  # {origin}\n' in explain(loaded)


def test_the_environment_names_a_file_with_the_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    loaded = reading(tmp_path, CHATD_AUTH__JWT_SECRET_FILE=f"{tmp_path}/key")
    assert loaded.config.auth.jwt_secret == SECRET
    assert loaded.origin["auth.jwt_secret"] == (
        f"the file {tmp_path}/key, named by $CHATD_AUTH__JWT_SECRET_FILE"
    )
    assert SECRET not in repr(loaded)
    assert SECRET not in explain(loaded)


def test_the_environment_wins_over_a_credential_and_that_over_the_file(tmp_path: Path) -> None:
    env = credentials(tmp_path, auth__jwt_secret=SECRET)
    (tmp_path / "key").write_text(OTHER)
    written = "[auth]\njwt_secret = 'written-in-the-file'\n"
    in_file = "[auth]\njwt_secret_file = 'key'\n"
    assert reading(tmp_path, written, **env).config.auth.jwt_secret == SECRET
    assert reading(tmp_path, in_file, **env).config.auth.jwt_secret == SECRET
    for variable, text in (
        ("CHATD_AUTH__JWT_SECRET", OTHER),
        ("CHATD_AUTH__JWT_SECRET_FILE", "key"),
    ):
        loaded = reading(tmp_path, written, **env, **{variable: text})
        assert loaded.config.auth.jwt_secret == OTHER


def test_the_secrets_of_a_database_are_in_files(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(f"{DSN}\r\n")
    (tmp_path / "token").write_text(f"Bearer {SECRET}\n")

    def sales(text: str) -> Any:
        return reading(tmp_path, text).config.databases["sales"]

    assert sales(f"{SALES}postgres_file = 'dsn'\n").postgres == DSN
    foreign = f"{FOREIGN}environment = {{ A = 'b' }}\nenvironment_file = {{ DB_URL = 'dsn' }}\n"
    assert sales(foreign).environment == {"A": "b", "DB_URL": DSN}
    web = f"{WEB}headers_file = {{ Authorization = 'token' }}\n"
    assert sales(web).headers == {"Authorization": f"Bearer {SECRET}"}
    text = explain(reading(tmp_path, foreign))
    assert f"  # DB_URL: the file dsn, named by {tmp_path}/chatd.toml\n" in text
    assert "hunter2" not in text


BESIDE = {
    "bus.url": '[cluster]\nnode = "a"\n[state]\nurl = "postgresql://host/db"',
    "directory.url": "source = 'sql'\n",
}
"""What has to stand beside a key for it to be allowed."""


def test_every_key_that_is_a_secret_follows_the_rule(tmp_path: Path) -> None:
    """Of sections: what is hidden is a secret by its kind, or has secrets in its entries."""
    found = 0
    for name, section in sections().items():
        for key, field in keys_of(section).items():
            kind = about(field).kind
            assert about(field).secret == (kind.is_secret or kind.entry is not None)
            if kind.is_secret:
                secret = DSN if isinstance(kind, PostgresAddress | BusAddress) else SECRET
                (tmp_path / "key").write_text(secret)
                beside = BESIDE.get(f"{name}.{key}", "")
                loaded = reading(tmp_path, f"[{name}]\n{key}_file = 'key'\n{beside}")
                assert getattr(getattr(loaded.config, name), key) == secret
                found += 1
    assert found > 0
    assert {key for key, kind in DATABASES.table.keys.items() if kind.is_secret} == {
        "postgres",
        "environment",
        "headers",
    }


ENTRY = TableKind(
    "a table with key",
    {"key": Text("a text", secret=True), "until": Text("a text")},
    made=type(None),
    make=lambda **values: values,
)


class ListOfTables(ValueKind):
    """As a key with several secrets, each with an end, has one."""

    wants = "a list of tables"
    entry = ENTRY

    def structure(self, value: object) -> Any:
        assert isinstance(value, list)
        return [ENTRY.structure(one) for one in value]


def test_the_tables_of_a_list_follow_the_rule(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(f"{OTHER}\n")
    kind, secrets = ListOfTables(), SecretKeys(tmp_path, Credentials())
    written = [{"key": SECRET}, {"key_file": "old", "until": "tomorrow"}, {"key_file": "gone"}]
    filled = secrets.filled(kind, written, "auth.keys", "the file")
    assert isinstance(filled, list)
    assert kind.structure(filled[:2]) == [{"key": SECRET}, {"key": OTHER, "until": "tomorrow"}]
    assert list(kind.secrets(written)) == ["[0].key"]
    with pytest.raises(InvalidValue, match=r"cannot be read from .* \(No such file"):
        kind.structure(filled[2:])


@rows(
    ("text", "env", "told"),
    [
        (
            f"[auth]\njwt_secret = '{SECRET}'\njwt_secret_file = 'key'\n",
            {},
            (
                "chatd.toml, line 2: auth.jwt_secret is written beside jwt_secret_file; leave one "
                "of them out."
            ),
        ),
        (
            f"[auth]\njwt_secret_file = 'key'\njwt_secret = '{SECRET}'\n",
            {},
            (
                "chatd.toml, line 3: auth.jwt_secret is written beside jwt_secret_file; leave one "
                "of them out."
            ),
        ),
        (
            "",
            {"CHATD_AUTH__JWT_SECRET": "", "CHATD_AUTH__JWT_SECRET_FILE": "key"},
            (
                "environment variable CHATD_AUTH__JWT_SECRET_FILE: auth.jwt_secret is written "
                "beside jwt_secret_file; leave one of them out."
            ),
        ),
        (
            f"{SALES}postgres = '{DSN}'\npostgres_file = 'key'\n",
            {},
            (
                "chatd.toml, line 2: databases.sales.postgres is written beside postgres_file; "
                "leave one of them out."
            ),
        ),
        (
            f"{FOREIGN}environment = {{ A = 'hunter2' }}\nenvironment_file = {{ A = 'key' }}\n",
            {},
            (
                "chatd.toml, line 6: databases.sales.environment.A is written beside the path of a "
                "file; leave one of them out."
            ),
        ),
    ],
)
def test_a_secret_that_is_written_twice_is_refused(
    tmp_path: Path, text: str, env: dict[str, str], told: str
) -> None:
    (tmp_path / "key").write_text(OTHER)
    assert refusals(tmp_path, text, **env) == [told]


@rows(
    ("text", "told"),
    [
        (
            "[auth]\njwt_secret_file = 5\n",
            "auth.jwt_secret must be in a file whose path is a text, not a number.",
        ),
        (
            "[auth]\njwt_secret_file = ''\n",
            "auth.jwt_secret must be in a file whose path is a text, not an empty text.",
        ),
        (
            "[auth]\njwt_secret_fil = 'key'\n",
            "auth.jwt_secret_fil is not a key; did you mean auth.jwt_secret_file?",
        ),
        (
            "[auth]\nissuer_file = 'key'\n",
            "auth.issuer_file is not a key; did you mean auth.issuer?",
        ),
        (
            f"{SALES}sqlite = 'a'\npostgre_file = 'key'\n",
            "databases.sales.postgre_file is not a key; did you mean postgres_file?",
        ),
        (
            f"{FOREIGN}environment_file = '/etc/sales.env'\n",
            (
                "databases.sales.environment must be in files whose paths are a table, not that "
                "text."
            ),
        ),
        (
            f"{SALES}sqlite = 'a'\nenvironment_file = {{ A = 'key' }}\n",
            "databases.sales.environment is not used with sqlite; leave it out.",
        ),
        (
            f"{FOREIGN}environment_file = {{ CHATD_X = 'key' }}\n",
            (
                "databases.sales.environment must be a table of variables whose names do not "
                "begin with CHATD_; CHATD_X is no such name."
            ),
        ),
    ],
)
def test_a_wrong_path_is_told_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "key").write_text(OTHER)
    (found,) = refusals(tmp_path, text)
    assert found.partition(": ")[2] == told


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "x\ud800"])
def test_any_text_may_be_given_for_a_path(tmp_path: Path, path: str) -> None:
    (found,) = refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE=path)
    assert "auth.jwt_secret cannot be read" in found
    assert found.isprintable()


def test_a_misspelt_variable_of_a_file_is_told_with_the_nearest(tmp_path: Path) -> None:
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FIEL="key") == [
        (
            "environment variable CHATD_AUTH__JWT_SECRET_FIEL is not a setting; did you mean "
            "CHATD_AUTH__JWT_SECRET_FILE?"
        )
    ]
    assert refusals(tmp_path, CHATD_SERVER__HOST_FILE="key")[0].endswith(
        "CHATD_SERVER__HOST_FILE is not a setting; did you mean CHATD_SERVER__HOST?"
    )
