"""`chatd systemd`: the units that run the daemon as a service, with the paths of this machine."""

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import click

from chatd.app.errors import EXIT_CONFIG, EXIT_FAILURE
from chatd.app.hosts import EVERYWHERE, LOCALHOST, plain_host
from chatd.cli.options import DiscreetGroup, configured, fail, say
from chatd.config import PLACES, Config, load

UNITS: Final = ("chatd.service", "chatd.socket")
PLACE: Final = "/etc/systemd/system"
NEXT: Final = """\
Type next, as root:
  systemctl daemon-reload
  systemctl enable --now chatd.socket chatd.service
  systemctl status chatd.service"""
PLAIN: Final = re.compile(r"[\w/.:@,+-]+", re.ASCII)
"""A word that needs no quotes."""
UNSAFE: Final = frozenset("\"'\\")
HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What the unit hides from the daemon (`ProtectHome=`, `PrivateTmp=`)."""


@click.group(cls=DiscreetGroup)
def systemd() -> None:
    """Run chatd as a service of systemd."""


@systemd.command(name="print")
@configured
def print_units(config_path: Path | None) -> None:
    """Print the units, with the paths of this installation.

    The port comes from the configuration: from --config, else from /etc/chatd/chatd.toml.
    """
    units = _units(config_path)
    say("\n".join(f"# {PLACE}/{name}\n{text}" for name, text in units.items()).rstrip())


@systemd.command()
@configured
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=PLACE,
    show_default=True,
    help="Where the units are written.",
)
@click.option("--force", is_flag=True, help="Replace units that are there and differ.")
def install(config_path: Path | None, directory: Path, force: bool) -> None:
    """Write the units, and say what to type next.

    Nothing is started. Without --force, existing units that differ are left as they are.
    """
    _check_paths([*program(), os.path.realpath(sys.executable)])
    if config_path is not None:
        _check_paths([str(config_path.absolute())])
    units = _units(config_path)
    there = {name: _read(directory / name) for name in units}
    differing = [name for name, text in units.items() if there[name] not in (None, text)]
    if differing and not force:
        shown = " and ".join(str(directory / name) for name in differing)
        fail(
            f"{shown} would be replaced, and nothing was written: keep your changes in a drop-in "
            "(systemctl edit), then take --force.",
            EXIT_FAILURE,
        )
    for name, text in units.items():
        if there[name] == text:
            say(f"As it is: {directory / name}")
            continue
        _write(directory / name, text)
        say(f"{'Written' if there[name] is None else 'Replaced'}: {directory / name}")
    say(NEXT)


def program() -> tuple[str, ...]:
    """The command that runs this installation of chatd, with its full path."""
    if getattr(sys, "frozen", False):  # the self-contained executable
        started = shutil.which(sys.argv[0]) or sys.argv[0]
        return (str(Path(started).absolute()),)
    script = Path(sysconfig.get_path("scripts")) / "chatd"
    if os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "chatd")


def _units(config_path: Path | None) -> Mapping[str, str]:
    """The text of each unit by its name. Raises ConfigError."""
    named = None if config_path is None else config_path.absolute()
    # As the daemon will read it: not in this directory, and without these variables.
    config = load(named, {}, {}, Path("/")).config
    values = {
        "@CHATD@": _words(program()),
        "@CONFIG@": "" if named is None else f" {_words(('--config', str(named)))}",
        "@ADDRESS@": _address(config),
    }
    units = {}
    for name in UNITS:
        text = resources.files("chatd").joinpath("systemd", name).read_text("utf-8")
        for mark, value in values.items():
            text = text.replace(mark, value)
        units[name] = text
    return units


def _address(config: Config) -> str:
    """Where the socket unit listens: systemd takes addresses, not names."""
    host, port = plain_host(config.server.host), config.server.port
    if port == 0:
        fail("server.port is 0, which means another port each time; set one.", EXIT_CONFIG)
    if host in EVERYWHERE:
        return f"0.0.0.0:{port}" if host == "0.0.0.0" else f"[::]:{port}"
    if host == LOCALHOST:
        host = "127.0.0.1"
    if not set(host) <= set("0123456789abcdef.:"):
        fail(
            f"server.host is {host}, but systemd takes only addresses; set one, such as 127.0.0.1.",
            EXIT_CONFIG,
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _words(words: Sequence[str]) -> str:
    """The words of a command as a unit writes them (systemd.service(5), "Command lines")."""
    program, *arguments = words  # only in the path of the program, `$` is just that
    return " ".join([_quoted(program), *(_quoted(one).replace("$", "$$") for one in arguments)])


def _quoted(word: str) -> str:
    if UNSAFE.intersection(word) or not word.isprintable():
        fail(
            f"systemd takes no path with quotes or control characters, such as {word}.",
            EXIT_FAILURE,
        )
    escaped = word.replace("%", "%%")
    return escaped if PLAIN.fullmatch(word) else f'"{escaped}"'


def _check_paths(paths: Sequence[str]) -> None:
    for path in filter(os.path.isabs, paths):
        for hidden in HIDDEN:
            if Path(path).is_relative_to(hidden):
                fail(
                    f"{path} lies below {hidden}, which the unit hides from the daemon; "
                    f"install chatd elsewhere, as in /opt/chatd, and keep {PLACES[-1]}.",
                    EXIT_FAILURE,
                )


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.", EXIT_FAILURE)


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, "utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        advice = "run this as root" if isinstance(error, PermissionError) else "see to the path"
        fail(f"{path} cannot be written: {error.strerror}; {advice}.", EXIT_FAILURE)
