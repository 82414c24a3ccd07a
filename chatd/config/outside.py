"""Checks that the machine has what the configuration names, for `chatd config check`.

The daemon itself starts without the databases of its rooms, and reports for each whether it is
there.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from chatd.answers.mcp.secrets import without_passwords
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.config.errors import quoted
from chatd.config.kinds import unknown_name
from chatd.config.paths import shown_path
from chatd.config.sections import Config


def missing(config: Config, env: Mapping[str, str], cwd: Path) -> Iterator[tuple[str, str]]:
    """What is missing on this machine: the key that names it ("databases.shop.sqlite"), and a
    sentence."""
    place = config.server.internal
    if place.startswith("/") and not os.path.isdir(os.path.dirname(place)):
        folder = shown_path(Path(place).parent)
        yield "server.internal", f"server.internal: the folder {folder} does not exist."
    jwks = config.auth.jwks
    if jwks and "://" not in jwks:
        why = _missing_file(cwd, jwks)
        if why is not None:
            yield "auth.jwks", f"auth.jwks: {why}."
    state = cwd / Path(config.state.dir).expanduser() if config.state.dir else None
    if state is not None and state.exists() and not state.is_dir():
        yield "state.dir", f"state.dir: {shown_path(state)} is not a folder."
    if not config.answers.enabled:
        return
    for name, database in config.databases.items():
        why, key = None, "sqlite"
        if database.sqlite:
            why = _missing_file(cwd, database.sqlite)
        if database.command:
            why, key = _missing_program(database, env, cwd), "command"
        if why is not None:
            shown = f"databases.{unknown_name(name)}"
            yield f"{shown}.{key}", f"{shown}: {why}."


def _missing_file(cwd: Path, name: str) -> str | None:
    path = cwd / name
    # An address with a password may stand where a path belongs.
    shown = quoted(without_passwords(name)) if "://" in name else shown_path(path)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"the file {shown} does not exist"
    except OSError as error:
        return f"the file {shown} cannot be looked at ({error.strerror})"
    return None if stat.S_ISREG(mode) else f"{shown} is not a file"


def _missing_program(database: DatabaseSettings, env: Mapping[str, str], cwd: Path) -> str | None:
    """Look for the program as the system does when the db-mcp is started, in the PATH that it
    gets."""
    program = database.command[0]
    if "/" in program:
        place = cwd / program
        return None if shutil.which(place) else f"{shown_path(place)} is not a program"
    path = database.environment.get("PATH", env.get("PATH", os.defpath))
    is_there = shutil.which(program, path=path) is not None
    return None if is_there else f"the program {unknown_name(program)} is not in PATH"
