"""What stops a start is one sentence and the right exit code, never a traceback."""

import errno
import socket
from functools import partial
from pathlib import Path

import pytest
import trio

from chatd.app import secret
from chatd.app.errors import StartFailedError
from chatd.config import Config
from tests.app.daemon import Finished, House

SECRET = "a secret for the tests, of more than 32 bytes"


def sentence(finished: Finished, code: int) -> str:
    """The one sentence of a command that failed with `code`; lines of the log aside."""
    lines = [line for line in finished.err.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, finished.err
    assert finished.code == code, finished.err
    assert lines[0].startswith("chatd: ")
    assert lines[0][-1] in ".?"
    assert "Traceback" not in finished.err
    return lines[0]


async def test_a_busy_port_is_named(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await house.run("serve", "--port", str(port))
    assert f"Port {port} of 127.0.0.1 is in use" in sentence(done, 1)


async def test_a_state_directory_below_a_file_is_named(house: House) -> None:
    (house.path / "file").write_text("")
    place = str(house.path / "file" / "state")
    commands = (("serve", "--port", "0"), ("token", "mint", "--user", "alice"), ("token", "check"))
    with_secret = await house.run(
        *commands[0], "--state-dir", place, env={"CHATD_AUTH__JWT_SECRET": SECRET}
    )
    without = await house.run_each(*((*command, "--state-dir", place) for command in commands))
    for done in (with_secret, *without):
        said = sentence(done, 1)
        assert place in said
        assert "Not a directory" in said


async def test_two_daemons_do_not_share_a_state_directory(house: House) -> None:
    first = await house.start()
    done = await house.run("serve", "--port", "0")
    said = sentence(done, 1)
    assert str(house.state_dir) in said
    assert f"process {first.process.pid}" in said
    await first.kill()
    await (await house.start()).stop()


async def test_a_damaged_log_is_left_alone(house: House) -> None:
    await (await house.start()).stop()
    whole = (house.state_dir / "log.sqlite3").read_bytes()
    damaged = {
        "garbage": b"not a database at all, " * 500,
        "hole": whole[:4096] + bytes(len(whole) - 4096),
    }
    commands = []
    for name, content in damaged.items():
        (house.path / name).mkdir()
        (house.path / name / "log.sqlite3").write_bytes(content)
        commands.append(("serve", "--port", "0", "--state-dir", name))
    for (name, content), done in zip(damaged.items(), await house.run_each(*commands), strict=True):
        path = house.path / name / "log.sqlite3"
        assert f"The log {path} is damaged: " in sentence(done, 74)
        assert path.read_bytes() == content


async def test_a_mistake_in_the_file_is_named(house: House) -> None:
    mistakes = {
        "[server]\nprt = 1\n": ("server.prt", "did you mean server.port?"),
        "[srever]\nport = 1\n": ("[srever]", "did you mean server?"),
        "[server]\nport = '1'\n": ("server.port", "whole number"),
        "[limits]\nuser_messages_per_minute = 0\n": ("user_messages_per_minute", "above 0"),
        "[server\n": ("not valid TOML",),
    }
    paths = [house.config(text, f"{number}.toml") for number, text in enumerate(mistakes)]
    done = await house.run_each(*(("serve", "--config", path.name) for path in paths))
    for path, words, finished in zip(paths, mistakes.values(), done, strict=True):
        said = sentence(finished, 78)
        for word in (str(path), *words):
            assert word in said


async def test_a_mistake_elsewhere_is_named(house: House) -> None:
    unknown = await house.run("serve", env={"CHATD_SERVER__PROT": "1"})
    said = sentence(unknown, 78)
    assert "CHATD_SERVER__PROT" in said
    assert "CHATD_SERVER__PORT" in said
    format_, missing = await house.run_each(
        ("serve", "--log-format", "xml"), ("serve", "--config", "nowhere.toml")
    )
    assert "log.format" in sentence(format_, 78)
    assert "nowhere.toml" in sentence(missing, 78)


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"CHATD_SERVER__HOST": "0.0.0.0"}, "0.0.0.0"),
        ({"CHATD_SERVER__HOST": "0"}, "On 0 chatd is open to others"),
        ({"CHATD_SERVER__HOST": "[::]"}, "On [::] chatd is open to others"),
        ({"CHATD_SERVER__HOST": "::ffff:0.0.0.0"}, "On ::ffff:0.0.0.0 chatd is open to others"),
        ({"CHATD_AUTH__JWT_SECRET": "short"}, "32"),
    ],
    ids=["public", "old spelling", "both families", "inside of IPv6", "weak"],
)
async def test_a_secret_that_protects_nothing_is_refused_by_the_check_too(
    house: House, env: dict[str, str], word: str
) -> None:
    for done in await house.run_each(("serve", "--port", "0"), ("config", "check"), env=env):
        said = sentence(done, 78)
        assert "auth.jwt_secret" in said
        assert word in said
        assert "short" not in said
    assert not house.state_dir.exists()


@pytest.mark.answers
async def test_a_database_that_is_not_there_is_told_by_the_check_and_stops_no_start(
    house: House,
) -> None:
    house.config("[databases.demo]\nsqlite = '/nope.db'\n")
    said = sentence(await house.run("config", "check"), 78)
    assert said == (
        f"chatd: {house.path}/chatd.toml, line 2: databases.demo: the file /nope.db does not exist."
    )
    await (await house.start()).stop()


@pytest.mark.answers
async def test_the_check_tells_all_mistakes_at_once_each_with_its_line(house: House) -> None:
    path = house.config(
        "[server]\nport = 99999\nhost = 5\ninternal = '/nowhere/internal.sock'\n[databases.demo]\n"
        "sqlite = '/nope.db'\nconections = 1\n[databases.other]\ncommand = ['no-such-program']\n"
    )
    env = {"CHATD_AUTH__JWT_SECRET": "short", "CHATD_LOG__LEVEL": "loud"}
    done = await house.run("config", "check", env=env)
    assert (done.code, done.out) == (78, "")
    beginnings = [
        *(
            f"chatd: {path}, line {place}"
            for place in (
                "2: server.port must be",
                "3: server.host must be",
                "4: server.internal: the folder /nowhere does not exist.",
                "6: databases.demo: the file /nope.db does not exist.",
                "7: databases.demo.conections is not a key; did you mean connections?",
                "8: databases.other.dialect is missing",
                "8: databases.other.mapping is missing",
                "8: databases.other.credentials must be",
                "9: databases.other: the program no-such-program is not in PATH.",
            )
        ),
        "chatd: environment variable CHATD_LOG__LEVEL: log.level must be",
        "chatd: environment variable CHATD_AUTH__JWT_SECRET: auth.jwt_secret: the token secret has",
    ]
    lines = done.err.splitlines()
    assert len(lines) == len(beginnings), done.err
    for line, beginning in zip(lines, beginnings, strict=True):
        assert line.startswith(beginning)
    # A start tells the mistakes of the configuration itself.
    done = await house.run("serve", env=env)
    assert (done.code, len(done.err.splitlines())) == (78, 7)


async def test_a_secret_that_others_can_read_is_refused(house: House) -> None:
    await house.run("token", "mint", "--user", "alice")
    secret = house.state_dir / "jwt-secret"
    secret.chmod(0o644)
    said = sentence(await house.run("serve", "--port", "0"), 78)
    assert str(secret) in said
    assert "0644" in said


def test_a_secret_of_another_user_is_not_taken_for_a_directory_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root, as whom tests may run, can read all."""

    def refused(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(secret, "load_secret", refused)
    with pytest.raises(StartFailedError) as caught:
        secret.secret_for(Config(), tmp_path)
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"The secret {tmp_path}/jwt-secret cannot be read: Permission denied; "
        "run this as the daemon's user."
    )


async def test_wrong_usage_is_explained(house: House) -> None:
    for done in await house.run_each(
        ("serve", "--prot", "1"),
        ("token", "mint"),
        ("token", "mint", "--user", "db:x"),
        ("token", "mint", "--user", "x", "--ttl", "9" * 400),
        ("token", "mint", "--user", "x", "--ttl", "0"),
        ("health", "--url", "foo"),
    ):
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Usage: ")
        assert "Error: " in done.err.splitlines()[-1]
        assert "Traceback" not in done.err
    assert done.err.endswith("Error: --url must be like http://127.0.0.1:8765.\n")


async def test_an_output_that_takes_nothing_is_told(house: House) -> None:
    full = ("/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", *house.chatd)
    await (await house.start()).stop()
    for done in await house.run_each(
        ("config", "show"),
        ("token", "mint", "--user", "alice"),
        ("store", "verify"),
        program=full,
    ):
        said = sentence(done, 1)
        assert said == "chatd: standard output cannot be written: No space left on device."


async def test_who_reads_only_the_beginning_of_an_output_ends_it_quietly(house: House) -> None:
    piped = ("/bin/sh", "-c", '"$@" | true', "sh", *house.chatd)
    assert (await house.run("config", "show", program=piped)).err == ""


async def test_what_answers_no_health_is_not_healthy(house: House, nursery: trio.Nursery) -> None:
    answers = (
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
    )
    urls = ["http://a b/", "http://127.0.0.1:99999"]
    for answer in answers:
        serve = partial(trio.serve_tcp, partial(reply, answer), 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        urls.append(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
    done = await house.run_each(*(("health", "--url", url) for url in urls))
    for url, finished in zip(urls, done, strict=True):
        assert url in sentence(finished, 1)


async def reply(answer: bytes, stream: trio.SocketStream) -> None:
    async with stream:
        await stream.receive_some()
        await stream.send_all(answer)
