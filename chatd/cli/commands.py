"""The commands that a person types: `chatd serve`, `token`, `config`, `health`, `audit`, `admin`...

Exit codes: 0; 1 for what may pass; 2 for a wrong command line; 74 for a damaged store; 78 for the
configuration.
"""

import contextlib
import http.client
import json
import os
import shlex
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Final

import click

from chatd import __version__
from chatd.app.errors import EXIT_CONFIG, EXIT_FAILURE
from chatd.app.hosts import authority
from chatd.app.listen import internal_path
from chatd.app.signals import Signals
from chatd.app.start import Invitation, run
from chatd.cli.admin import admin
from chatd.cli.audit import audit
from chatd.cli.db_mcp import db_mcp
from chatd.cli.docs import docs
from chatd.cli.erasing import room, user
from chatd.cli.options import (
    CommandGroup,
    check_config,
    configured,
    fail,
    hide_words_of_exceptions,
    load_config,
    open_missing_streams,
    say,
    state_dir_of,
)
from chatd.cli.store import store
from chatd.cli.token import token
from chatd.config import (
    DEFAULT,
    PLACES,
    Config,
    ConfigError,
    Loaded,
    explain,
    shown_path,
    state_directory,
)
from chatd.observe import bridge, open_log

HEALTH_TIMEOUT_S = 5.0
LINKED: Final = {"built": "the chat", "missing": "a plain page that says how to connect"}
"""What the printed link opens, by the state of the page; where that is off there is no link."""


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatd")
def main() -> None:
    """A real-time chat daemon for teams that explore databases together."""
    hide_words_of_exceptions()


main.add_command(token)
main.add_command(store)
main.add_command(audit)
main.add_command(admin)
main.add_command(user)
main.add_command(room)
main.add_command(db_mcp)
main.add_command(docs)


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
    loaded = load_config(
        config_path,
        server__host=host,
        server__port=port,
        state__dir=state_dir,
        log__format=log_format,
        log__level=log_level,
    )
    open_missing_streams()
    settings = loaded.config.log
    log = open_log(settings.format, settings.level, sys.stderr, sys.stderr.isatty())
    with log.in_background(), bridge(log):
        run(loaded, os.environ, log, partial(_invite, loaded), signals or Signals())


def _mint_hint(loaded: Loaded) -> str:
    """The command that mints a token for this daemon, whichever directory and user run it.

    A place is named unless a bare command finds it too, in an environment that sets nothing.
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
    """Show a person how to get in; a token is shown on a terminal only, never in a log."""
    if invitation.token is None:
        return
    hint = _mint_hint(loaded)
    if sys.stdout.isatty() and invitation.page in LINKED:
        text = (
            f"\n  This link opens {LINKED[invitation.page]}, for a guest and for an hour:\n\n"
            f"  {invitation.url}#token={invitation.token}\n\n"
            f"  Others get a token with: {hint}\n\n"
        )
    else:
        text = f"Get a token for {invitation.url} with: {hint}\n"
    # Past the stream's buffer, which would raise again at exit. A reader that is gone does not end
    # the daemon.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), os.fsencode(text))


@main.group()
def config() -> None:
    """Look at the configuration."""


@config.command(name="check")
@configured
@click.option("--databases", is_flag=True, help="Start each db-mcp; list tables, check locks.")
def config_check(config_path: Path | None, databases: bool) -> None:
    """Check the configuration.

    All mistakes are told at once, those of the file in the order in which they are written. The
    files and programs of databases must exist. With --databases each db-mcp is started: one line
    for each database says what is fine, or what is wrong and what to do. Below it are its tables,
    or the last that a db-mcp wrote which cannot be asked; its secrets are masked.
    """
    loaded = check_config(config_path)
    say(f"The configuration is right ({loaded.source or 'defaults only'}).")
    if databases:
        from chatd.cli.databases import check_databases  # what asks them takes long to import

        if not check_databases(loaded.config):
            sys.exit(EXIT_CONFIG)


@config.command(name="show")
@configured
def config_show(config_path: Path | None) -> None:
    """Print every key, its value and its origin.

    Secrets are not printed.
    """
    loaded = load_config(config_path)
    say(explain(loaded, _places(loaded.config)).rstrip())


def _places(config: Config) -> dict[str, str]:
    """Where things are with this configuration and environment, by the key that says so."""
    try:
        directory = state_dir_of(config)
    except ConfigError:  # a command that needs it says so
        return {}
    places = {"state.dir": directory}
    internal = internal_path(config.server.internal, directory)
    if internal is not None:
        places["server.internal"] = internal
    return {key: shown_path(path) for key, path in places.items()}


@main.command()
@configured
@click.option("--url", help="The daemon's address; by default that of the configuration.")
def health(config_path: Path | None, url: str | None) -> None:
    """Ask a running daemon for its health; exit code 0 if it is ok."""
    if url is None:
        server = load_config(config_path).config.server
        url = f"http://{authority(server.host, server.port)}"
    elif not url.startswith(("http://", "https://")):
        raise click.UsageError("--url must be like http://127.0.0.1:8765.")
    endpoint = url.rstrip("/") + "/api/websocket/health"
    # A proxy that the environment names leads outside, not to a daemon with an address.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(endpoint, timeout=HEALTH_TIMEOUT_S) as answer:
            body = answer.read(65_536)
    except urllib.error.HTTPError as error:
        body = error.read(65_536)
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or str(reason).strip()
        fail(f"no daemon answers at {url}: {said}; is it running?", EXIT_FAILURE)
    try:
        status = json.loads(body)["status"]
    except (ValueError, KeyError, TypeError):
        fail(f"what answers at {url} is no chatd.", EXIT_FAILURE)
    say(body.decode())
    sys.exit(0 if status == "ok" else EXIT_FAILURE)
