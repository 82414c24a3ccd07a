"""From file, environment and flags to one `Config`.

Later layers win, key by key: defaults, the file, the credentials of the service manager,
`CHATD_SECTION__KEY` in the environment, flags. Beside each key that is a secret there is one with
`_file` (`_FILE`) at its end, of the same layer: `secret_keys`.

A variable with CHATD_ but no double underscore is none of ours and is ignored: container platforms
set such names for services (CHATD_SERVER_PORT=tcp://...), and failing on them would keep the
daemon from starting where nothing is wrong.

A mistake does not end the reading: all of them are told at once, those of the file in the order in
which they are written. What is wrong counts as not written meanwhile.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chatd.config.credentials import Credentials, find_credentials
from chatd.config.errors import ConfigError
from chatd.config.examined import Examined, Layer, Loaded, Mistake
from chatd.config.paths import PLACES, read_file
from chatd.config.reading import Reading
from chatd.config.secret_keys import SecretKeys
from chatd.config.sections import sections, tables


def load(
    path: Path | None,
    env: Mapping[str, str],
    overrides: Mapping[str, Any],
    cwd: Path,
    places: Sequence[Path] = PLACES,
) -> Loaded:
    """Read, check and merge all layers.

    `overrides` maps "section.key" to values of the type that the file would have; None stands for
    a flag that was not given. Raises `ConfigError`, and nothing else, whatever is in the file, the
    environment or the overrides.
    """
    examined = examine(path, env, overrides, cwd, places)
    examined.raise_any()
    return examined.loaded


def examine(
    path: Path | None,
    env: Mapping[str, str],
    overrides: Mapping[str, Any],
    cwd: Path,
    places: Sequence[Path] = PLACES,
) -> Examined:
    """As `load`, for who looks for further mistakes; raises nothing."""
    credentials, source = Credentials(), None
    unreadable: list[Mistake] = []
    try:
        credentials = find_credentials(env, cwd, {*sections(), *tables()})
    except ConfigError as error:
        unreadable.append(Mistake(Layer.CREDENTIAL, 0, str(error)))
    try:
        source = read_file(path, env, cwd, places)
    except ConfigError as error:
        unreadable.append(Mistake(Layer.FILE, 0, str(error)))
    reading = Reading(SecretKeys(cwd, credentials), unreadable)
    if source is not None:
        reading.file(source)
    reading.credentials()
    reading.environment(env)
    reading.overrides(overrides)
    return reading.examined(source)
