"""Compiles the modules that every message passes through into machine code: an option of the build.

Owns which modules these are, and how their sources become an extension of CPython by mypyc. Plain
Python stays the reference: the sources are installed beside the extension, do the same, and run if
there is none. `build_hook` asks for this if `CHATD_COMPILE=1`; as a program, this module compiles
the tree that it is given: `compile.py TREE OUT`.

The gain is in calls and attributes, which mypyc makes direct if it knows the class. It takes
classes of attrs only in their old spelling, `attr.s` and `attr.ib`, and it has no use for slots and
frozen fields, as its own classes have only slots and mypy has checked the rest. So the copy that is
compiled is respelled that way, line by line, and tracebacks name the same lines.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

COMPILED: Final = (
    # What each message passes through between the read and the write of its socket. A module cannot
    # be here if plain Python derives from its class (the adapter of one node); a module that
    # messages seldom reach gains nothing.
    "chatd/websocket/decoder.py",
    "chatd/websocket/frames.py",
    "chatd/socketio/decoder.py",
    "chatd/socketio/encoder.py",
    "chatd/socketio/jsontext.py",
    "chatd/socketio/packet.py",
    "chatd/net/backlog.py",
    "chatd/net/poller.py",
    "chatd/net/writer.py",
    "chatd/engine/flusher.py",
    "chatd/engine/outgoing.py",
    "chatd/engine/session.py",
    "chatd/engine/sessions.py",  # its class derives from one in the module above
    "chatd/engine/websocket.py",
    "chatd/sockets/connection.py",
    "chatd/sockets/emitter.py",
    "chatd/sockets/socket.py",
)

REQUIREMENTS: Final = (
    "mypy>=2.4,<2.5",  # brings mypyc, whose versions differ in what they take and emit
    "setuptools>=65",  # mypyc builds by it
    "attrs>=24.2",  # these three: mypyc has to know their types
    "trio>=0.33,<0.36",
    "orjson>=3.10",
)
"""What the build needs only for this."""

STEP_S: Final = 600.0
"""Seconds for the compilation; beyond: it counts as failed. It takes 20 to 40."""
WORDS_MAX: Final = 2_000
"""So many of the last characters that a failed compilation has written are shown."""

GROUP: Final = "chatd"
"""The extension that holds the code has its name from this; one small extension for each module
leads there."""

_CLASS_OF_ATTRS: Final = re.compile(
    r"^@(?:attrs\.(define|frozen)|(statically_frozen))(?:\(([^()\n]*)\))?$", re.MULTILINE
)
_IMPORT: Final = re.compile(
    r"^(import attrs|from \.static import statically_frozen)$", re.MULTILINE
)
_MEANINGLESS: Final = {"weakref_slot=False", "slots=False"}


class CompileError(Exception):
    """The modules could not be compiled; the message says why, and what to do."""


def missing_tool() -> str | None:
    """What this machine lacks to compile an extension for this Python, in words for people; None:
    nothing."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    program = str(compiler).split()[0]
    if shutil.which(program) is None:
        return f"there is no C compiler here ({program})"
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    return None if headers.is_file() else f"the headers of Python are not here ({headers})"


def spelled_for_mypyc(source: str) -> str:
    """`source` with its attrs classes as mypyc takes them; each line keeps its number.

    >>> spelled_for_mypyc("@attrs.define(eq=False, weakref_slot=False)")
    '@attr.s(auto_attribs=True, order=False, eq=False)'
    """
    spelled = _CLASS_OF_ATTRS.sub(_decorator, source)
    spelled = spelled.replace("attrs.field(", "attr.ib(").replace("attrs.Factory(", "attr.Factory(")
    return _IMPORT.sub(r"\1; import attr", spelled, count=1)


def _decorator(found: re.Match[str]) -> str:
    given = [option.strip() for option in (found[3] or "").split(",")]
    options = [option for option in given if option and option not in _MEANINGLESS]
    if found[1] == "frozen" and "eq=False" not in options:
        options.append("unsafe_hash=True")  # nothing assigns to it: mypy has checked that
    return f"@attr.s({', '.join(('auto_attribs=True', 'order=False', *options))})"


def compile_apart(root: Path, out: Path) -> list[Path]:
    """Compile copies of the modules of the tree at `root`, in a separate process, into `out`.

    Returns the extensions, relative to `out`; their places in an installation are the same. Raises
    CompileError.
    """
    lacking = missing_tool()
    if lacking is not None:
        raise CompileError(
            f"{lacking[0].upper()}{lacking[1:]}: install it (on Debian: apt-get install gcc "
            "python3-dev), or leave CHATD_COMPILE unset, and chatd is installed as plain Python."
        )
    command = (sys.executable, str(Path(__file__).resolve()), str(root.resolve()), str(out))
    try:
        ended = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=STEP_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CompileError(f"mypyc did not come to its end: {error}") from error
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr)[-WORDS_MAX:].strip()
        raise CompileError(f"mypyc says: {said}")
    return sorted(file.relative_to(out) for file in out.rglob("*") if file.is_file())


def _compile(root: Path, out: Path) -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution

    with tempfile.TemporaryDirectory(prefix="chatd-compile-") as place:
        work = Path(place)
        _copy(root / "chatd", work / "chatd")
        os.chdir(work)
        extensions = mypycify(
            [
                "--config-file=",
                "--follow-imports=silent",
                "--ignore-missing-imports",
                *COMPILED,
            ],
            opt_level="2",
            debug_level="0",
            target_dir=str(work / "c"),
            group_name=GROUP,
        )
        command = Distribution({"name": "chatd", "ext_modules": extensions}).get_command_obj(
            "build_ext"
        )
        command.build_lib, command.build_temp = str(out), str(work / "c")
        command.ensure_finalized()
        command.run()


def _copy(package: Path, copy: Path) -> None:
    """Copy all modules, as the compiled ones import others; only the compiled ones are
    respelled."""
    for file in package.rglob("*.py"):
        place = copy / file.relative_to(package)
        place.parent.mkdir(parents=True, exist_ok=True)
        source = file.read_text("utf-8")
        is_compiled = place.relative_to(copy.parent).as_posix() in COMPILED
        place.write_text(spelled_for_mypyc(source) if is_compiled else source, "utf-8")


def main(arguments: Sequence[str]) -> None:
    """Compile the tree that is the first argument into the directory that is the second."""
    root, out = arguments
    _compile(Path(root).resolve(), Path(out).resolve())


if __name__ == "__main__":
    main(sys.argv[1:])
