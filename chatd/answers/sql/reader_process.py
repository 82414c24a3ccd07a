"""The process that reads messages and judges statements for a daemon: `python -m` this module.

Pieces of work come on its standard input, and what each came to goes to its standard output
(`frames`). Any client writes the texts, and a text decides how much time and memory the
grammar takes. So the process sees to its own end, whatever the daemon can still do:

    a piece takes too much of the processor      SIGPROF ends it (`PIECE_CPU_S`)
    a piece takes too much memory                Python ends, by a MemoryError
    the daemon has ended, in whatever way        the kernel ends it (Linux), or its input does

It yields to the daemon (nice), opens no file that is not Python's own, and writes nothing anywhere
but frames: what went wrong with a text would quote it.
"""

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterable
from typing import Final

from chatd.answers.frames import READY, Frames, framed
from chatd.answers.own_process_end import NICENESS, READ_BYTES, belong_to, taken_streams
from chatd.answers.sql.frames import BEGUN, piece_from_json, reading_to_json
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.reading import Piece, read
from chatd.answers.sql.verdicts import Policy

PIECE_CPU_S: Final = 2.0
"""Seconds of the processor that a piece may take. The worst that honest people send takes 0.3: a
statement of 10,000 characters, on a slow machine. Beyond: the process ends by SIGPROF."""
MEMORY_BYTES_MAX: Final = 512 * 1024 * 1024
"""Address space of the process, of which it needs a tenth. Beyond: it ends."""


def main(arguments: list[str]) -> None:
    """Serve until the input ends. The arguments: the daemon's process id, and the dialects."""
    parent_id, *dialects = arguments
    belong_to(int(parent_id))
    _limit()
    pieces, answers = taken_streams()
    _warm_up(dialects)  # type: ignore[arg-type]  # the daemon's own configuration
    _write(answers, framed(READY))
    frames = Frames()
    while received := os.read(pieces, READ_BYTES):
        for content in frames.feed(received):
            _write(answers, framed(BEGUN))
            signal.setitimer(signal.ITIMER_PROF, PIECE_CPU_S)
            reading = read(piece_from_json(content))
            signal.setitimer(signal.ITIMER_PROF, 0)
            _write(answers, framed(reading_to_json(reading)))


def _limit() -> None:
    """Take no more of the machine than this needs, and be ended by the timer, not by a handler."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # a sandbox may not allow it
        os.nice(NICENESS)
    for which, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY or most < hard:
            with contextlib.suppress(ValueError, OSError):  # some systems do not know it
                resource.setrlimit(which, (most, most))


def _warm_up(dialects: Iterable[Dialect]) -> None:
    """Have the grammar imported before the first message has to wait for it."""
    for dialect in dialects:
        read(Piece("SELECT 1", Policy(dialect)))


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


if __name__ == "__main__":
    main(sys.argv[1:])
