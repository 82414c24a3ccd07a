"""The parts of the page as others get them: in Node, on a server, through the compiler."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.page.client import CLIENT, program, run
from tests.page.packaged import MATERIAL, application, build

REACT = ("react", "react-dom", "scheduler")
TYPES = ("@types/react", "@types/react-dom", "csstype")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built") / "package")


@pytest.fixture(scope="module")
def manifest(package: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((package / "package.json").read_text())
    return described


@pytest.fixture
def needs(manifest: dict[str, Any]) -> set[str]:
    """The packages that the lock file of the page has for what this one needs, and so on."""
    lock = json.loads((CLIENT / "package-lock.json").read_text())["packages"]
    found: set[str] = set()
    asked = [*manifest["dependencies"]]
    while asked:
        name = asked.pop()
        if name not in found:
            found.add(name)
            asked += lock[f"node_modules/{name}"].get("dependencies", {})
    return found


def imports(file: Path) -> set[str]:
    """What a module of JavaScript names as imports."""
    statements = r'^(?:import|export)\b[^"\n]*"([^"\n]+)";'
    calls = r'\bimport\("([^"]+)"\)'
    text = file.read_text()
    return {*re.findall(statements, text, re.MULTILINE), *re.findall(calls, text)}


def package_of(name: str) -> str:
    """`@a/b/c` is of the package `@a/b`."""
    return "/".join(name.split("/")[: 2 if name.startswith("@") else 1])


def test_every_package_that_it_takes_is_named(package: Path, manifest: dict[str, Any]) -> None:
    taken = {
        package_of(name)
        for file in package.rglob("*.js")
        for name in imports(file)
        if not name.startswith(".")
    }
    known = {*manifest["dependencies"], *manifest["peerDependencies"]}
    assert {"react", "zustand"} <= taken <= known
    assert {"react", "react-dom", "vite"}.isdisjoint(manifest["dependencies"])


def test_an_application_with_server_components_sees_where_the_client_begins(package: Path) -> None:
    assert (package / "index.js").read_text().startswith('"use client";\n')
    assert "use client" not in (package / "client.js").read_text()


def test_what_is_exported_is_there_and_the_style_is_of_the_chat(
    package: Path, manifest: dict[str, Any]
) -> None:
    for entry in manifest["exports"].values():
        for name in [entry] if isinstance(entry, str) else entry.values():
            assert (package / name).is_file()
    style = (package / "style.css").read_text()
    assert ".chatd" in style
    assert "@import" not in style


def test_the_client_needs_no_react(package: Path, tmp_path: Path, needs: set[str]) -> None:
    place = application(tmp_path, package, *(needs - set(REACT)))
    shutil.copy(MATERIAL / "package" / "without_react.mjs", place)
    said = run(["node", "--preserve-symlinks", "without_react.mjs"], cwd=place)
    assert "createChat" in json.loads(said)


def test_a_server_renders_the_chat_and_touches_nothing_of_a_browser(
    package: Path, tmp_path: Path, needs: set[str]
) -> None:
    place = application(tmp_path, package, *REACT, *needs)
    shutil.copy(MATERIAL / "package" / "render.mjs", place)
    markup = run(["node", "--preserve-symlinks", "render.mjs"], cwd=place)
    assert re.match(r'<div class="chatd[ "]', markup)


@pytest.mark.parametrize(
    ("module", "resolution"), [("esnext", "bundler"), ("nodenext", "nodenext")]
)
def test_the_compiler_knows_its_types_and_finds_mistakes(
    package: Path, tmp_path: Path, needs: set[str], module: str, resolution: str
) -> None:
    place = application(tmp_path, package, *REACT, *TYPES, *needs)
    shutil.copy(MATERIAL / "package" / "consumer.tsx", place)
    (place / "package.json").write_text('{"type": "module"}')
    options = {
        "strict": True,
        "noEmit": True,
        "jsx": "react-jsx",
        "target": "es2022",
        "lib": ["dom", "es2023"],
        "module": module,
        "moduleResolution": resolution,
        "preserveSymlinks": True,
        "skipLibCheck": False,
        "types": [],
    }
    described = {"compilerOptions": options, "files": ["consumer.tsx"]}
    (place / "tsconfig.json").write_text(json.dumps(described))
    run(program("tsc", "-p", str(place)))
