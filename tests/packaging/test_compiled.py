"""The option of the build that compiles what each message passes: what it takes, asks for and says.

A wheel is compiled once, and the tests of the codecs, which are written for plain Python, run over
what it installs.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
from hatchling.builders.config import BuilderConfig

from chatd.packaging import compile as native
from chatd.packaging.build_hook import COMPILE, BuildHook

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 300.0
SUITES: Final = (
    "tests/websocket",
    "tests/socketio",
    "tests/engineio",
    "tests/net",
    "tests/sockets",
    "tests/engine/test_websocket.py",
    "tests/engine/test_session.py",
    "tests/engine/test_upgrade.py",
    "tests/engine/test_slow_consumer.py",
)
"""Those that put no stand-in in the place of a compiled class, which compiled code refuses."""

pytestmark = pytest.mark.timeout(900)


class Aborted(Exception):
    """hatchling ends the build with this sentence."""


class App:
    """What a hook tells people by."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def abort(self, sentence: str) -> None:
        raise Aborted(sentence)

    def display_warning(self, sentence: str) -> None:
        self.warnings.append(sentence)


def hook_of(target: str = "wheel", app: App | None = None) -> BuildHook:
    nothing: Any = None
    config: BuilderConfig = nothing
    its_app: Any = app or App()
    return BuildHook(str(ROOT), {}, config, nothing, "", target, its_app)


@pytest.fixture(autouse=True)
def without_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATD_WEB", "skip")
    monkeypatch.delenv(COMPILE, raising=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install .` builds and installs where it is asked to compile."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    environment = {**os.environ, COMPILE: "1", "CHATD_WEB": "skip"}
    subprocess.run(command, cwd=ROOT, env=environment, timeout=LIMIT_S, check=True)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def compiled(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the wheel installs, and the tests."""
    tree = tmp_path_factory.mktemp("compiled")
    with ZipFile(wheel) as files:
        files.extractall(tree)
    ignored = shutil.ignore_patterns("node_modules", "__pycache__")
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def run_in(tree: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_who_does_not_ask_gets_the_wheel_that_they_always_got() -> None:
    hook, build_data = hook_of(), {"pure_python": True, "force_include": {}}
    assert not set(hook.dependencies()) & set(native.REQUIREMENTS)
    hook.initialize("standard", build_data)
    assert build_data == {"pure_python": True, "force_include": {}}


def test_the_compiler_is_needed_for_a_wheel_that_asks_for_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(COMPILE, "1")
    assert set(native.REQUIREMENTS) <= set(hook_of("wheel").dependencies())
    assert not set(native.REQUIREMENTS) & set(hook_of("sdist").dependencies())


def test_what_the_option_may_be_is_said_where_it_is_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(COMPILE, "yes")
    with pytest.raises(Aborted, match="CHATD_COMPILE is 1 or not set, not 'yes'"):
        hook_of().dependencies()


def test_a_machine_without_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILE, "1")
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(Aborted) as told:
        hook_of().initialize("standard", {"force_include": {}})
    assert "There is no C compiler here (no-such-compiler)" in str(told.value)
    assert "leave CHATD_COMPILE unset" in str(told.value)


def test_an_editable_install_is_not_compiled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILE, "1")
    app, build_data = App(), {"force_include": {}}
    hook_of(app=app).initialize("editable", build_data)
    assert build_data == {"force_include": {}}
    assert app.warnings == ["An editable install runs its sources: it is not compiled."]


@pytest.mark.parametrize("module", native.COMPILED)
def test_a_module_is_spelled_for_mypyc_line_by_line(module: str) -> None:
    source = (ROOT / module).read_text("utf-8")
    spelled = native.spelled_for_mypyc(source)
    assert spelled.count("\n") == source.count("\n")
    assert not re.search(r"@attrs\.|@statically_frozen|attrs\.(field|Factory)\(", spelled)


def test_nothing_that_is_compiled_leans_on_what_a_wait_may_have_changed() -> None:
    """mypyc takes mypy's word for what a field is, across an `await` too: what mypy calls
    unreachable then is where the compiled code would raise TypeError."""
    command = [sys.executable, "-m", "mypy", "--warn-unreachable", *native.COMPILED]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stdout


def test_the_wheel_is_for_this_platform_and_has_the_sources_too(wheel: Path) -> None:
    assert not wheel.name.endswith("none-any.whl")
    with ZipFile(wheel) as files:
        assert set(native.COMPILED) <= set(files.namelist())


def test_the_codecs_and_the_command_are_compiled_and_say_the_same(compiled: Path) -> None:
    names = [module.removesuffix(".py").replace("/", ".") for module in native.COMPILED]
    look = (
        "import importlib, sys; "
        "print(*{importlib.import_module(name).__file__[-3:] for name in sys.argv[1:]})"
    )
    assert run_in(compiled, "-c", look, *names).strip() == ".so"
    assert run_in(compiled, "-m", "chatd", "--version").strip().endswith(", compiled")
    said = run_in(compiled, "-m", "pytest", "-p", "no:xdist", "-q", *SUITES)
    assert re.search(r"\d{3} passed", said), said
