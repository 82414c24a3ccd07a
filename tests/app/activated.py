"""A program under socket activation, as systemd starts it.

    activated.py NAMES DESCRIPTORS PROGRAM [ARGUMENTS]

The descriptors, with a comma between two of them, become 3, 4, and so on; their names, with a colon
between two, stand in $LISTEN_FDNAMES.
"""

import fcntl
import os
import sys

FIRST = 3
FAR = 100  # above all that are handed over

if __name__ == "__main__":
    names, descriptors, *command = sys.argv[1:]
    moved = [fcntl.fcntl(int(one), fcntl.F_DUPFD, FAR) for one in descriptors.split(",")]
    for index, one in enumerate(moved):
        os.dup2(one, FIRST + index)
        os.close(one)
    os.environ |= {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(moved)),
        "LISTEN_FDNAMES": names,
    }
    os.execv(command[0], command)
