"""What is in a file of a secret, and what is not a secret; who else can read or change it."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatd.config import load, secret_files
from chatd.config.secret_files import SECRET_BYTES_MAX
from tests.config.secrets import (
    DSN,
    FOREIGN,
    OTHER,
    SALES,
    SECRET,
    WEB,
    reading,
    refusals,
)
from tests.rows import rows


@rows(
    ("content", "secret"),
    [
        (f"{SECRET}\n", SECRET),
        (f"{SECRET}\r\n", SECRET),
        (f"{SECRET}\n\n", SECRET),
        (f"\ufeff{SECRET}\n", SECRET),
        (f" {SECRET} \n", f" {SECRET} "),
        ("pässwörd ✓ with several words\n", "pässwörd ✓ with several words"),
        ("x" * SECRET_BYTES_MAX, "x" * SECRET_BYTES_MAX),
    ],
)
def test_all_but_the_end_of_the_line_is_the_secret(
    tmp_path: Path, content: str, secret: str
) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    loaded = reading(tmp_path, CHATD_AUTH__JWT_SECRET_FILE="key")
    assert loaded.config.auth.jwt_secret == secret


def _put(tmp_path: Path, kind: str) -> None:
    """Something in the place of a file with a secret."""
    place = tmp_path / "key"
    match kind:
        case "directory":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "loop":
            place.symlink_to("key")
        case "dangling":
            place.symlink_to("nowhere")
        case "below a file":
            (tmp_path / "file").write_text("")
            place.symlink_to("file/key")
        case "device":
            place.symlink_to("/dev/zero")
        case "empty":
            place.write_text("")
        case "blank lines":
            place.write_text("\n\r\n\n")
        case "long":
            place.write_bytes(b"x" * 1_000_000)
        case "latin":
            place.write_bytes(SECRET.encode() + b"\xe9\n")
        case "utf-16":
            place.write_text(SECRET, encoding="utf-16")
        case "lines":
            place.write_text(f"{SECRET}\n{OTHER}\n")
        case "tab":
            place.write_text(f"{SECRET}\t\n")
        case "NUL":
            place.write_text(f"{SECRET}\0")


AFTER = "; name a file that this user may read."
NAMED = "the file that is named"
ALONE = "write the secret alone into"


@rows(
    ("kind", "problem"),
    [
        ("nothing", f"cannot be read from {NAMED} (No such file or directory){AFTER}"),
        ("directory", f"cannot be read from the file key (it is a directory, not a file){AFTER}"),
        ("pipe", f"cannot be read from the file key (it is a pipe, not a file){AFTER}"),
        ("device", f"cannot be read from the file key (it is a device, not a file){AFTER}"),
        ("loop", f"cannot be read from the file key (Too many levels of symbolic links){AFTER}"),
        ("dangling", f"cannot be read from the file key (No such file or directory){AFTER}"),
        ("below a file", f"cannot be read from the file key (Not a directory){AFTER}"),
        ("empty", "cannot be in the file key, which is empty; write it there."),
        ("blank lines", "cannot be in the file key, which is empty; write it there."),
        (
            "long",
            f"cannot be in the file key, which has more than 65536 bytes; {ALONE} a file.",
        ),
        ("latin", "cannot be in the file key, which is not UTF-8; save it as UTF-8 text."),
        ("utf-16", "cannot be in the file key, which is not UTF-8; save it as UTF-8 text."),
        *(
            (
                kind,
                (
                    "cannot be in the file key, which has several lines or control characters; "
                    f"{ALONE} one line."
                ),
            )
            for kind in ("lines", "tab", "NUL")
        ),
    ],
)
def test_what_is_no_file_with_a_secret_is_told_in_one_sentence(
    tmp_path: Path, kind: str, problem: str
) -> None:
    tmp_path /= kind
    tmp_path.mkdir()
    _put(tmp_path, kind)
    assert refusals(tmp_path, "[auth]\n\njwt_secret_file = 'key'\n") == [
        f"chatd.toml, line 3: auth.jwt_secret {problem}"
    ]
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE="key") == [
        f"environment variable CHATD_AUTH__JWT_SECRET_FILE: auth.jwt_secret {problem}"
    ]
    assert refusals(tmp_path, f"{SALES}postgres_file = 'key'\n") == [
        f"chatd.toml, line 2: databases.sales.postgres {problem}"
    ]
    assert refusals(tmp_path, f"{FOREIGN}\nenvironment_file = {{ DB_URL = 'key' }}\n") == [
        f"chatd.toml, line 7: databases.sales.environment.DB_URL {problem}"
    ]


def test_a_file_of_another_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, as whom tests may run, can read all."""

    def refused(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "key").write_text(SECRET)
    monkeypatch.setattr(secret_files, "open_file", refused)
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE="key") == [
        (
            "environment variable CHATD_AUTH__JWT_SECRET_FILE: auth.jwt_secret cannot be read from "
            f"the file key (Permission denied){AFTER}"
        )
    ]


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that every user may look into, as that of a test is not."""
    with tempfile.TemporaryDirectory(prefix="chatd-", dir="/tmp") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@rows(
    ("text", "keys"),
    [
        (f"[auth]\njwt_secret = '{SECRET}'\n", "auth.jwt_secret"),
        (f"{SALES}postgres = '{DSN}'\n", "databases.sales.postgres"),
        (
            f"[auth]\njwt_secret = '{SECRET}'\n{FOREIGN}environment = {{ DB_URL = '{DSN}' }}\n",
            "auth.jwt_secret and databases.sales.environment.DB_URL",
        ),
        (f"{FOREIGN}environment = {{ API_KEY = 'x' }}\n", "databases.sales.environment.API_KEY"),
        (f"{WEB}headers = {{ Authorization = 'x' }}\n", "databases.sales.headers.Authorization"),
        (f"{WEB}headers = {{ X-Api-Key = 'x' }}\n", "databases.sales.headers.X-Api-Key"),
        (FOREIGN.replace("['x']", f"['x', '--dsn', '{DSN}']"), "databases.sales.command"),
        (FOREIGN.replace("['x']", "['x', '--password', 'y']"), "databases.sales.command"),
        (WEB.replace("/mcp'", "/mcp?api_key=x'"), "databases.sales.url"),
    ],
)
def test_a_file_with_a_secret_that_others_can_read_is_warned_of(
    open_path: Path, text: str, keys: str
) -> None:
    open_path.chmod(0o755)
    path = open_path / "chatd.toml"
    path.write_text(text)
    path.chmod(0o644)

    def warnings() -> tuple[str, ...]:
        return load(path, {}, {}, open_path).warnings

    assert warnings() == (
        (
            f"The file {path} holds {keys}, and every user of this machine can read it "
            "(mode 0644): take that right away (chmod o-r)."
        ),
    )
    path.chmod(0o640)
    assert warnings() == ()
    path.chmod(0o644)
    open_path.chmod(0o750)
    assert warnings() == ()


@pytest.mark.parametrize(
    "text",
    [
        "[auth]\njwt_secret = ''\nissuer = 'x'\n",
        f"{SALES}postgres = 'postgresql://reader@db/sales'\n",
        f"{FOREIGN}environment = {{ PGSSLMODE = 'verify-full', DB_URL = 'sqlite:////a.db' }}\n",
        f"{WEB}headers = {{ X-Team = 'sales' }}\n",
    ],
)
def test_a_file_without_a_secret_may_be_read_by_everybody(open_path: Path, text: str) -> None:
    (open_path / "chatd.toml").write_text(text)
    (open_path / "chatd.toml").chmod(0o644)
    assert load(open_path / "chatd.toml", {}, {}, open_path).warnings == ()


def test_a_file_that_others_can_change_is_warned_of(open_path: Path) -> None:
    path = open_path / "chatd.toml"
    path.write_text("[server]\nport = 1\n")
    path.chmod(0o666)
    assert load(path, {}, {}, open_path).warnings == (
        (
            f"The file {path} decides what chatd does, and every user of this machine can change "
            "it (mode 0666): take that right away (chmod o-w)."
        ),
    )
    path.chmod(0o664)
    assert load(path, {}, {}, open_path).warnings == ()


def test_a_file_of_a_secret_that_others_can_read_is_warned_of(open_path: Path) -> None:
    (open_path / "key").write_text(SECRET)
    (open_path / "link").symlink_to("key")
    env = {"CHATD_AUTH__JWT_SECRET_FILE": f"{open_path}/link"}
    (open_path / "key").chmod(0o444)
    (warning,) = load(None, env, {}, open_path, places=()).warnings
    assert warning.startswith(f"The file {open_path}/link holds auth.jwt_secret, and every user ")
    assert "(mode 0444)" in warning
    (open_path / "key").chmod(stat.S_IRUSR)
    assert load(None, env, {}, open_path, places=()).warnings == ()
