"""The credentials that a service manager hands over: one file for each secret.

systemd's `LoadCredential=auth.jwt_secret:/etc/chatd/jwt-secret` puts the secret into a file of that
name, in a directory that only the daemon can read, and names the directory in
`$CREDENTIALS_DIRECTORY`. Here the name of a credential is that of its key: `auth.jwt_secret`,
`databases.sales.postgres`, `databases.sales.environment.DB_URL`.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from chatd.config.errors import ConfigError
from chatd.config.paths import shown_path

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


@attrs.define
class Credentials:
    """The files in the directory whose names begin with the name of a section."""

    _directory: Path = Path()
    _names: frozenset[str] = frozenset()
    asked: set[str] = attrs.field(factory=set, init=False)
    """The names that a credential could have."""

    def take(self, name: str) -> Path | None:
        """The file of a credential; None if there is none of that name."""
        self.asked.add(name)
        return self._directory / name if name in self._names else None

    def below(self, name: str) -> Iterator[str]:
        """The last words of all names that consist of this one, a dot and one more word."""
        for known in sorted(self._names):
            before, _, last = known.rpartition(".")
            if before == name:
                yield last

    @property
    def unused(self) -> list[str]:
        """The names that nothing has asked for."""
        return sorted(self._names - self.asked)


def find_credentials(env: Mapping[str, str], cwd: Path, sections: Collection[str]) -> Credentials:
    """The credentials of this process; an empty variable means there are none. Names that do not
    begin with a section and a dot belong to other programs, and are passed over.

    Raises `ConfigError` if the directory cannot be read: secrets that should be there must not pass
    for secrets that nobody has set.
    """
    if not env.get(CREDENTIALS):
        return Credentials()
    directory = cwd / env[CREDENTIALS]
    try:
        names = os.listdir(directory)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not the name of a directory"
        raise ConfigError(
            f"environment variable {CREDENTIALS}: the directory {shown_path(directory)} cannot be "
            f"read ({why}); run this as the daemon's user, or unset the variable."
        ) from None
    ours = (name for name in names if name.partition(".")[0] in sections and "." in name)
    return Credentials(directory, frozenset(ours))
