"""The log of the tests holds no token, whatever they do with them."""

import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from tests.no_tokens_told import MASK

ROOT = Path(__file__).parents[1]
TOKEN = jwt.encode({"sub": "ada"}, "a secret for the tests, of more than 32 bytes", "HS256")
CONFTEST = """
from tests import no_tokens_told

def pytest_configure(config):
    config.pluginmanager.register(no_tokens_told)
"""
TELLING = f"""
import pytest

TOKEN = "{TOKEN}"

def test_an_assertion():
    assert {{"token": TOKEN}} == {{}}

def test_an_exception():
    raise ValueError(f"Bearer {{TOKEN}}")

def test_what_is_printed():
    print("printed", TOKEN)
    raise ValueError("nothing")

@pytest.fixture
def broken():
    raise ValueError(TOKEN[:-5])

def test_a_fixture(broken): ...
"""


@pytest.mark.parametrize("options", [("-n", "0"), ("-n", "1")], ids=str)
def test_no_failure_tells_a_token(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_telling.py").write_text(TELLING)
    ended = run(tmp_path, *options, "-v", "--showlocals", "test_telling.py")
    assert ended.returncode == 1, ended.stdout
    assert "3 failed, 1 error" in ended.stdout
    assert ended.stdout.count(MASK) >= 4
    for part in TOKEN.split("."):
        assert part not in ended.stdout + ended.stderr


def test_a_name_with_a_token_ends_the_run(tmp_path: Path) -> None:
    named = f'import pytest\n@pytest.mark.parametrize("token", ["{TOKEN[:60]}"])\n'
    (tmp_path / "test_named.py").write_text(f"{named}def test_one(token): ...\n")
    ended = run(tmp_path, "-n", "0", "-v", "test_named.py")
    assert ended.returncode == 4
    assert f"give its test ids: test_named.py::test_one[{MASK}]" in ended.stderr
    assert TOKEN[:30] not in ended.stdout + ended.stderr


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """pytest in this folder, with the plugin of the tests."""
    (folder / "conftest.py").write_text(CONFTEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    environment = {"PYTHONPATH": str(ROOT), "PATH": str(Path(sys.executable).parent)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
