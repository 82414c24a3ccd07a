"""A program under what a unit of systemd forbids it, as far as a process can do that to itself.

    sandboxed.py UNIT PROGRAM [ARGUMENTS]

systemd sets the same up before it starts a service: the calls of `SystemCallFilter=`, the families
of `RestrictAddressFamilies=`, no memory that is written and run (`MemoryDenyWriteExecute=`), no
capability, no new privilege, the mask and the limits of files. Its filters are made by libseccomp,
as here; `systemd-analyze` names the calls of its groups. Where this runs as root, it can write
below the current directory alone. It stays root then, without its powers: a daemon that is root
gives its files to the owner of their directory, which a service has no need of.
"""

import ctypes
import errno
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050000 | errno.EPERM
EQUAL, MASKED_EQUAL = 4, 7  # SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ
FAMILIES: Final = 48  # of sockets, that there are
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CLONE_NEWNS: Final = 0x20000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
WRITABLE, RUNNABLE = 0x2, 0x4  # PROT_WRITE, PROT_EXEC
FILES: Final = 32768

libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]


class Compared(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def calls_of(group: str) -> Iterator[str]:
    """The names of a group, those of the groups in it included."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            yield from calls_of(name)
        elif name and not name.startswith("#"):
            yield name


def allowed_calls(lines: list[str]) -> set[str]:
    """What lines of `SystemCallFilter=` come to."""
    allowed: set[str] = set()
    for line in lines:
        names = {call for group in line.lstrip("~").split() for call in calls_of(group)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | set(calls_of("@default"))


def add(context: int, action: int, call: str, *compared: Compared) -> None:
    number = seccomp.seccomp_syscall_resolve_name(call.encode())
    if number >= 0:  # else it is one of another machine
        array = (Compared * len(compared))(*compared)
        failed = seccomp.seccomp_rule_add_array(
            ctypes.c_void_p(context), action, number, len(compared), array
        )
        assert failed == 0, (call, failed)


def refuse_some(families: list[str]) -> None:
    """Memory that is written and run, and sockets of other families."""
    context = seccomp.seccomp_init(ALLOW)
    both = WRITABLE | RUNNABLE
    add(context, REFUSE, "mmap", Compared(2, MASKED_EQUAL, both, both))
    for call in ("mprotect", "pkey_mprotect"):
        add(context, REFUSE, call, Compared(2, MASKED_EQUAL, RUNNABLE, RUNNABLE))
    allowed = {int(getattr(socket, family)) for family in families}
    for family in set(range(FAMILIES)) - allowed:
        add(context, REFUSE, "socket", Compared(0, EQUAL, family, 0))
    assert seccomp.seccomp_load(context) == 0


def confine_files() -> None:
    """Nothing can be written but what lies in this directory, as by `ProtectSystem=strict`, and
    of /proc the own processes are seen."""
    here = os.getcwd()

    def mount(source: str, target: str, flags: int) -> None:
        failed = libc.mount(source.encode(), target.encode(), None, flags, None)
        assert failed == 0, (target, os.strerror(ctypes.get_errno()))

    if os.geteuid() == 0 and libc.unshare(CLONE_NEWNS) == 0:
        mount("none", "/", MS_REC | MS_PRIVATE)
        mount(here, here, MS_BIND)
        mount("/", "/", MS_BIND | MS_REMOUNT | MS_RDONLY)
        os.chdir(here)  # as it is mounted now
        # ProcSubset=pid and ProtectProc=invisible
        libc.mount(b"proc", b"/proc", b"proc", 0, b"subset=pid,hidepid=invisible")


def main() -> None:
    unit, *command = sys.argv[1:]
    text = Path(unit).read_text()

    def setting(name: str) -> list[str]:
        return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)

    assert setting("MemoryDenyWriteExecute") == setting("NoNewPrivileges") == ["yes"]
    assert setting("CapabilityBoundingSet") == [""]
    allowed = allowed_calls(setting("SystemCallFilter"))
    if os.geteuid() == 0:
        allowed |= set(calls_of("@chown"))
    [families] = setting("RestrictAddressFamilies")
    os.umask(int(setting("UMask")[0], 8))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard >= FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    confine_files()
    for number in range(64):
        libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    context = seccomp.seccomp_init(REFUSE)
    for call in allowed:
        add(context, ALLOW, call)
    refuse_some(families.split())
    assert seccomp.seccomp_load(context) == 0
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
