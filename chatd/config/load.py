"""Makes one `Config` from file, environment and flags.

Later layers win, key by key: defaults, the file, the credentials of the service manager,
`CHATD_SECTION__KEY` in the environment, flags. For each key that is a secret there is a second one
that ends in `_file` (`_FILE`), in the same layer: see `secret_keys`.

A variable with CHATD_ but no double underscore is not ours and is ignored: container platforms set
such names for services (CHATD_SERVER_PORT=tcp://...), and failing on them would keep the daemon
from starting when nothing is wrong.

A mistake does not end the reading: all of them are reported at once, those in the file in the order
in which they are written. Meanwhile a wrong value counts as not written.
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
    """Like `load`, for callers that look for further mistakes; raises nothing."""
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
