"""Which descriptors of a service manager are taken, and what is said of others (sd_listen_fds(3)).

Each case is a process of its own, whose descriptors from 3 on are its to give away.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.app.daemon import House
from tests.rows import rows

ACTIVATED = str(Path(__file__).with_name("activated.py"))
TAKE = """
import fcntl, os, sys
from chatd.app.errors import StartFailedError
from chatd.app.inherited import shown_address, take_inherited

environment = {name: os.environ[name] for name in os.environ if name.startswith("LISTEN_")}
try:
    inherited = take_inherited(environment, os.getpid())
except StartFailedError as error:
    sys.exit(f"{error.exit_code} {error}")
print(*map(shown_address, inherited.public), "|", *map(shown_address, inherited.internal))
assert not environment, environment
for one in (*inherited.public, *inherited.internal):
    assert not one.get_inheritable() and not one.getblocking()
"""


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Descriptors by what they are."""
    with ExitStack() as stack:

        def opened(family: int, kind: int, place: object, listens: bool = False) -> int:
            one = stack.enter_context(socket.socket(family, kind))
            one.bind(place)
            if listens:
                one.listen()
            return one.fileno()

        tcp = socket.create_server(("127.0.0.1", 0))
        stack.enter_context(tcp)
        client = stack.enter_context(socket.create_connection(tcp.getsockname()))
        file = stack.enter_context(open(tmp_path / "file", "w"))
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)
        unix, stream = socket.AF_UNIX, socket.SOCK_STREAM
        yield {
            "tcp": tcp.fileno(),
            "ipv6": opened(socket.AF_INET6, stream, ("::1", 0), listens=True),
            "unix": opened(unix, stream, str(tmp_path / "unix"), listens=True),
            "abstract": opened(unix, stream, f"\0chatd {tmp_path}", listens=True),
            "udp": opened(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "datagrams": opened(unix, socket.SOCK_DGRAM, str(tmp_path / "datagrams")),
            "packets": opened(unix, socket.SOCK_SEQPACKET, str(tmp_path / "packets"), listens=True),
            "connection": client.fileno(),
            "bound": opened(socket.AF_INET, stream, ("127.0.0.1", 0)),
            "file": file.fileno(),
            "pipe": reading,
        }


async def taken(house: House, names: str, *descriptors: int) -> tuple[int, str]:
    with ExitStack() as stack:
        for one in descriptors:
            os.set_inheritable(one, True)
            stack.callback(os.set_inheritable, one, False)
        listed = ",".join(map(str, descriptors))
        program = (sys.executable, ACTIVATED, names, listed, sys.executable, "-c", TAKE)
        done = await house.run(program=program, descriptors=descriptors)
    return done.code, done.out + done.err


async def test_listeners_of_streams_are_taken_by_their_names(
    house: House, sockets: dict[str, int]
) -> None:
    names = "chatd.socket:web:internal:"
    wanted = [sockets[one] for one in ("tcp", "ipv6", "unix", "abstract")]
    code, said = await taken(house, names, *wanted)
    assert code == 0, said
    public, internal = said.split("|")
    assert [one.rpartition(":")[0] for one in public.split()[:2]] == ["127.0.0.1", "[::1]"]
    assert f"@chatd {house.path}" in public
    assert internal.split() == [str(house.path / "unix")]


@rows(
    ("kind", "fault"),
    [
        ("udp", "is not a stream socket"),
        ("datagrams", "is not a stream socket"),
        ("packets", "is not a stream socket"),
        ("connection", "does not listen; take Accept=no"),
        ("bound", "does not listen; take Accept=no"),
        ("file", "is not a socket"),
        ("pipe", "is not a socket"),
    ],
)
async def test_anything_else_is_a_sentence(
    house: House, sockets: dict[str, int], kind: str, fault: str
) -> None:
    code, said = await taken(house, "one:two", sockets["tcp"], sockets[kind])
    assert code == 1
    assert said.startswith(
        f"78 Descriptor 4 (two) was handed over by a service manager and {fault}"
    )


@rows(
    ("variables", "said"),
    [
        ({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, "|"),
        ({"LISTEN_FDS": "1"}, "|"),
        ({"LISTEN_PID": "me", "LISTEN_FDS": "0"}, "|"),
        ({"LISTEN_PID": "me", "LISTEN_FDS": "x"}, "78 $LISTEN_FDS must be a number"),
        ({"LISTEN_PID": "me", "LISTEN_FDS": "-1"}, "78 $LISTEN_FDS must be a number"),
        ({"LISTEN_PID": "me", "LISTEN_FDS": "9999"}, "78 $LISTEN_FDS must be a number"),
        ({"LISTEN_PID": "me", "LISTEN_FDS": "9"}, "78 Descriptor 3 is not open"),
    ],
)
async def test_variables_that_do_not_fit_are_ignored_or_told(
    house: House, variables: dict[str, str], said: str
) -> None:
    setting = f"import os\nos.environ |= {variables!r}\n".replace("'me'", "str(os.getpid())")
    done = await house.run(program=(sys.executable, "-c", setting + TAKE))
    assert (done.out + done.err).strip().startswith(said)
