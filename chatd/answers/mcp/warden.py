"""Starts a db-mcp and sees to it that nothing of it outlives the daemon; a program of its own.

    python -I -S warden.py DESCRIPTOR PROGRAM [ARGUMENT...]

The daemon holds the other end of the socket DESCRIPTOR. When that end is closed, even because the
daemon was killed, the program and everything that it has started are ended: SIGTERM, then SIGKILL
after `GRACE_S`; SIGKILL at once if the daemon has written `KILL` before. This process is their
reaper (prctl, PR_SET_CHILD_SUBREAPER), so that those which went into a session of their own, or
lost their parent, are found as well. Should this process itself be killed, the program is killed by
the kernel (PR_SET_PDEATHSIG: a signal on the death of the thread that forked, and here there is one
thread).

One line goes to the daemon: 0 if the program was started, otherwise the number of the error.
Standard input, output and error are the program's. A SIGTERM is passed on to all of its processes.
When the program ends, what it leaves behind is killed, and this process ends with its exit code.

It is run by the path of its file and imports little, so that it starts in a few milliseconds.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time

GRACE_S = 1.0  # for the processes to end after SIGTERM, once the daemon is gone
KILLING_S = 5.0  # how long to keep killing processes that keep starting others
ROUND_S = 0.01  # between two looks at whether they are gone
KILL = b"k"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
EXIT_NOT_STARTED = 127


def main(arguments: list[str]) -> int:
    """Start the program, and wait for its end or the daemon's; returns the exit code."""
    daemon = socket.socket(fileno=int(arguments[0]))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    program = _started(arguments[1:], daemon, libc)
    if program is None:
        return EXIT_NOT_STARTED
    _let_go_of_streams()
    code = _watch(program, daemon, woken)
    _kill_all()
    return code


def _started(command: list[str], daemon: socket.socket, libc: ctypes.CDLL) -> int | None:
    """The process of the program, in a session of its own; None if it cannot be started."""
    told, tell = os.pipe2(os.O_CLOEXEC)
    own = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
                signal.signal(number, signal.SIG_DFL)
            if os.getppid() == own:  # else the parent ended before the signal was asked for
                os.execvp(command[0], command)
        except OSError as error:
            os.write(tell, str(error.errno).encode())
        os._exit(EXIT_NOT_STARTED)
    os.close(tell)
    failed = os.read(told, 16)  # nothing, once the program has taken this process's place
    os.close(told)
    daemon.sendall((failed or b"0") + b"\n")
    return None if failed else process


def _let_go_of_streams() -> None:
    """Leave standard input, output and error to the program, so that their ends are its ends."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.close(nothing)


def _watch(program: int, daemon: socket.socket, woken: int) -> int:
    """Wait for the end of the program, and end it once the daemon is gone; returns its exit
    code."""
    waiting = select.poll()
    waiting.register(daemon, select.POLLIN)
    waiting.register(woken, select.POLLIN)
    until_s: float | None = None
    while True:
        left_ms = None if until_s is None else max(0.0, until_s - time.monotonic()) * 1000
        ready = [number for number, _ in waiting.poll(left_ms)]
        if woken in ready and signal.SIGTERM in os.read(woken, 512):
            _signal_all(signal.SIGTERM)
        code = _reap(program)
        if code is not None:
            return code
        if until_s is not None and time.monotonic() >= until_s:
            return EXIT_NOT_STARTED
        if daemon.fileno() in ready:
            if _said(daemon) == KILL:
                return EXIT_NOT_STARTED
            waiting.unregister(daemon)
            _signal_all(signal.SIGTERM)
            until_s = time.monotonic() + GRACE_S


def _said(daemon: socket.socket) -> bytes:
    """What the daemon has written; nothing if it is gone."""
    try:
        return daemon.recv(1)
    except OSError:
        return b""


def _reap(program: int) -> int | None:
    """Reap all processes that have ended; returns the exit code of the program, if it has ended."""
    code = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if process == 0:
            return code
        if process == program:
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code  # as shells report a signal


def _kill_all() -> None:
    """Kill what is left, until nothing is; for a bounded time."""
    until_s = time.monotonic() + KILLING_S
    while _signal_all(signal.SIGKILL) and time.monotonic() < until_s:
        time.sleep(ROUND_S)
        _reap(0)


def _signal_all(number: int) -> int:
    """Signal all descendants of this process; returns how many there are."""
    found = _descendants()
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
    return len(found)


def _descendants() -> list[int]:
    """The processes that descend from this one, except those that have ended and wait to be
    reaped."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue  # it has just gone
        if state not in (b"Z", b"X"):
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    looked_at = [os.getpid()]
    while looked_at:
        below = children.get(looked_at.pop(), [])
        found += below
        looked_at += below
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
