"""The programs of the documents, as a reader copies them: they do all that they promise."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import metadata
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from tests.app.daemon import PAUSE_S, Daemon, House, Output
from tests.peers.servers import free_port

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = [ROOT / "README.md", *sorted((ROOT / "chatd" / "docs").glob("*.md"))]
PEERS: Final = Path(__file__).parents[1] / "peers" / "node_modules"
DOCUMENTED_ADDRESS: Final = "http://127.0.0.1:8765"
CLIENTS: Final = ("chat.mjs", "chat.py")
COMMAND: Final = "cat token; test ! -e next || mv next token"
"""What prints a token for a client, and lays out the next one, where there is one."""
RENEWED_LATE: Final = """
if ! mkdir first 2>&-; then echo asked >> asked; until test -e go; do sleep 0.05; done; fi
test ! -e fail && cat token
"""
"""Prints the first token at once; those after it once the file `go` is there, unless `fail` is."""
LIMIT_S: Final = 60.0


def documented(name: str) -> str:
    """The program of that name, which stands in one of the documents."""
    text = "".join(path.read_text() for path in DOCUMENTS)
    blocks: list[str] = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    (program,) = (block for block in blocks if name in block.splitlines()[0])
    return program


def saved(name: str, folder: Path, address: str = DOCUMENTED_ADDRESS) -> list[str]:
    """Save a program where the library of clients is installed; the command that runs it."""
    (folder / "node_modules").mkdir(parents=True)
    installed = folder / "node_modules" / "socket.io-client"
    installed.symlink_to(PEERS / "socket.io-client-4.8")
    (folder / name).write_text(documented(name).replace(DOCUMENTED_ADDRESS, address))
    return ["node" if name.endswith(".mjs") else sys.executable, name]


@attrs.define(eq=False)
class Program:
    """A program that runs in a folder of its own."""

    process: trio.Process
    folder: Path
    out: Output
    err: Output

    async def type_line(self, text: str) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send_all(f"{text}\n".encode())

    async def shows(self, content: str) -> None:
        await self.out.having(rf"(?m)^\d+ \S+ {re.escape(content)}$", LIMIT_S)

    @property
    def contents(self) -> list[str]:
        """The messages that it has shown, in order, each as `seq content`."""
        lines = (line.split(" ", 2) for line in self.out.text.splitlines())
        return [f"{seq} {content}" for seq, _, content in lines]


@asynccontextmanager
async def running(folder: Path, *command: str) -> AsyncIterator[Program]:
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    program = Program(process, folder, Output(), Output())
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    async with process.stdin, trio.open_nursery() as nursery:
        nursery.start_soon(program.out.collect, process.stdout)
        nursery.start_soon(program.err.collect, process.stderr)
        try:
            yield program
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


@asynccontextmanager
async def client(
    name: str, house: House, port: int, given: str, later: str = "", command: str = COMMAND
) -> AsyncIterator[Program]:
    """A complete client in the room demo, with tokens in turn."""
    folder = house.path / f"client-{len(list(house.path.iterdir()))}"
    program = saved(name, folder)
    (folder / "token").write_text(given)
    if later:
        (folder / "next").write_text(later)
    arguments = (command, "demo", f"http://127.0.0.1:{port}")
    async with running(folder, *program, *arguments) as running_client:
        yield running_client


async def token(house: House, user: str, *more: str) -> str:
    minted = await house.run("token", "mint", "--user", user, *more)
    return minted.out.strip()


async def start_to_come_back(house: House) -> Daemon:
    """A daemon at a port that nobody takes while it is away."""
    return await house.start("--port", str(free_port()))


def test_the_extras_that_a_reader_installs_are_spelt_as_their_package_spells_them() -> None:
    # A pip before 23.3 installs nothing for an extra in another spelling (`_` for `-`), and warns.
    text = "".join(path.read_text() for path in DOCUMENTS)
    installed = re.findall(r"pip install .*?(\.|[\w-]+)\[([\w,-]+)\]", text)
    assert installed
    for package, extras in installed:
        provided = metadata("chatd" if package == "." else package).get_all("Provides-Extra", [])
        assert set(extras.split(",")) <= set(provided)


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_loses_nothing_and_shows_nothing_twice(name: str, house: House) -> None:
    daemon = await start_to_come_back(house)
    async with (
        client(name, house, daemon.port, await token(house, "ann")) as ann,
        client(name, house, daemon.port, await token(house, "bob")) as bob,
    ):
        await ann.type_line("hello")
        await bob.shows("hello")
        # What is typed while the daemon is away is sent when it is back, in its order.
        await daemon.kill()
        for text in ("one", "two", "three"):
            await ann.type_line(text)
        daemon = await house.start("--port", str(daemon.port))
        for person in (ann, bob):
            await person.shows("three")
        # A token runs out while the client is away: it comes back with the next one.
        (ann.folder / "token").write_text("no token at all")
        await daemon.kill()
        await ann.type_line("four")
        daemon = await house.start("--port", str(daemon.port))
        await ann.err.having("The token is not a JWT", LIMIT_S)
        await bob.type_line("meanwhile")
        await bob.shows("meanwhile")
        (ann.folder / "token").write_text(await token(house, "ann"))
        for person in (ann, bob):
            await person.shows("four")
        assert (
            ann.contents
            == bob.contents
            == [
                f"{seq} {text}"
                for seq, text in enumerate(("hello", "one", "two", "three", "meanwhile", "four"), 1)
            ]
        )


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_renews_a_token_that_runs_out(name: str, house: House) -> None:
    daemon = await house.start()
    # One that runs out within a minute is announced at once. The next one grants another room.
    first = await token(house, "ann", "--ttl", "50")
    other = await token(house, "ann", "--room", "other")
    async with client(name, house, daemon.port, first, other) as ann:
        await ann.err.having("You may not use demo", LIMIT_S)
        await daemon.event("socket.connected")
        assert len(daemon.events("socket.connected")) == 1


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("amiss", ["daemon", "token"])
async def test_a_renewal_that_fails_is_no_end_of_a_client(
    name: str, amiss: str, house: House
) -> None:
    daemon = await start_to_come_back(house)
    first = await token(house, "ann", "--ttl", "50")  # announced at once
    async with client(name, house, daemon.port, first, command=RENEWED_LATE) as ann:
        await asked(ann, 1)
        if amiss == "daemon":
            await daemon.kill()
            daemon = await house.start("--port", str(daemon.port))
            await asked(ann, 2)  # to come back
            (ann.folder / "go").touch()
        else:
            (ann.folder / "fail").touch()
            (ann.folder / "go").touch()
            await ann.err.having("Command failed|CalledProcessError", LIMIT_S)
        await ann.type_line("hello")
        await ann.shows("hello")
        assert "Traceback" not in ann.err.text
        assert "never retrieved" not in ann.err.text


async def asked(program: Program, times: int) -> None:
    """The program has asked for a token so often, and waits for it."""
    with trio.fail_after(LIMIT_S):
        path = program.folder / "asked"
        while not path.exists() or path.read_text().count("asked") < times:  # noqa: ASYNC110
            await trio.sleep(PAUSE_S)


@pytest.mark.answers
async def test_the_short_programs_print_what_they_are_for(house: House) -> None:
    daemon = await house.start()
    given = await token(house, "ann")
    address = f"http://127.0.0.1:{daemon.port}"

    async def prints(name: str, *patterns: str) -> None:
        folder = house.path / name
        async with running(folder, *saved(name, folder, address), given) as program:
            for pattern in patterns:
                await program.out.having(pattern, LIMIT_S)

    await prints("first.mjs", r"ann \[", "1 ann hello", "ok: true")
    await prints("first.py", "'content': 'hello'", "'ok': True")
    await prints("ask.mjs", "(?m)^start ", "(?m)^end ", "export it as [0-9a-f-]{36}")
