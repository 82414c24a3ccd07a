"""The daemon as `chatd serve` starts it, with the limits of rate out of the way.

usage: python -m tests.bench.chat_daemon PORT SECRET STATE_DIR
"""

import os
import sys

from chatd.cli import main

# Every limit that bounds a rate or a count; a limit may be any positive number.
LIMITS = (
    "USER_MESSAGES_PER_MINUTE",
    "SOCKET_MESSAGES_PER_MINUTE",
    "ROOM_MESSAGES_PER_MINUTE",
    "SOCKET_EVENTS_PER_MINUTE",
    "SOCKETS_PER_USER",
    "SESSIONS_PER_ADDRESS",
    "PENDING_SESSIONS_PER_ADDRESS",
    "CONNECTIONS_PER_ADDRESS",
    "HANDSHAKES_PER_SECOND",
)

if __name__ == "__main__":
    port, secret, state_dir = sys.argv[1:]
    os.environ.update({f"CHATD_LIMITS__{name}": "1000000000" for name in LIMITS})
    os.environ["CHATD_AUTH__JWT_SECRET"] = secret
    sys.argv[1:] = ["serve", "--port", port, "--state-dir", state_dir]
    main()
