"""`python3 -m tests --help` answers at once, with nothing but Python."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

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
    assert len(options) == 4
    assert all(option in ended.stdout for option in options)
    assert ended.stdout.startswith("usage: python3 -m tests")
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]
