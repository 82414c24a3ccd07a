"""What is installed without a Python: it is built as the documents say, started, and asked.

Each runs as a user without rights, with an empty environment, far from the sources.
"""

import json
import os
import pwd
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
import socketio

from chatd import __version__
from tests.peers.servers import free_port, leave

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "chatd" / "packaging" / "build.py"
LIMIT_S: Final = 120.0
NOBODY: Final = "nobody"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that users without rights can get into, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="chatd-") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


@pytest.fixture(scope="module")
def out(place: Path) -> Path:
    """The directory with what was built."""
    out = place / "out"
    command = [sys.executable, str(BUILD), "executable", "debian", "--out", str(out)]
    subprocess.run(command, check=True, env={**os.environ, "CHATD_WEB": "required"})
    return out


@pytest.fixture(scope="module")
def package(out: Path) -> Path:
    """The Debian package."""
    (package,) = out.glob("chatd_*.deb")
    return package


@pytest.fixture(scope="module")
def installed(package: Path, place: Path) -> Path:
    """The root of a system in which the files of the package lie."""
    root = place / "root"
    subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
    return root


class Started:
    """A daemon that runs from a program, as a user without rights."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._program = program
        self._home = Path(tempfile.mkdtemp(prefix="home-", dir=directory))
        if os.geteuid() == 0:
            user = pwd.getpwnam(NOBODY)
            os.chown(self._home, user.pw_uid, user.pw_gid)
        self._process = self._run(
            *("serve", "--port", str(self.port), "--log-format", "json"), stdin=subprocess.DEVNULL
        )
        self._until_ready()

    def _until_ready(self) -> None:
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "reader.ready" in line:  # the process that reads questions: a child of the program
                return
        raise AssertionError("".join(said))

    def asked(self, *arguments: str) -> str:
        """What a command of the program writes."""
        process = self._run(*arguments)
        written, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, written
        return written

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        return self._process.returncode

    def _run(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self._program), *arguments],
            cwd="/",
            env={"HOME": str(self._home), "PATH": "/usr/bin:/bin", "TMPDIR": str(self._home)},
            user=NOBODY if os.geteuid() == 0 else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )


@pytest.fixture(params=["executable", "debian"])
def started(
    request: pytest.FixtureRequest, out: Path, installed: Path, place: Path
) -> Iterator[Started]:
    program = out / "chatd" if request.param == "executable" else installed / "usr/bin/chatd"
    started = Started(program, place)
    yield started
    assert started.stop() == 0


def test_a_stranger_to_python_has_a_page_and_a_chat_with_a_database(started: Started) -> None:
    assert started.asked("--version").strip() == f"chatd, version {__version__}"
    assert "# chatd: protocol" in started.asked("docs", "protocol")
    with urlopen(f"{started.url}/api/websocket/health") as health:
        assert json.load(health)["status"] == "ok"
    with urlopen(f"{started.url}/") as page:
        entry = re.search(r'src="\./(assets/[^"]+\.js)"', page.read().decode())
    assert entry is not None
    with urlopen(f"{started.url}/{entry[1]}") as script:
        assert len(script.read()) > 10_000
    token = started.asked("token", "mint", "--user", "ada").strip()
    assert rows(started.url, token, "SELECT 6 * 7 AS n") == [[42]]


def rows(url: str, token: str, statement: str) -> Any:
    """The rows of the answer to a question in the room of the sample."""
    answers: queue.Queue[Any] = queue.Queue()
    client = socketio.Client()
    client.on("chat:message", lambda message: "answer" in message and answers.put(message))
    client.connect(url, auth={"token": token, "connectionId": "demo"}, wait_timeout=LIMIT_S)
    try:
        message = {
            "messageId": "0d3f0c3e-3b7e-4d2f-9c39-1f8f5f1d2a11",
            "connectionId": "demo",
            "content": statement,
        }
        assert client.call("chat:message", message, timeout=LIMIT_S)["ok"]
        return answers.get(timeout=LIMIT_S)["answer"]["rows"]
    finally:
        leave(client)


def test_the_package_has_what_debian_asks_for(package: Path) -> None:
    fields = subprocess.run(
        ["dpkg-deb", "--field", str(package)], capture_output=True, text=True, check=True
    ).stdout
    assert f"Package: chatd\nVersion: {__version__}\n" in fields
    assert "@" not in fields.replace("chatd@localhost", "")
    listing = subprocess.run(
        ["dpkg-deb", "--contents", str(package)], capture_output=True, text=True, check=True
    ).stdout
    owners = {line.split()[1] for line in listing.splitlines()}
    assert owners == {"root/root"}
    assert not [line for line in listing.splitlines() if line[8] == "w" and line[0] != "l"]


def test_the_units_of_the_package_start_the_program_with_the_user_of_it(installed: Path) -> None:
    units = installed / "usr/lib/systemd/system"
    service = (units / "chatd.service").read_text()
    assert "ExecStart=/usr/bin/chatd serve\n" in service
    assert "@" not in re.sub(r"@[a-z-]+(?= |\n|$)", "", service.partition("[Service]")[2])
    assert "ListenStream=127.0.0.1:8765\n" in (units / "chatd.socket").read_text()
    assert "User=chatd\n" in (units / "chatd.service.d/user.conf").read_text()
    # What every system has.
    for unit in Path("/usr/lib/systemd/system").glob("*.target"):
        shutil.copy(unit, units, follow_symlinks=False)
    shutil.copy("/usr/bin/kill", installed / "usr/bin")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--root", str(installed), "chatd.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "chatd" not in verified.stderr, verified.stderr


def test_the_configuration_of_the_package_is_right_and_is_kept_at_an_update(
    package: Path, installed: Path, tmp_path: Path
) -> None:
    subprocess.run(["dpkg-deb", "--control", str(package), str(tmp_path / "control")], check=True)
    conffiles = (tmp_path / "control/conffiles").read_text().split()
    assert conffiles == ["/etc/chatd/chatd.toml"]
    file = installed / "etc/chatd/chatd.toml"
    checked = subprocess.run(
        [str(installed / "usr/bin/chatd"), "config", "check", "--config", str(file)],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(tmp_path)},
    )
    assert "The configuration is right" in checked.stdout
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", str(tmp_path / "control" / script)], check=True)


def test_an_image_is_not_built_without_an_engine_and_the_reason_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BUILD), "container", "--out", str(tmp_path / "out")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "An image needs podman or docker; install one of them, or build the other kinds.\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_image_copies_what_is_built_and_runs_without_rights() -> None:
    lines = (BUILD.parent / "Containerfile").read_text().splitlines()
    assert "COPY tree /usr/lib/chatd" in lines
    assert lines.index("USER chatd") < lines.index('ENTRYPOINT ["chatd"]')
    assert any(line.startswith("HEALTHCHECK") and '"health"' in line for line in lines)
    assert shutil.which("dpkg-deb") is not None
