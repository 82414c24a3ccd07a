"""Secrets in files of their own: reading one, and whether others can read it too.

Such a file holds one secret and nothing else. Editors and `echo` end it with a line break, and some
put a byte order mark in front: neither is part of the secret. Everything else is.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from chatd.config.errors import InvalidValue
from chatd.config.kinds import has_control
from chatd.config.paths import shown_path
from chatd.files import open_file

SECRET_BYTES_MAX: Final = 65_536
"""The most bytes of a file with a secret. Keys and addresses of databases have a few thousand at
most, so a longer file is probably the wrong one; it is refused, and not read to its end."""


@attrs.frozen
class SecretFile:
    """A secret as its file has it, and the permissions of that file."""

    text: str = attrs.field(repr=False)
    mode: int


def read_secret(path: Path) -> SecretFile:
    """The secret in a file. Never waits: anything but a regular file is refused.

    Raises `InvalidValue`, whose problem continues the sentence after the name of the key, if there
    is no such file, it cannot be read, or it holds no secret that fits on one line. A path that
    does not exist is not shown: many people write the secret itself there.
    """
    shown = f"the file {shown_path(path)}" if os.path.lexists(path) else "the file that is named"
    try:
        descriptor = open_file(path, os.O_RDONLY)
        with open(descriptor, "rb") as file:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            content = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidValue(
            f"cannot be read from {shown} ({why}); name a file that this user may read"
        ) from None
    except ValueError:  # a NUL in the name, or half of a character
        raise InvalidValue("cannot be read, as no file has such a name; name one") from None
    if len(content) > SECRET_BYTES_MAX:
        raise InvalidValue(
            f"cannot be in {shown}, which has more than {SECRET_BYTES_MAX} bytes; "
            "write the secret alone into a file"
        )
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:  # the original holds the secret
        raise InvalidValue(
            f"cannot be in {shown}, which is not UTF-8; save it as UTF-8 text"
        ) from None
    if not text:
        raise InvalidValue(f"cannot be in {shown}, which is empty; write it there")
    if has_control(text):
        raise InvalidValue(
            f"cannot be in {shown}, which has several lines or control characters; "
            "write the secret alone into one line"
        )
    return SecretFile(text, mode)


def exposures(path: Path, mode: int, names: Sequence[str]) -> list[str]:
    """Sentences for the operator if any user of the machine can change a file with these
    permissions, or read one that holds the secrets `names`; none if they cannot, for instance
    because a folder above keeps them out."""
    shown, all_users = shown_path(path), "every user of this machine"
    found: list[str] = []
    if mode & stat.S_IROTH and names:
        found.append(
            f"The file {shown} holds {' and '.join(names)}, and {all_users} can read it (mode "
            f"{mode:04o}): take that right away (chmod o-r)."
        )
    if mode & stat.S_IWOTH:
        found.append(
            f"The file {shown} decides what chatd does, and {all_users} can change it (mode "
            f"{mode:04o}): take that right away (chmod o-w)."
        )
    return found if found and _is_open(path) else []


def _is_open(path: Path) -> bool:
    """Whether every folder above lets every user through; one that cannot be looked at counts as
    closed."""
    try:
        above = Path(os.path.realpath(path)).parents
        return all(os.stat(folder).st_mode & stat.S_IXOTH for folder in above)
    except OSError:
        return False
