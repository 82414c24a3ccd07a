"""Where the value of a secret key stands, if not with the key itself.

One rule holds for every such key, of a section and of a table in it: `KEY_file` has the path of a
file with the secret, and a credential with the key's dotted name is such a file. If the key is a
table of secrets by name, `KEY_file` is a table of paths by the same names:

    [databases.sales]
    command = ["mcp-alchemy"]
    environment_file = { DB_URL = "/etc/chatd/sales-url" }

A credential wins over what is written, as the environment does. If a secret cannot be read, an
`InvalidValue` stands in its place, so that all mistakes of a table are reported together.
"""

from collections.abc import Mapping
from pathlib import Path

import attrs

from chatd.config.credentials import CREDENTIALS, Credentials
from chatd.config.errors import InvalidValue, kind_of
from chatd.config.kinds import ValueKind
from chatd.config.paths import shown_path
from chatd.config.secret_files import exposures, read_secret
from chatd.config.tables import SECRET_FILE, TableKind, TableOfRooms, TableOfSecrets


@attrs.define
class SecretKeys:
    """Reads the secrets of one configuration. `origin` has where each came from, by the dotted
    name of its key, and `warnings` has the sentences about files that others can read."""

    _cwd: Path
    _credentials: Credentials
    origin: dict[str, str] = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)

    def filled(self, kind: ValueKind, value: object, dotted: str, named_by: str) -> object:
        """A value that is written in `named_by`, with the secrets of its tables in their places."""
        match kind, value:
            case TableOfRooms(), Mapping():
                return {
                    name: self.filled(kind.table, table, f"{dotted}.{name}", named_by)
                    for name, table in value.items()
                }
            case TableKind(), Mapping():
                return self._of_table(kind, value, dotted, named_by)
            case ValueKind(entry=ValueKind() as entry), list() | tuple():
                return [
                    self.filled(entry, table, f"{dotted}[{index}]", named_by)
                    for index, table in enumerate(value)
                ]
        return value

    def credential(self, dotted: str) -> str | InvalidValue | None:
        """What the credential for a key holds; None if there is none."""
        path = self._credentials.take(dotted)
        if path is None:
            return None
        return self._read(dotted, path, f"${CREDENTIALS}/{dotted}")

    def of_file(self, dotted: str, path: object, named_by: str) -> str | InvalidValue:
        """What the file at `path` holds, which `named_by` names for a key."""
        if not isinstance(path, str) or not path:
            return InvalidValue(f"must be in a file whose path is a text, not {kind_of(path)}")
        origin = f"the file {shown_path(Path(path))}, named by {named_by}"
        return self._read(dotted, self._cwd / path, origin)

    @property
    def unused_credentials(self) -> list[str]:
        """The credentials whose names are not those of secret keys."""
        return self._credentials.unused

    @property
    def credential_names(self) -> list[str]:
        """The names that a credential can have."""
        return sorted(self._credentials.asked)

    def _of_table(
        self, kind: TableKind, table: Mapping[str, object], dotted: str, named_by: str
    ) -> Mapping[str, object]:
        secret = {key: f"{key}{SECRET_FILE}" for key, one in kind.keys.items() if one.is_secret}
        filled = {
            key: self.filled(kind.keys[key], value, f"{dotted}.{key}", named_by)
            if key in kind.keys
            else value
            for key, value in table.items()
            if key not in secret.values()
        }
        for key, in_file in secret.items():
            at = f"{dotted}.{key}"
            given: object = None
            if isinstance(kind.keys[key], TableOfSecrets):
                given = self._by_name(at, table.get(key, {}), table.get(in_file, {}), named_by)
            elif key in table and in_file in table:
                given = InvalidValue(beside(in_file))
            elif (given := self.credential(at)) is None and in_file in table:
                given = self.of_file(at, table[in_file], named_by)
            if given:
                filled[key] = given
        return filled

    def _by_name(self, dotted: str, texts: object, paths: object, named_by: str) -> object:
        """A table of secrets: those that are written, and those that are in files."""
        if not isinstance(texts, Mapping):  # which its kind refuses
            return texts
        if not isinstance(paths, Mapping):
            return InvalidValue(f"must be in files whose paths are a table, not {kind_of(paths)}")
        secrets = dict(texts)
        for name, path in paths.items():
            if name in texts:
                secrets[name] = InvalidValue(beside("the path of a file"))
            else:
                secrets[name] = self.of_file(f"{dotted}.{name}", path, named_by)
        for name in self._credentials.below(dotted):
            secrets[name] = self.credential(f"{dotted}.{name}")
        return secrets

    def _read(self, dotted: str, path: Path, origin: str) -> str | InvalidValue:
        self.origin[dotted] = origin
        try:
            secret = read_secret(path)
        except InvalidValue as invalid:
            return invalid
        self.warnings += exposures(path, secret.mode, [dotted])
        return secret.text


def beside(in_file: str) -> str:
    """The fault of a secret that is written twice."""
    return f"is written beside {in_file}; leave one of them out"
