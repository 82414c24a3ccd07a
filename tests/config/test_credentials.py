"""Credentials of a service manager: each has the name of its key."""

import os
from pathlib import Path

from chatd.config import explain
from tests.config.secrets import (
    DSN,
    FOREIGN,
    SALES,
    SECRET,
    WEB,
    credentials,
    reading,
    refusals,
)


def test_a_credential_has_the_name_of_its_key(tmp_path: Path) -> None:
    loaded = reading(tmp_path, **credentials(tmp_path, auth__jwt_secret=SECRET))
    assert loaded.config.auth.jwt_secret == SECRET
    assert loaded.origin["auth.jwt_secret"] == "$CREDENTIALS_DIRECTORY/auth.jwt_secret"


def test_the_secrets_of_a_database_are_credentials(tmp_path: Path) -> None:
    env = credentials(
        tmp_path,
        databases__sales__postgres=DSN,
        databases__web__headers__Authorization=SECRET,
        databases__tool__environment__DB_URL=DSN,
    )
    web, tool = WEB.replace("sales", "web"), FOREIGN.replace("sales", "tool")
    loaded = reading(tmp_path, f"{SALES}{web}{tool}environment = {{ A = 'b' }}\n", **env)
    databases = loaded.config.databases
    assert databases["sales"].postgres == DSN
    assert databases["sales"].dialect == "postgres"
    assert databases["web"].headers == {"Authorization": SECRET}
    assert databases["tool"].environment == {"A": "b", "DB_URL": DSN}
    text = explain(loaded)
    assert (
        'postgres = "(set, 36 characters)"  # $CREDENTIALS_DIRECTORY/databases.sales.postgres\n'
    ) in text
    assert "hunter2" not in text


def test_a_credential_of_no_secret_is_told_with_the_nearest(tmp_path: Path) -> None:
    env = credentials(
        tmp_path,
        auth__jwt_secrte=SECRET,
        server__port="1",
        databases__sale__postgres=DSN,
        other__program="x",
        tls="x",
    )
    found = refusals(tmp_path, f"{SALES}sqlite = 'a.db'\n", **env)
    assert found == [
        (
            "the credential auth.jwt_secrte is not for a key that is a secret; did you mean "
            "auth.jwt_secret?"
        ),
        (
            "the credential databases.sale.postgres is not for a key that is a secret; did you "
            "mean databases.sales.postgres?"
        ),
        found[2],
    ]
    assert found[2].startswith(
        "the credential server.port is not for a key that is a secret; known"
    )


def test_a_credential_may_have_any_name(tmp_path: Path) -> None:
    env = credentials(tmp_path)
    for name in (b"auth.\xff", b"auth.a\nb", b"auth.", b"auth..jwt_secret", b"AUTH.jwt_secret"):
        Path(os.fsdecode(os.fsencode(env["CREDENTIALS_DIRECTORY"]) + b"/" + name)).touch()
    found = refusals(tmp_path, **env)
    assert len(found) == 4
    assert all(sentence.isprintable() for sentence in found)


def test_a_file_that_is_not_toml_does_not_make_credentials_unknown(tmp_path: Path) -> None:
    env = credentials(tmp_path, databases__sales__postgres=DSN)
    (found,) = refusals(tmp_path, "[databases.sales\n", **env)
    assert "not valid TOML" in found


def test_a_credential_that_is_no_secret_is_told(tmp_path: Path) -> None:
    env = credentials(tmp_path, auth__jwt_secret="", databases__sales__postgres="a\nb")
    place = "credentials"
    assert refusals(tmp_path, SALES, **env) == [
        (
            f"chatd.toml, line 1: databases.sales.postgres cannot be in the file "
            f"{place}/databases.sales.postgres, which has several lines or control characters; "
            "write the secret alone into one line."
        ),
        (
            "the credential auth.jwt_secret: auth.jwt_secret cannot be in the file "
            f"{place}/auth.jwt_secret, which is empty; write it there."
        ),
    ]


def test_a_directory_of_credentials_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert reading(tmp_path, CREDENTIALS_DIRECTORY="").config.auth.jwt_secret == ""
    for place, why in (("nowhere", "No such file or directory"), ("chatd.toml", "Not a directory")):
        assert refusals(tmp_path, CREDENTIALS_DIRECTORY=place) == [
            (
                f"environment variable CREDENTIALS_DIRECTORY: the directory {place} cannot be read "
                f"({why}); run this as the daemon's user, or unset the variable."
            )
        ]
    assert (
        "it is not the name of a directory" in refusals(tmp_path, CREDENTIALS_DIRECTORY="a\0b")[0]
    )
