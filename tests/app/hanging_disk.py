"""`chatd` over a disk that hangs: the first commit of a message never returns.

An actor counts as silent sooner than usual. Run with the arguments of chatd.
"""

import threading
from collections.abc import Sequence
from typing import Any

from chatd.actors import pulse
from chatd.chat.records import MessageStored
from chatd.cli import main
from chatd.store.log import Log

commit = Log.commit


def hang(log: Log, requests: Sequence[Sequence[Any]]) -> Any:
    if any(isinstance(record, MessageStored) for records in requests for record in records):
        threading.Event().wait()
    return commit(log, requests)


if __name__ == "__main__":
    Log.commit = hang  # type: ignore[method-assign]
    pulse.SILENT_S = 1.0  # type: ignore[misc]
    main()
