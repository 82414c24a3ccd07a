"""The sources of the page, and its npm scripts, which fail as tests in their own words."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

CLIENT: Final = Path(__file__).parents[2] / "chatd" / "web" / "client"
TIME_LIMIT_S: Final = 240

_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m")


def run(
    command: Sequence[str],
    cwd: Path = CLIENT,
    environment: Mapping[str, str] | None = None,
    *,
    limit_s: float = TIME_LIMIT_S,
) -> str:
    """Run a program to its end; what it said. Where it fails, that is what the test says."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_s,
        check=False,
    )
    said = _COLOURS.sub("", ended.stdout)
    if ended.returncode != 0:
        pytest.fail(said or f"exit code {ended.returncode}", pytrace=False)
    return said


def program(name: str, *arguments: str) -> list[str]:
    """A program of an npm package that is installed for the page."""
    return [str(CLIENT / "node_modules" / ".bin" / name), *arguments]
