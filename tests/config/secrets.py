"""Configurations with secrets, and what is told of them."""

from pathlib import Path

import pytest

from chatd.config import ConfigError, Loaded, load

SECRET = "correct-horse-battery-staple-0123456789"
OTHER = "another-horse-battery-staple-0123456789"
DSN = "postgresql://reader:hunter2@db/sales"
SALES = "[databases.sales]\n"
FOREIGN = (
    f"{SALES}command = ['x']\ndialect = 'postgres'\nmapping = 'mcp-alchemy'\n"
    "credentials = 'read-only'\n"
)
WEB = f"{SALES}url = 'https://h/mcp'\ndialect = 'mysql'\nmapping = 'dbhub'\nread_only = false\n"


def reading(tmp_path: Path, text: str = "", **env: str) -> Loaded:
    """What comes of a file and an environment; paths are found from `tmp_path`."""
    (tmp_path / "chatd.toml").write_text(text)
    return load(None, env, {}, tmp_path, places=[Path("chatd.toml")])


def refusals(tmp_path: Path, text: str = "", **env: str) -> list[str]:
    """All mistakes, with paths as they are from `tmp_path`; none shows a secret."""
    with pytest.raises(ConfigError) as caught:
        reading(tmp_path, text, **env)
    for secret in (SECRET, OTHER, "hunter2"):
        assert secret not in str(caught.value)
    return [one.replace(f"{tmp_path}/", "") for one in caught.value.sentences]


def credentials(tmp_path: Path, **files: str) -> dict[str, str]:
    """A directory as a service manager makes it; __ stands for a dot. The environment with it."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)
    return {"CREDENTIALS_DIRECTORY": str(directory)}
