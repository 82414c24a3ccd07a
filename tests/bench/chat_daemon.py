"""The daemon as `chatd serve` starts it, with the limits of rate out of the way.

usage: python -m tests.bench.chat_daemon PORT SECRET STATE_DIR
"""

import os
import sys

from chatd.bench import daemon
from chatd.cli import main

LIMITS = tuple(limit.upper() for limit in daemon.LIMITS)

if __name__ == "__main__":
    port, secret, state_dir = sys.argv[1:]
    os.environ.update({f"CHATD_LIMITS__{name}": str(daemon.NO_LIMIT) for name in LIMITS})
    os.environ["CHATD_AUTH__JWT_SECRET"] = secret
    sys.argv[1:] = ["serve", "--port", port, "--state-dir", state_dir]
    main()
