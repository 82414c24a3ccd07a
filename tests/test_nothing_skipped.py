"""What is skipped fails, whoever runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SKIPPING = """
import unittest
import pytest

@pytest.mark.skip(reason="by its mark")
def test_marked(): ...

def test_in_the_middle():
    pytest.skip("by itself")

@pytest.fixture
def gone():
    raise unittest.SkipTest("by its fixture")

def test_of_a_fixture(gone): ...

@pytest.mark.xfail(reason="a fault that is known")
def test_expected():
    assert False

def test_of_nothing_special(): ...
"""


@pytest.mark.parametrize("options", [("-n", "0"), ("-n", "1", "--dist", "loadfile")], ids=str)
def test_a_skipped_test_fails_and_so_does_a_skipped_file(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "conftest.py").write_text("from tests.nothing_skipped import *\n")
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    ended = run(tmp_path, *options, "test_skipping.py")
    assert ended.returncode == 1, ended.stdout
    for reason in ("by its mark", "by itself", "by its fixture"):
        assert f"A skipped test counts as failed. Skipped: {reason}" in ended.stdout
    assert "1 failed, 1 passed, 1 xfailed, 2 errors" in ended.stdout

    (tmp_path / "test_absent.py").write_text("import pytest\npytest.importorskip('not_there')\n")
    ended = run(tmp_path, *options, "test_absent.py")
    assert ended.returncode != 0, ended.stdout
    assert "could not import 'not_there'" in ended.stdout


def run(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
