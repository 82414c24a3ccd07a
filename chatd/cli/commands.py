"""The commands that a person types: `chatd serve`, `token`, `config`, `health`, `audit`, `admin`...

Exit codes: 0; 1 for what may pass by itself; 2 for a wrong command line; 74 for a damaged store; 78
for a wrong configuration.
"""

import contextlib
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Final

import click

from chatd import __version__
from chatd.app.errors import EXIT_FAILURE
from chatd.app.hosts import place_of
from chatd.app.rereading import Rereading
from chatd.app.signals import Signals
from chatd.app.start import Invitation, run
from chatd.cli.admin import admin
from chatd.cli.api import api
from chatd.cli.asking import NoAnswerError, NoChatdError, health_at, health_of
from chatd.cli.audit import audit
from chatd.cli.bench import bench
from chatd.cli.configuration import config
from chatd.cli.db_mcp import db_mcp
from chatd.cli.docs import docs
from chatd.cli.erasing import room, user
from chatd.cli.form import is_compiled
from chatd.cli.metrics import metrics
from chatd.cli.options import (
    CommandGroup,
    configured,
    fail,
    hide_words_of_exceptions,
    load_config,
    open_missing_streams,
    say,
    state_dir_of,
)
from chatd.cli.store import store
from chatd.cli.systemd import systemd
from chatd.cli.token import token
from chatd.config import (
    DEFAULT,
    PLACES,
    Config,
    Loaded,
    state_directory,
)
from chatd.observe import bridge, open_log

COMPILED: Final = ", compiled"
"""What `--version` says after the number if it is compiled."""

LINKED: Final = {"built": "the chat", "missing": "a plain page that says how to connect"}
"""What the printed link opens, by the state of the page; if that is off, there is no link."""


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__ + COMPILED * is_compiled(), prog_name="chatd")
def main() -> None:
    """A real-time chat daemon for teams that explore databases together."""
    hide_words_of_exceptions()


main.add_command(token)
main.add_command(api)
main.add_command(store)
main.add_command(audit)
main.add_command(admin)
main.add_command(user)
main.add_command(room)
main.add_command(db_mcp)
main.add_command(docs)
main.add_command(config)
main.add_command(systemd)
main.add_command(metrics)
main.add_command(bench)


@main.command()
@configured
@click.option("--host", help="Address to listen on (server.host).")
@click.option("--port", type=int, help="Port to listen on; 0 takes any (server.port).")
@click.option("--state-dir", help="Where the log of messages is kept (state.dir).")
@click.option("--log-format", help="auto, people, json or logfmt (log.format).")
@click.option("--log-level", help="debug, info, warning or error (log.level).")
@click.pass_obj
def serve(
    signals: Signals | None,
    config_path: Path | None,
    host: str | None,
    port: int | None,
    state_dir: str | None,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    read = partial(
        load_config,
        config_path,
        server__host=host,
        server__port=port,
        state__dir=state_dir,
        log__format=log_format,
        log__level=log_level,
    )
    loaded = read()
    open_missing_streams()
    settings, is_terminal = loaded.config.log, sys.stderr.isatty()
    log = open_log(settings.format, settings.level, sys.stderr, is_terminal)
    configuration = Rereading(loaded, read, log, is_terminal)
    with log.in_background(), bridge(log):
        run(configuration, os.environ, partial(_invite, loaded), signals or Signals())


def _mint_hint(loaded: Loaded) -> str:
    """The command that mints a token for this daemon, from whichever directory and by whichever
    user it is run.

    The command names a place unless it would find it anyway, in an environment that sets nothing.
    """
    home = {"HOME": os.environ.get("HOME", "")}
    state_dir = state_dir_of(loaded.config)
    is_usual = home["HOME"] and state_dir == state_directory(Config(), home, Path.cwd())
    places: list[str] = []
    if loaded.source not in (None, PLACES[-1]):
        places += ["--config", str(loaded.source)]
    if loaded.origin["state.dir"] != DEFAULT or not is_usual:
        places += ["--state-dir", str(state_dir)]
    chatd = sys.argv[0] if Path(sys.argv[0]).name == "chatd" else "chatd"
    return shlex.join([chatd, "token", "mint", *places, "--user", "alice"])


def _invite(loaded: Loaded, invitation: Invitation) -> None:
    """Show a person how to get in; a token is shown only on a terminal, never in a log."""
    if invitation.token is None:
        return
    hint = _mint_hint(loaded)
    if sys.stdout.isatty() and invitation.page in LINKED and invitation.is_url:
        text = (
            f"\n  This link opens {LINKED[invitation.page]}, for a guest and for an hour:\n\n"
            f"  {invitation.place}#token={invitation.token}\n\n"
            f"  Others get a token with: {hint}\n\n"
        )
    else:
        text = f"Get a token for {invitation.place} with: {hint}\n"
    # Past the stream's buffer, which would raise again at exit. A reader that is gone does not end
    # the daemon.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), os.fsencode(text))


@main.command()
@configured
@click.option("--url", help="The daemon's address; by default the configuration's.")
def health(config_path: Path | None, url: str | None) -> None:
    """Ask a running daemon for its health; exit code 0 if it is ok."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.UsageError("--url must be like http://127.0.0.1:8765.")
    server = None if url is not None else load_config(config_path).config.server
    place = url if server is None else place_of(server.host, server.port)
    try:
        status, said = health_at(str(url)) if server is None else health_of(server)
    except NoAnswerError as error:
        way = "" if server is None else " If it listens elsewhere, name its address with --url."
        fail(f"no daemon answers at {place}: {error}; is it running?{way}", EXIT_FAILURE)
    except NoChatdError:
        fail(f"what answers at {place} is not chatd.", EXIT_FAILURE)
    say(said)
    sys.exit(0 if status == "ok" else EXIT_FAILURE)
