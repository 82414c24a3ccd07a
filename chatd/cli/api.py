"""`chatd api`: tokens for bots and back ends (docs/http, "Tokens")."""

from typing import Final

import click

from chatd.auth import bot_digest, make_bot_token
from chatd.cli.options import DiscreetGroup, say
from chatd.config import RIGHTS, InvalidValue, api_token_table

ADD: Final = (
    "Add this to chatd.toml, and reload the daemon (SIGHUP, or systemctl reload chatd.service):"
)


@click.group(cls=DiscreetGroup)
def api() -> None:
    """Make tokens for bots and back ends."""


@api.command()
@click.argument("bot")
@click.option("--room", "rooms", multiple=True, required=True, help="A connectionId; repeatable.")
@click.option(
    "--right",
    "rights",
    multiple=True,
    default=RIGHTS[:1],
    show_default=True,
    type=click.Choice(RIGHTS),
    help="What it may do; repeatable.",
)
@click.option("--name", help="The name that people are shown.")
def token(bot: str, rooms: tuple[str, ...], rights: tuple[str, ...], name: str | None) -> None:
    """Make a token for a BOT, and print it with its table for chatd.toml.

    The token is kept nowhere: the table holds only its SHA-256.
    """
    made = make_bot_token()
    try:
        table = api_token_table(bot, bot_digest(made), rooms, rights, name)
    except InvalidValue as error:
        raise click.UsageError(f"api.tokens{error.at} {error.problem}.") from error
    say(f"token: {made}\n\n{ADD}\n\n{table}")
