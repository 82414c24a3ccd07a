"""The parts of the page as a package, and applications that have it installed."""

import fcntl
import shutil
from pathlib import Path
from typing import Final

from tests.page.client import CLIENT, run

MATERIAL: Final = Path(__file__).parent


def build(place: Path) -> Path:
    """Build the package as people do, and take it to a place of one's own: another process of the
    tests may do the same meanwhile."""
    with (CLIENT / "node_modules" / ".package-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(["npm", "run", "--silent", "build:package"])
        shutil.copytree(CLIENT / "dist-package", place)
    return place


def application(place: Path, package: Path, *needs: str) -> Path:
    """A directory with the package, and with these of the packages that the page is built with.

    It is a copy, so that it finds no other packages than these.
    """
    modules = place / "node_modules"
    shutil.copytree(package, modules / "@chatd" / "react")
    for name in needs:
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).symlink_to(CLIENT / "node_modules" / name)
    return place
