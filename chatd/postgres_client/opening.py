"""How a connection is opened: in a thread, since names are looked up and hosts tried one by one."""

import threading
from typing import Any, Final

import attrs
import psycopg
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

CONNECT_S: Final = 4
"""Whole seconds within which a connection has to be opened, for each host of the address."""
_USUAL: Final = {
    "application_name": "chatd",
    # A peer that went away without a word is noticed within a minute.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Options that an address may set otherwise."""
_NEEDED: Final = {"connect_timeout": str(CONNECT_S), "client_encoding": "UTF8"}


def conninfo_of(address: str) -> str:
    """What libpq is given to connect to the database at `address`; it holds the password. Raises
    `psycopg.ProgrammingError` if the address cannot be read."""
    said = conninfo_to_dict(address)
    usual = {name: value for name, value in _USUAL.items() if name not in said}
    return make_conninfo(address, **usual, **_NEEDED)


async def opened_in_thread(
    address: str, threads: trio.CapacityLimiter
) -> "psycopg.Connection[Any]":
    """A blocking connection, opened in one of these threads. Raises `psycopg.Error`."""
    opening = Opening(address)
    try:
        await trio.to_thread.run_sync(opening.run, abandon_on_cancel=True, limiter=threads)
    except trio.Cancelled:
        opening.abandon()
        raise
    assert opening.opened is not None
    return opening.opened


@attrs.define(eq=False)
class Opening:
    """A connection that a thread is opening; the task may no longer wait for it."""

    _address: str = attrs.field(repr=False)
    opened: "psycopg.Connection[Any] | None" = attrs.field(init=False, default=None)
    _is_abandoned: bool = attrs.field(init=False, default=False)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)

    def run(self) -> None:
        opened = psycopg.connect(conninfo_of(self._address))
        with self._lock:
            if self._is_abandoned:
                opened.close()
            else:
                self.opened = opened

    def abandon(self) -> None:
        with self._lock:
            self._is_abandoned = True
            if self.opened is not None:
                self.opened.close()
