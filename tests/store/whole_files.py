"""What stands in a directory whose files come, go and get other names meanwhile."""

import stat
from contextlib import suppress
from pathlib import Path

LOOKS_MAX = 100


def whole_files(directory: Path) -> dict[str, bytes]:
    """The regular files of a directory, by name. Where one is renamed or removed between the
    listing and the look at it, all are read again: it may be there by another name."""
    for _ in range(LOOKS_MAX):
        with suppress(FileNotFoundError):
            return {
                path.name: path.read_bytes()
                for path in directory.iterdir()
                if stat.S_ISREG(path.stat().st_mode)
            }
    raise AssertionError("the files do not stay")
