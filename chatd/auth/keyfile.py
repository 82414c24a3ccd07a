"""The secret that chatd generates for itself if none is configured.

It is in a separate file in the state directory, readable only by its owner, and is the same at the
next start, so that tokens outlive a restart. Synchronous: it is read once, before anything serves.
"""

import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from chatd.auth.keys import MIN_SECRET_BYTES
from chatd.files import NotAFileError, give_to_owner_of, open_file, sync_directory

_GENERATED_BYTES: Final = 48
"""Random bytes of a generated secret: 64 characters of URL-safe base64, with no padding."""

_FILE_BYTES: Final = 4096
"""The longest file that is taken for a secret; a longer one is refused, not read."""


def load_or_create_secret(path: Path) -> str:
    """The secret in the file `path`; the file and its directory are made if they are not there.

    The file is whole or not there, whatever is killed when; if several processes start at once, one
    makes it, and all return what that one wrote. Raises ValueError, with a sentence that says what
    to do, for a file that others may read or write, or that does not hold a good secret, and
    OSError if the disk refuses. A file that root makes belongs to the owner of its directory, as
    whom the daemon runs.
    """
    try:
        return load_secret(path)
    except FileNotFoundError:
        _create(path)
    return load_secret(path)


def load_secret(path: Path) -> str:
    """The secret in a file that is there already; nothing is written.

    Raises FileNotFoundError if there is none, and otherwise as `load_or_create_secret`.
    """
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except NotAFileError as error:
        raise ValueError(f"the secret {path} cannot be read: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & 0o077:
            raise ValueError(
                f"the secret {path} is open to others (mode {mode:04o}), who may know it: "
                "remove it for a new one, or chmod 600 it"
            )
        content = file.read(_FILE_BYTES + 1)
    try:
        secret = content.decode("ascii").strip()
    except UnicodeDecodeError:  # the original holds the secret
        raise ValueError(f"the secret {path} is not ASCII text") from None
    if len(secret) < MIN_SECRET_BYTES or len(content) > _FILE_BYTES:
        raise ValueError(
            f"the secret {path} does not have {MIN_SECRET_BYTES} to {_FILE_BYTES} characters: "
            "remove it for a new one"
        )
    return secret


def _create(path: Path) -> None:
    """Leave a whole secret at `path`, ours or one from a process that was quicker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp: O_EXCL and mode 0600 from the first instant, whatever the umask
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            give_to_owner_of(path.parent, descriptor)
            file.write(secrets.token_urlsafe(_GENERATED_BYTES))
            file.flush()
            os.fsync(descriptor)
        try:
            # as atomic as a rename, but it never replaces what another starter has put there
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        os.unlink(temporary)
    sync_directory(path.parent)
