"""The tree is as the tools want it: each of them is a test that fails with what the tool says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIME_LIMIT_S = 280  # the first run of mypy, without its cache, takes longest
PYTHON = (sys.executable, "-m")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((*PYTHON, "ruff", "check", "--quiet", "."), id="ruff check"),
        pytest.param((*PYTHON, "ruff", "format", "--check", "."), id="ruff format"),
        pytest.param((*PYTHON, "mypy", "--no-error-summary"), id="mypy"),
        pytest.param((str(Path(sys.executable).parent / "lint-imports"),), id="import-linter"),
    ],
)
def test_the_tree_is_as_the_tool_wants_it(command: tuple[str, ...]) -> None:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    if ended.returncode != 0:
        pytest.fail(ended.stdout or f"exit code {ended.returncode}", pytrace=False)
