"""What the keys of sections are called: in the file, in the environment, as credentials."""

from typing import Any, Final

import attrs

from chatd.config.sections import about, keys_of, sections
from chatd.config.tables import SECRET_FILE

PREFIX: Final = "CHATD_"


def dotted_names() -> list[str]:
    """Every key of a section, as in "server.port"."""
    return [f"{name}.{key}" for name, section in sections().items() for key in keys_of(section)]


def secret_keys() -> "dict[str, attrs.Attribute[Any]]":
    """The keys that are secrets; credentials may have these names too."""
    return {
        f"{name}.{key}": field
        for name, section in sections().items()
        for key, field in keys_of(section).items()
        if about(field).kind.is_secret
    }


def key_of_file(section: str, name: str) -> str | None:
    """The secret of a section whose file the key `name` names; None if it is not such a key."""
    key = name.removesuffix(SECRET_FILE)
    return key if key != name and f"{section}.{key}" in secret_keys() else None


def written_names(section: str) -> list[str]:
    """Every name that may stand in a section, including the keys that name files with secrets."""
    keys = list(keys_of(sections()[section]))
    files = [f"{key}{SECRET_FILE}" for key in keys if f"{section}.{key}" in secret_keys()]
    return [*keys, *files]


def written_name(dotted: str) -> str:
    """A key as the file spells it: auth.supabase.url for the field auth.supabase."""
    section, _, name = dotted.partition(".")
    field = keys_of(sections()[section]).get(name)
    return f"{section}.{about(field).written or name}" if field is not None else dotted


def variable_of(dotted: str) -> str:
    """The variable of the environment for a key: CHATD_SERVER__PORT for server.port."""
    return PREFIX + written_name(dotted).replace(".", "__").upper()


def variables() -> list[str]:
    """All variables; those that name a file with a secret come last."""
    return [*map(variable_of, dotted_names()), *map(file_variable_of, secret_keys())]


def file_variable_of(dotted: str) -> str:
    """The variable that names the file of a secret."""
    return variable_of(f"{dotted}{SECRET_FILE}")
