"""Builds what can be installed without a Python: one file, a Debian package, a container image.

    python3 chatd/packaging/build.py executable debian container --out DIRECTORY

    executable    DIRECTORY/chatd: the daemon with its page, documents and Python, in one file
    debian        DIRECTORY/chatd_VERSION_ARCHITECTURE.deb: the same in /usr/lib/chatd, with a unit,
                  a user and a configuration file
    container     the image `chatd`, by podman or docker; needs one of them

Each runs on Linux of this architecture with a C library (glibc) that is no older than this
machine's: build on the oldest system that is to run it. PyInstaller puts it together, from an
environment that this program makes for itself.
"""

import argparse
import gzip
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = ROOT / "chatd" / "packaging"
KINDS: Final = ("executable", "debian", "container")
PYINSTALLER: Final = "pyinstaller>=6.10,<7"
ENGINES: Final = ("podman", "docker")
ADDRESS: Final = "127.0.0.1:8765"
"""Where the socket unit of the Debian package listens: as `chatd.toml` has it."""


def main(arguments: Sequence[str]) -> None:
    """Build what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="+", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where it is put (dist)")
    options = parser.parse_args(arguments)
    kinds, out = set(options.kinds), options.out.resolve()
    engine = find_engine() if "container" in kinds else ""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chatd-packaging-") as scratch:
        built = freeze(Path(scratch))
        if "executable" in kinds:
            told(shutil.copy2(built / "chatd", out / "chatd"))
        if "debian" in kinds:
            told(debian_package(built / "tree", Path(scratch), out))
        if "container" in kinds:
            run(engine, "build", "--tag", "chatd", "--file", HERE / "Containerfile", built)
            told("the image chatd")


def find_engine() -> str:
    """The program that builds images. Ends this one if there is none."""
    for engine in ENGINES:
        if shutil.which(engine):
            return engine
    sys.exit("An image needs podman or docker; install one of them, or build the other kinds.")


def freeze(scratch: Path) -> Path:
    """Make a directory with `chatd`, all in one file, and `tree`, the same as a directory."""
    environment = scratch / "environment"
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", f"{ROOT}[postgres]", PYINSTALLER)
    built = scratch / "built"
    run(
        *(python, "-m", "PyInstaller", "--log-level", "ERROR", "--noconfirm"),
        *("--distpath", built, "--workpath", scratch / "work", HERE / "chatd.spec"),
        cwd=scratch,  # what is installed counts, not the sources
    )
    return built


def debian_package(tree: Path, scratch: Path, out: Path) -> Path:
    """Make the Debian package of a tree, and put it into `out`."""
    version, architecture = version_of(ROOT), output("dpkg", "--print-architecture")
    root = scratch / "debian"
    shutil.copytree(tree, root / "usr/lib/chatd", symlinks=True)
    link(root / "usr/bin/chatd", "../lib/chatd/starter")
    for name in ("chatd.service", "chatd.socket"):
        marks = {"@CHATD@": "/usr/bin/chatd", "@CONFIG@": "", "@ADDRESS@": ADDRESS}
        write(root / "usr/lib/systemd/system" / name, ROOT / "chatd/systemd" / name, marks)
    write(root / "usr/lib/systemd/system/chatd.service.d/user.conf", HERE / "debian/user.conf")
    write(root / "etc/chatd/chatd.toml", ROOT / "chatd.toml")
    write(root / "usr/share/doc/chatd/copyright", ROOT / "LICENSE")
    changes = f"chatd ({version}) stable; urgency=medium\n\n  * See the history of the project.\n"
    (root / "usr/share/doc/chatd/changelog.gz").write_bytes(gzip.compress(changes.encode(), 9))
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) // 1024
    marks = {"@VERSION@": version, "@ARCHITECTURE@": architecture, "@SIZE@": str(size)}
    marks["@LIBC@"] = platform.libc_ver()[1]
    for file in sorted((HERE / "debian/control").iterdir()):
        is_script = file.name in ("postinst", "prerm", "postrm")
        write(root / "DEBIAN" / file.name, file, marks, 0o755 if is_script else 0o644)
    package = out / f"chatd_{version}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, package)
    return package


def version_of(root: Path) -> str:
    """The version of chatd."""
    found = re.search(r'__version__ = "([^"]+)"', (root / "chatd/__init__.py").read_text("utf-8"))
    assert found is not None
    return found[1]


def write(file: Path, source: Path, marks: dict[str, str] | None = None, mode: int = 0o644) -> None:
    """Write a file of a package: the text of `source`, with its marks replaced."""
    text = source.read_text("utf-8")
    for mark, value in (marks or {}).items():
        text = text.replace(mark, value)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    file.chmod(mode)


def link(place: Path, target: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a program; if it fails, this one ends with its exit code."""
    done = subprocess.run(command, cwd=cwd, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def told(what: object) -> None:
    sys.stdout.write(f"Built: {what}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
