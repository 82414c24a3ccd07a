"""What `config check` looks for beside the file."""

from pathlib import Path
from typing import Any

import pytest

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config import AnswersConfig, Config, missing
from chatd.config.sections import AuthConfig

HERE = {"PATH": "/usr/bin:/bin"}


def said(
    tmp_path: Path, database: DatabaseSettings, env: dict[str, str] = HERE, **sections: Any
) -> str:
    config = Config(databases={"shop": database}, **sections)
    sentences = (sentence for _, sentence in missing(config, env, tmp_path))
    return " ".join(sentences).replace(f"{tmp_path}/", "")


def foreign(*command: str, **more: Any) -> DatabaseSettings:
    return DatabaseSettings(command=command, mapping="dbhub", credentials="read-only", **more)


def test_what_is_there_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"")
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    for database in (
        DatabaseSettings(sample=True),
        DatabaseSettings(url="https://mcp.example.com/mcp", mapping="dbhub"),
        DatabaseSettings(sqlite="shop.db"),
        DatabaseSettings(sqlite=str(tmp_path / "shop.db")),
        foreign("sh"),
        foreign("/bin/sh", "no such thing"),
        foreign("./tool"),
        foreign("tool", environment={"PATH": str(tmp_path)}),
    ):
        assert said(tmp_path, database) == ""


@pytest.mark.parametrize(
    ("database", "sentence"),
    [
        (DatabaseSettings(sqlite="/nope.db"), "the file /nope.db does not exist."),
        (DatabaseSettings(sqlite="no/pe.db"), "the file no/pe.db does not exist."),
        (
            DatabaseSettings(sqlite="/dev/null/nope.db"),
            "the file /dev/null/nope.db does not exist.",
        ),
        (DatabaseSettings(sqlite="/dev"), "/dev is not a file."),
        (
            DatabaseSettings(sqlite="x" * 300),
            f"the file {'x' * 300} cannot be looked at (File name too long).",
        ),
        (foreign("nosuchprog"), "the program nosuchprog is not in PATH."),
        (foreign("./nosuchprog"), "nosuchprog is not a program."),
        (foreign("sh", environment={"PATH": "/nowhere"}), "the program sh is not in PATH."),
        (foreign("a\nb"), 'the program "a\\nb" is not in PATH.'),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, database: DatabaseSettings, sentence: str) -> None:
    assert said(tmp_path, database) == f"databases.shop: {sentence}"


def test_a_key_set_that_is_a_file_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"{}")
    for jwks, sentence in (
        ("keys.json", ""),
        ("https://issuer.example/keys.json", ""),
        ("none.json", "auth.jwks: the file none.json does not exist."),
    ):
        auth = AuthConfig(jwks=jwks)
        assert said(tmp_path, DatabaseSettings(sample=True), auth=auth) == sentence


def test_where_nobody_is_to_answer_nothing_is_missed(tmp_path: Path) -> None:
    assert (
        said(tmp_path, DatabaseSettings(sqlite="nope"), answers=AnswersConfig(enabled=False)) == ""
    )
