"""The socket of a service manager, as systemd has one for notices."""

import os
import socket
from select import select
from types import TracebackType
from typing import Self

import trio

HEAR_S = 90.0


class NoticeSocket:
    """Collects the notices of a process; `address` is for its $NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def __aenter__(self) -> Self:
        place = os.fsencode(self.address)
        await self._socket.bind(b"\0" + place[1:] if place.startswith(b"@") else place)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    async def next(self) -> dict[str, str]:
        """The next notice, by the names in it."""
        with trio.fail_after(HEAR_S):
            return _notice(await self._socket.recv(65_536))

    def forget(self) -> list[dict[str, str]]:
        """What came until now, and nobody has asked for."""
        came = []
        descriptor = self._socket.fileno()
        with socket.socket(fileno=os.dup(descriptor)) as reading:
            while select([reading], (), (), 0)[0]:
                came.append(_notice(reading.recv(65_536)))
        return came

    async def hear(self, name: str, value: str = "1") -> dict[str, str]:
        """The next notice that says so."""
        while (notice := await self.next()).get(name) != value:
            pass
        return notice


def _notice(datagram: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in datagram.decode().split("\n"))
