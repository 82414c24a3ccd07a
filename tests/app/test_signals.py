"""No signal ends a daemon before its drain, but those of faults (docs/operations, "Signals")."""

import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest
import trio

from chatd.app.signals import DRAINS, LEFT_ALONE, WISHES
from tests.app.client import Client, token_for
from tests.app.daemon import CHATD, Daemon, House
from tests.app.test_kill import SECRET

ENV = {"CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_STATE__DURABILITY": "write"}
SLOW_START = (sys.executable, str(Path(__file__).with_name("slow_start.py")))
CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
FIRST = int(signal.SIGRTMIN)
STOP_S = 90.0
"""Seconds that an early stop may take on a busy machine; what hangs there hangs for minutes."""

# Runs what follows with a signal ignored or blocked, as launchers do.
IGNORING = ("/bin/sh", "-c", 'trap "" HUP QUIT INT; exec "$@"', "sh")
BLOCK = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.argv[1], sys.argv[1:])
"""
BLOCKING = (sys.executable, "-c", BLOCK)

# A db-mcp that says what it has inherited, then nothing for ever.
INHERITING = """
import pathlib, signal, sys, time
status = pathlib.Path("/proc/self/status").read_text()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(status)
print("told", file=sys.stderr, flush=True)
time.sleep(600)
"""


def status_of(daemon: Daemon) -> str:
    return Path(f"/proc/{daemon.process.pid}/status").read_text()


def masks_in(status: str) -> dict[str, int]:
    """The masks of a process's signals, by their names in /proc."""
    found = re.findall(r"(Sig\w\w\w):\s+([0-9a-f]+)", status)
    return {name: int(mask, 16) for name, mask in found}


def bits(signals: set[int]) -> int:
    return sum(1 << number - 1 for number in signals)


async def test_what_means_the_end_is_a_drain(house: House, nursery: trio.Nursery) -> None:
    meant = sorted(DRAINS - {signal.SIGTERM, signal.SIGINT})
    assert {signal.SIGQUIT, signal.SIGPWR} < set(meant)
    async with trio.open_nursery() as each:
        for number in meant:
            each.start_soon(drained_by, house, nursery, number)


async def drained_by(house: House, nursery: trio.Nursery, number: signal.Signals) -> None:
    daemon = await house.start("--state-dir", number.name, env=ENV)
    client = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await client.hear("chat:history")
    daemon.send_signal(number)
    await client.gone()
    assert client.said("server:draining")
    assert await daemon.ended() == 0, daemon.err.text
    assert daemon.events("daemon.stopping")[0]["reason"] == number.name
    assert daemon.events("daemon.stopped")[0]["clean"] is True


async def test_every_other_signal_that_kills_is_noted_and_changes_nothing(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    masks = masks_in(status_of(daemon))
    caught = bits(CATCHABLE - LEFT_ALONE)
    assert masks["SigCgt"] & caught == caught
    assert masks["SigIgn"] == bits({signal.SIGPIPE, signal.SIGXFSZ})  # Python's own
    client = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await client.hear("chat:history")
    sent = sorted(signal.valid_signals() - LEFT_ALONE - DRAINS - WISHES)
    assert {signal.SIGUSR2, signal.SIGALRM, signal.SIGIO} < set(sent)
    for number in (*sent, signal.SIGUSR2):
        os.kill(daemon.process.pid, number)
        name = number.name if isinstance(number, signal.Signals) else f"SIGRTMIN+{number - FIRST}"
        await daemon.err.having(f'"signal":"{re.escape(name)}"')
    noted = [event["signal"] for event in daemon.events("signal.noted")]
    assert len(set(noted)) == len(sent)
    await client.ask("connection:leave", {"connectionId": "a room that is not there"})
    await daemon.stop()


async def start_with_a_slow_database(house: House, *launcher: str) -> tuple[Daemon, str]:
    """A daemon whose db-mcp never gets ready and heeds no SIGTERM, and the status of that."""
    told, script = house.path / "status", house.path / "inheriting.py"
    script.write_text(INHERITING)
    house.config(
        f"[databases.demo]\ncommand = ['{sys.executable}', '{script}', '{told}']\n"
        "mapping = 'chatd'\ndialect = 'sqlite'\ncredentials = 'read-only'\n"
    )
    program = (*launcher, *CHATD, "serve")
    daemon = await house.start("--log-level", "debug", env=ENV, program=program)
    await daemon.event("database.wrote")
    return daemon, told.read_text()


@pytest.mark.answers
@pytest.mark.parametrize("launcher", [IGNORING, BLOCKING], ids=["ignores", "blocks"])
async def test_what_the_daemon_starts_inherits_no_signal_that_is_ignored_or_blocked(
    house: House, launcher: tuple[str, ...]
) -> None:
    daemon, status = await start_with_a_slow_database(house, *launcher)
    masks = masks_in(status)
    assert masks["SigBlk"] == 0
    assert masks["SigIgn"] == bits({signal.SIGPIPE, signal.SIGXFSZ})  # its own Python's
    await daemon.stop()  # though a db-mcp has not started yet, and will not go
    assert daemon.events("daemon.stopped")[0]["clean"] is True


async def test_what_a_launcher_ignores_is_heeded(house: House) -> None:
    daemon = await house.start(env=ENV, program=(*IGNORING, *CHATD, "serve"))
    daemon.send_signal(signal.SIGQUIT)
    await daemon.err.having(r'"signal\.noted","signal":"SIGQUIT"')
    daemon.send_signal(signal.SIGINT)
    assert await daemon.ended() == 0
    assert daemon.events("daemon.stopping")[0]["reason"] == "SIGINT"


SECOND = """
import os, signal, sys, time
from chatd.app.signals import Signals

class End:
    def begin(self):
        print("begin", flush=True)
    def now(self):
        print("now", flush=True)

signals = Signals()
signals.begin_serving(End())
for name in sys.argv[1:]:
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(0)
print(signals.stopped_by, *signals.noted())
for name, word in (("SIGHUP", "reload"), ("SIGUSR1", "tasks")):
    while signals.wishes(getattr(signal, name)):
        print(word)
"""


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("SIGTERM SIGTERM", "begin\nnow\nSIGTERM\n"),
        ("SIGINT SIGTERM SIGQUIT", "begin\nnow\nnow\nSIGINT\n"),
        ("SIGXCPU SIGXCPU SIGXCPU", "begin\nSIGXCPU\n"),
        ("SIGPWR SIGPWR", "begin\nSIGPWR\n"),
        ("SIGXCPU SIGTERM", "begin\nSIGXCPU\n"),
        ("SIGXCPU SIGTERM SIGTERM", "begin\nnow\nSIGXCPU\n"),
        ("SIGTERM SIGXCPU SIGTERM", "begin\nnow\nSIGTERM\n"),
        ("SIGHUP SIGHUP SIGTERM", "begin\nSIGTERM\nreload\n"),
        ("SIGUSR2 SIGUSR2 SIGTERM", "begin\nSIGTERM SIGUSR2 SIGUSR2\n"),
        ("SIGUSR1 SIGHUP SIGUSR1", "None\nreload\ntasks\n"),
        ("SIGALRM", "None SIGALRM\n"),
    ],
)
async def test_only_orders_to_stop_are_repeated_to_end_at_once(
    house: House, sent: str, said: str
) -> None:
    done = await house.run(*sent.split(), program=(sys.executable, "-c", SECOND))
    assert (done.code, done.out) == (0, said)


EARLY = (
    ("importing", signal.SIGTERM),
    ("reading", signal.SIGTERM),
    ("reading", signal.SIGINT),
    ("reading", signal.SIGXCPU),
    ("in-c", signal.SIGTERM),
    ("opened", signal.SIGTERM),
)


@pytest.mark.parametrize(("place", "number"), EARLY, ids=lambda one: getattr(one, "name", one))
async def test_a_stop_during_the_start_ends_it_at_once_with_a_line(
    house: House, place: str, number: signal.Signals
) -> None:
    daemon = await house.begin(env=ENV, program=(*SLOW_START, place, "serve"))
    await daemon.err.having("slow\n")
    for noted in (signal.SIGUSR1, signal.SIGALRM, signal.SIGHUP):
        daemon.send_signal(noted)
    daemon.send_signal(number)
    assert await daemon.ended(STOP_S) == 0
    if place == "importing":
        assert f"chatd: {number.name} came before the daemon was ready" in daemon.err.text
    else:
        assert daemon.events("daemon.stopping")[0]["reason"] == number.name
        assert daemon.events("daemon.stopped")[0]["clean"] is True
    assert not (house.state_dir / "internal.sock").exists()


async def test_a_stop_while_the_parts_are_put_together_ends_within_the_bound(house: House) -> None:
    bound = {"CHATD_SERVER__DRAIN_TIMEOUT_S": "0.5"}
    daemon = await house.begin(env={**ENV, **bound}, program=(*SLOW_START, "building", "serve"))
    await daemon.err.having("slow\n")
    daemon.send_signal(signal.SIGTERM)
    assert await daemon.ended(STOP_S) == 1
    assert daemon.events("daemon.stopped")[0]["clean"] is False


# Runs what follows as what a terminal controls, whose name is the first argument.
ON_A_TERMINAL = """
import os, sys
os.setsid()
os.close(os.open(sys.argv[1], os.O_RDWR))
os.execv(sys.argv[2], sys.argv[2:])
"""


async def test_a_terminal_that_is_closed_drains_what_was_started_there(
    house: House, nursery: trio.Nursery
) -> None:
    window, name = pty.openpty()
    launcher = (sys.executable, "-c", ON_A_TERMINAL, os.ttyname(name))
    daemon = await house.start(env=ENV, program=(*launcher, *CHATD, "serve"))
    os.close(name)
    client = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await client.hear("chat:history")
    os.close(window)
    await client.gone()
    assert client.said("server:draining")
    assert await daemon.ended() == 0
    assert daemon.events("daemon.stopping")[0]["reason"] == "SIGHUP"
