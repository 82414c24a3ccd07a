"""`python3 -m tests --help` answers at once, with nothing but Python."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.__main__ import DEBIAN_PACKAGES

TESTS = Path(__file__).parents[1]


def test_help_names_every_option_and_installs_nothing(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    shutil.copy(TESTS / "__main__.py", tmp_path / "tests")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "tests" / "__main__.py"), "--help"],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    options = re.findall(r'addoption\(\s*"(--[a-z-]+)"', (TESTS / "conftest.py").read_text())
    assert len(options) == 7
    assert all(option in ended.stdout for option in options)
    assert ended.stdout.startswith("usage: python3 -m tests")
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]


# Runs the command with a Python as Debian ships it, by a user of this number.
AS_ON_DEBIAN = """
import importlib.util, os, runpy, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "ensurepip" else found(name, *more)
main, user = sys.argv.pop(1), int(sys.argv.pop(1))
os.geteuid = lambda: user
runpy.run_path(main, run_name="__main__")
"""
VENV = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


def run_as(user: int, tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The command where nothing is installed, and what it asked of apt-get."""
    (tmp_path / "tests").mkdir()
    shutil.copy(TESTS / "__main__.py", tmp_path / "tests")
    asked = tmp_path / "asked"
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (("dpkg-query", "exit 1"), ("apt-get", f'echo "$@" >> {asked}')):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-c", AS_ON_DEBIAN, str(tmp_path / "tests" / "__main__.py"), str(user)],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended, asked.read_text().splitlines() if asked.exists() else []


def test_on_debian_root_installs_what_is_missing_the_module_for_environments_too(
    tmp_path: Path,
) -> None:
    ended, asked = run_as(0, tmp_path)
    assert asked[0].endswith("update")
    names = " ".join(DEBIAN_PACKAGES)
    assert asked[1] == f"-qq install --yes --no-install-recommends {names} {VENV}"
    # Here apt-get has installed nothing.
    assert ended.returncode == 1
    assert "This Python makes no virtual environments" in ended.stderr


def test_on_debian_anybody_else_is_told_what_root_has_to_install(tmp_path: Path) -> None:
    ended, asked = run_as(1000, tmp_path)
    assert asked == []
    names = " ".join(DEBIAN_PACKAGES)
    assert f"as root on Debian: apt-get install {names} {VENV}" in (ended.stdout)
    assert ended.returncode == 1
    assert ended.stderr == (
        "tests: This Python makes no virtual environments; as root on Debian: apt-get install "
        f"{VENV}.\n"
    )
