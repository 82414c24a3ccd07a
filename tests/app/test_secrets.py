"""Secrets in files of their own, as a running daemon and its commands take them."""

import tempfile
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from chatd.cli.commands import main
from tests.app.client import Client, token_for
from tests.app.daemon import House
from tests.app.test_first_start import commands

SECRET = "a secret for the tests, of more than 32 bytes"
TAKING_NO_FILES = [one for one in commands(main) if one != ("bench", "plot")]
"""The commands, without one that takes any number of files, and names those that it lacks."""


def written_for_all(directory: Path) -> Path:
    """A file with a secret in a directory that every user may look into, as those of tests are
    not."""
    directory.chmod(0o755)
    path = directory / "chatd.toml"
    path.write_text(f"[auth]\njwt_secret = '{SECRET}'\n")
    path.chmod(0o644)
    return path


async def test_a_credential_of_the_service_manager_is_the_secret_of_the_daemon_and_its_commands(
    house: House, nursery: trio.Nursery
) -> None:
    credentials = house.path / "credentials"
    credentials.mkdir()
    (credentials / "auth.jwt_secret").write_text(f"{SECRET}\n")
    env = {"CREDENTIALS_DIRECTORY": str(credentials)}
    daemon = await house.start("--host", "0.0.0.0", env=env)
    minted, shown = await house.run_each(
        ("token", "mint", "--user", "alice"), ("config", "show"), env=env
    )
    await Client.connect(nursery, daemon.port, minted.out.strip())
    await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))
    hidden = 'jwt_secret = "(set, 45 characters)"  # $CREDENTIALS_DIRECTORY/auth.jwt_secret\n'
    assert hidden in shown.out
    assert SECRET not in shown.out + daemon.err.text
    assert not (house.state_dir / "jwt-secret").exists()
    await daemon.stop()


async def test_a_file_with_a_secret_that_everybody_can_read_is_in_the_log_and_in_the_check(
    house: House,
) -> None:
    with tempfile.TemporaryDirectory(prefix="chatd-", dir="/tmp") as directory:
        path = written_for_all(Path(directory))
        daemon = await house.start("--config", str(path))
        told = (await daemon.event("configuration.exposed"))["detail"]
        assert told == (
            f"The file {path} holds auth.jwt_secret, and every user of this machine can read it "
            "(mode 0644): take that right away (chmod o-r)."
        )
        checked = await house.run("config", "check", "--config", str(path))
        assert (checked.code, checked.err) == (0, f"chatd: warning: {told}\n")
        assert SECRET not in daemon.err.text
        await daemon.stop()


@pytest.mark.answers
async def test_a_db_mcp_gets_its_password_from_a_file(house: House) -> None:
    (house.path / "password").write_text("hunter2\n")
    house.config(
        """
        [databases.sales]
        command = ["/bin/sh", "-c", "echo the password has ${#PASSWORD} characters >&2; exit 1"]
        environment_file = { PASSWORD = "password" }
        dialect = "mysql"
        mapping = "mcp-alchemy"
        credentials = "read-only"
        """
    )
    done = await house.run("config", "check", "--databases")
    assert "the password has 7 characters" in done.out


@pytest.mark.parametrize("command", TAKING_NO_FILES, ids=" ".join)
def test_no_command_repeats_a_secret_that_it_is_given_as_an_argument_by_mistake(
    command: tuple[str, ...],
) -> None:
    refused = CliRunner().invoke(main, [*command, *[SECRET] * 5])
    assert refused.exit_code != 0
    assert SECRET not in refused.output


async def test_the_check_of_a_token_says_where_it_takes_the_token(house: House) -> None:
    token = token_for(SECRET, "alice")
    checked = await house.run("token", "check", token)
    assert checked.code == 2
    assert "Error: Pipe the token to standard input: others can read arguments.\n" in checked.err
    assert token not in checked.err
