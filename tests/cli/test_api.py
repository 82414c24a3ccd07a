"""`chatd api token`: what it prints is a token, and its table for the configuration."""

import re
import tomllib

from click.testing import CliRunner

from chatd.auth import bot_digest
from chatd.cli.commands import main
from chatd.config.api_tokens import API_TOKENS


def made(*arguments: str) -> tuple[str, dict[str, object]]:
    shown = CliRunner().invoke(main, ["api", "token", *arguments])
    assert shown.exit_code == 0, shown.output
    assert "and reload the daemon (SIGHUP, or systemctl reload chatd.service):" in shown.output
    token = re.match(r"token: (chatd_[A-Za-z0-9_-]{43})\n", shown.output)
    assert token is not None
    table = shown.output[shown.output.index("[api.tokens") :]
    return token[1], tomllib.loads(table)["api"]["tokens"]


def test_a_token_is_printed_with_the_table_that_takes_it() -> None:
    token, tables = made("alerts", "--room", "demo", "--room", "a b", "--name", 'A "B"')
    bot = API_TOKENS.structure(tables)["alerts"]
    assert bot.sha256 == bot_digest(token)
    assert (bot.rooms, bot.name) == (("demo", "a b"), 'A "B"')
    assert (bot.can_read, bot.can_write) == (True, False)
    assert token not in str(tables)


def test_rights_are_chosen_and_a_name_with_a_dot_is_quoted() -> None:
    _, tables = made("ci.prod", "--room", "demo", "--right", "write")
    bot = API_TOKENS.structure(tables)["ci.prod"]
    assert (bot.can_read, bot.can_write) == (False, True)


def test_what_the_configuration_would_not_take_is_not_made() -> None:
    for arguments in (
        ("a b", "--room", "demo"),
        ("a", "--room", "<b>"),
        ("a", "--room", "demo", "--name", "two\nlines"),
        ("a", "--room", "demo", "--right", "admin"),
        ("a",),
    ):
        shown = CliRunner().invoke(main, ["api", "token", *arguments])
        assert shown.exit_code == 2
        assert "chatd_" not in shown.output
