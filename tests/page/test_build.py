"""The hook that builds the page with the package: when it needs Node, and what becomes of failures.

npm and Node are programs of these tests here; the real ones have built the page of this tree.
"""

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.config import BuilderConfig

from chatd.web import build_hook
from chatd.web.build_hook import (
    CLIENT,
    MODE,
    NODE,
    STAMP,
    BuildError,
    Node,
    PageBuild,
    PageHook,
    compress,
    main,
)

ROOT = Path(__file__).parents[2]

NPM = """
import os, pathlib, sys
packages = pathlib.Path("node_modules/socket.io-client/dist")
if sys.argv[1] == "ci":
    assert "--omit=dev" in sys.argv and "--omit=optional" not in sys.argv
    packages.mkdir(parents=True)
    for name in {client!r}:
        (packages / name).write_text(name)
else:
    assert sys.argv[1:] == ["run", "build"]
    out = pathlib.Path(os.environ["CHATD_WEB_OUT"])
    (out / ".vite").mkdir(parents=True)
    (out / ".vite" / "manifest.json").write_text("{{}}")
    (out / "index.html").write_text(pathlib.Path("index.html").read_text() * 100)
    assert os.environ["NODE_ENV"] == ""
"""
SILENT_NODE = """
import sys
for name in sys.argv[sys.argv.index("--") + 1:]:
    open(name + ".br", "w").write("b")
"""
BROKEN = "import sys; sys.exit('ENOTFOUND registry')"


def node_of(place: Path, npm: str = NPM, node: str = SILENT_NODE) -> Node:
    """A Node whose programs are these."""
    (place / "npm.py").write_text(npm.format(client=CLIENT) if npm is NPM else npm)
    (place / "node.py").write_text(node)
    run = sys.executable
    path = os.environ["PATH"]
    return Node((run, str(place / "node.py")), (run, str(place / "npm.py")), path)


@pytest.fixture
def page(tmp_path: Path) -> PageBuild:
    """A tree with sources of a page, and nothing built."""
    page = PageBuild(tmp_path / "tree")
    (page.sources / "src").mkdir(parents=True)
    (page.sources / "index.html").write_text("<!doctype html>")
    (page.sources / "src" / "main.tsx").write_text("main")
    return page


def hook_of(page: PageBuild) -> PageHook:
    nothing: Any = None
    config: BuilderConfig = nothing
    return PageHook(str(page.root), {}, config, nothing, "", "wheel")


def files(directory: Path) -> set[str]:
    found = (file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory).as_posix() for file in found}


def test_what_is_built_has_the_client_beside_it_and_leaves_nothing_else_in_the_tree(
    page: PageBuild, tmp_path: Path
) -> None:
    before = files(page.root)
    page.build_apart(node_of(tmp_path))
    client = {f"socket.io/{name}" for name in CLIENT}
    assert {"index.html", "index.html.gz", "index.html.br", STAMP} | client <= files(page.built)
    assert not (page.built / ".vite").exists()
    assert {name for name in files(page.root) if "/dist/" not in name} == before
    assert page.is_current()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("src/main.tsx", True),
        ("src/new.ts", True),
        ("package-lock.json", True),
        ("tests/a.test.ts", False),
        ("node_modules/react/index.js", False),
        ("dist-package/index.js", False),
    ],
)
def test_the_page_is_built_anew_when_what_it_is_built_from_changes(
    page: PageBuild, tmp_path: Path, name: str, counts: bool
) -> None:
    page.build_apart(node_of(tmp_path))
    changed = page.sources / name
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text("other")
    assert page.is_current() is not counts


def test_two_files_do_not_pass_for_one_by_their_names_and_contents(page: PageBuild) -> None:
    file = page.sources / "a"
    file.write_bytes(b"b\0c")
    one = page.digest()
    file.write_bytes(b"b")
    assert page.digest() != one


def test_node_is_asked_for_only_where_there_is_something_to_build(
    page: PageBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MODE, raising=False)
    assert hook_of(page).dependencies() == [NODE]
    monkeypatch.setenv(MODE, "skip")
    assert hook_of(page).dependencies() == []
    monkeypatch.setenv(MODE, "required")
    assert hook_of(page).dependencies() == [NODE]
    page.build_apart(node_of(tmp_path))
    assert hook_of(page).dependencies() == []


def test_where_there_is_no_node_to_download_none_is_asked_for(
    page: PageBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MODE, raising=False)
    monkeypatch.setattr(build_hook, "has_node_wheel", lambda: False)
    assert hook_of(page).dependencies() == []


def test_a_page_that_is_there_is_not_built_again(
    page: PageBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.build_apart(node_of(tmp_path))
    monkeypatch.setenv(MODE, "required")
    monkeypatch.setattr(build_hook, "brought_node", lambda: node_of(tmp_path, npm=BROKEN))
    hook_of(page).initialize("standard", {})
    assert page.is_current()


def test_without_the_registry_the_package_is_built_without_the_page(
    page: PageBuild,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(MODE, raising=False)
    monkeypatch.setattr(build_hook, "brought_node", lambda: node_of(tmp_path, npm=BROKEN))
    hook_of(page).initialize("standard", {})
    assert not page.built.exists()
    said = "".join(capsys.readouterr())
    assert "without its page. npm ci ended with exit code 1: ENOTFOUND registry" in said


def test_where_the_page_is_required_that_is_an_error(
    page: PageBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODE, "required")
    monkeypatch.setattr(build_hook, "brought_node", lambda: node_of(tmp_path, npm=BROKEN))
    with pytest.raises(SystemExit) as ended:
        hook_of(page).initialize("standard", {})
    assert ended.value.code == 1


def test_a_mode_that_is_none_is_an_error(page: PageBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODE, "maybe")
    with pytest.raises(SystemExit):
        hook_of(page).dependencies()


def test_a_build_that_fails_leaves_the_page_before_it(page: PageBuild, tmp_path: Path) -> None:
    page.build_apart(node_of(tmp_path))
    before = files(page.built)
    (page.sources / "index.html").write_text("new")
    with pytest.raises(BuildError, match="Brotli ended with exit code 1: ENOTFOUND"):
        page.build_apart(node_of(tmp_path, node=BROKEN))
    assert files(page.built) == before
    assert not page.is_current()


def test_a_step_that_cannot_be_run_is_told_too(page: PageBuild) -> None:
    nowhere = Node(("/nowhere/node",), ("/nowhere/npm",), "")
    with pytest.raises(BuildError, match=r"npm ci: .*No such file"):
        page.build_apart(nowhere)


def test_files_are_coded_where_that_is_worth_it_and_equal_files_alike(tmp_path: Path) -> None:
    node, contents = node_of(tmp_path), {}
    for name in ("one", "two"):
        out = tmp_path / name
        out.mkdir()
        (out / "long.js").write_text("again " * 100)
        (out / "short.svg").write_text("x")
        (out / "picture.png").write_text("again " * 100)
        compress(out, node)
        assert files(out) == {
            *("long.js", "long.js.gz", "long.js.br", "short.svg", "picture.png"),
        }
        contents[name] = (out / "long.js.gz").read_bytes()
    assert contents["one"] == contents["two"]
    assert gzip.decompress(contents["one"]) == b"again " * 100


# The page of this tree


def test_the_page_of_this_tree_is_built_from_its_sources() -> None:
    assert PageBuild(ROOT).is_current()
    main([])  # has nothing to do


def test_each_coded_file_of_it_is_that_file() -> None:
    built = PageBuild(ROOT).built
    for file in built.rglob("*.gz"):
        assert gzip.decompress(file.read_bytes()) == file.with_suffix("").read_bytes()
    coded = sorted(built.rglob("*.br"))
    assert len(coded) > 3
    script = (
        'for (const f of process.argv.slice(1)) console.log(require("node:crypto").createHash('
        '"sha256").update(require("node:zlib").brotliDecompressSync(require("node:fs")'
        '.readFileSync(f))).digest("hex"))'
    )
    told = subprocess.run(
        ["node", "--eval", script, "--", *map(str, coded)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    plain = [hashlib.sha256(file.with_suffix("").read_bytes()).hexdigest() for file in coded]
    assert told == plain


def test_it_names_its_own_files_relatively_and_writes_no_code_into_its_html() -> None:
    built = PageBuild(ROOT).built
    html = (built / "index.html").read_text()
    assert 'href="/' not in html
    assert 'src="/' not in html
    assert " style=" not in html
    assert "<style" not in html
    assert "<script>" not in html
