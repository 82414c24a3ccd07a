"""What the service manager is told about this process: systemd's protocol of `sd_notify`.

A notice is a datagram of `NAME=value` lines to the unix socket of `$NOTIFY_SOCKET`, whose name may
be abstract (`@name`). Nobody answers. If the socket is full, it gets the notices later, in order;
if it is gone, the notices are lost, which is reported once. Without `$NOTIFY_SOCKET` nothing is
sent. Programs that the daemon starts do not inherit the variables.
"""

import contextlib
import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator, MutableMapping
from typing import Final

from chatd.observe import EventLog, NoticeFailed
from chatd.observe.lines import visible

UNSENT_MAX: Final = 16
"""Notices that wait for a socket that is full; beyond: the oldest are lost."""
STATUS_CHARS: Final = 400
"""Characters of a status, which `systemctl status` shows in one line; beyond: cut."""
EXTEND_S: Final = 60.0
"""Seconds by which the time for the start is extended each time, while the log is read."""
EXTEND_EVERY_S: Final = 15.0
EXTEND_MOST_S: Final = 3600.0
"""Seconds that reading the log may take altogether; beyond: the service manager gives up. Ten
million messages take ten minutes; a disk that hangs takes for ever."""

_LATER: Final = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors that pass: nobody reads fast enough, or too much is open just now."""


class Notifier:
    """Tells the service manager; its methods may be called from any thread, and never wait."""

    def __init__(
        self, address: str | None, event_log: EventLog, *, watchdog_s: float | None = None
    ) -> None:
        """`watchdog_s`: `alive` has to be called again within so many seconds; None if nobody waits
        for it."""
        self.watchdog_s = watchdog_s if address else None
        self._event_log = event_log
        self._unsent: deque[bytes] = deque(maxlen=UNSENT_MAX)
        self._lock = threading.Lock()
        self._status = ""
        self._has_failed = False
        self._address = os.fsencode(address or "")
        if self._address.startswith(b"@"):
            self._address = b"\0" + self._address[1:]

    @classmethod
    def of(
        cls, environment: MutableMapping[str, str], event_log: EventLog, process_id: int
    ) -> "Notifier":
        """The notifier for the socket in the environment; its variables are taken out."""
        address = environment.pop("NOTIFY_SOCKET", "")
        watchdog_us = environment.pop("WATCHDOG_USEC", "")
        watched = environment.pop("WATCHDOG_PID", "")
        is_watched = watchdog_us.isdecimal() and watched in ("", str(process_id))
        watchdog_s = int(watchdog_us) / 1_000_000 if is_watched and int(watchdog_us) else None
        if address and not address.startswith(("/", "@")):
            event_log.record(NoticeFailed(f"{address:.100} is not a unix socket"))
            address = ""
        return cls(address or None, event_log, watchdog_s=watchdog_s)

    @property
    def is_on(self) -> bool:
        """Whether anybody is told."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The daemon serves; also after a reload."""
        self._send("READY=1", self._new_status(status))

    def status(self, status: str) -> None:
        """The state of the daemon in one line; sent if it has changed."""
        if status != self._status:
            self._send(self._new_status(status))

    def reloading(self, now_us: int) -> None:
        """The configuration is read again, until `ready`; `now_us` as of `Clock.monotonic_us`."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def stopping(self, within_s: float) -> None:
        """The daemon ends within so many seconds, whatever the unit allows."""
        self._send("STOPPING=1", self._new_status("Ending."), _extend(within_s))

    def alive(self) -> None:
        """What the watchdog waits for."""
        self._send("WATCHDOG=1")

    def retry(self) -> None:
        """Send what a full socket did not take."""
        if self._unsent:
            with self._lock:
                self._flush()

    @contextlib.contextmanager
    def extending(
        self, status: str, every_s: float = EXTEND_EVERY_S, most_s: float = EXTEND_MOST_S
    ) -> Iterator[None]:
        """Let the start take longer than the unit allows while the block runs."""
        if not self.is_on:
            yield
            return
        over = threading.Event()

        def extend() -> None:
            for _ in range(int(most_s / every_s)):
                if over.wait(every_s):
                    return
                self._send(_extend(EXTEND_S))

        self._send(self._new_status(status), _extend(EXTEND_S))
        thread = threading.Thread(target=extend, name="chatd-notify", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()

    def _new_status(self, status: str) -> str:
        self._status = status
        return f"STATUS={visible(status)[:STATUS_CHARS]}"

    def _send(self, *assignments: str) -> None:
        if not self.is_on:
            return
        with self._lock:
            self._unsent.append("\n".join(assignments).encode())
            self._flush()

    def _flush(self) -> None:
        """Notices are rare: each round opens a socket of its own, so that none is kept."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.setblocking(False)
                while self._unsent:
                    sending.sendto(self._unsent[0], self._address)
                    self._unsent.popleft()
        except OSError as error:
            if error.errno in _LATER:
                return
            self._unsent.clear()
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._event_log.record(NoticeFailed(f"$NOTIFY_SOCKET: {error.strerror}"))


def _extend(by_s: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={round(by_s * 1_000_000)}"
