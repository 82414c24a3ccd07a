"""One connection with a Redis, on a Trio stream: it logs in, sends commands, and hears replies.

A peer that says nothing for `SILENCE_S` is given up, since a Redis that is stopped keeps its
connections open. What waits to be sent is bounded.
"""

import ssl
from collections.abc import Callable
from typing import Final, NoReturn

import hiredis
import trio

from chatd.bus.link import CONNECT_S, PING_S, BusLost, together
from chatd.bus.redis_address import RedisAddress
from chatd.bus.resp import BadReply, Reply, RespReader, command

SILENCE_S: Final = 1.5
"""Seconds without a byte from Redis, which gets three pings in that time; beyond: the connection is
lost."""
OUT_BYTES_MAX: Final = 4_194_304
"""Bytes that wait to be sent; beyond: nothing more is taken, and hints are dropped."""
READ_BYTES: Final = 65_536

_REFUSED: Final = {
    "NOAUTH": "it wants a password: write it in the address",
    "WRONGPASS": "it does not take this user and password",
    "NOPERM": "its user may not do what a bus does: ACL SETUSER ... +ping +select +publish "
    "+subscribe +unsubscribe resetchannels &chatd:*",
    "LOADING": "it is still reading its data",
    "MISCONF": "it cannot write its data to the disk",
}
"""What an error of Redis means, by its first word. The rest may quote a command, and with it a
password: it is not repeated."""

_LOST: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


def refused(place: str, error: hiredis.ReplyError) -> BusLost:
    """What Redis did not do, and why."""
    word = str(error).split(" ", 1)[0]
    known = _REFUSED.get(word)
    if known is None:
        shown = f" ({word})" if word.isalpha() and word.isupper() and len(word) <= 20 else ""
        known = f"it answers a command with an error{shown}"
    return BusLost(f"Redis at {place} refuses chatd: {known}.")


class RedisConnection:
    """A connection that is open and logged in."""

    def __init__(self, stream: trio.abc.Stream, place: str) -> None:
        self._stream = stream
        self._place = place
        self._reader = RespReader()
        self._out = bytearray()
        self._has_out = trio.Event()
        self._why_given_up: str | None = None

    @classmethod
    async def open(cls, address: RedisAddress) -> "RedisConnection":
        """Connect and log in. Raises BusLost."""
        with trio.move_on_after(CONNECT_S):
            connection = cls(await _stream(address), address.place)
            try:
                await connection._come_in(address)
            except BaseException:
                await connection.close()
                raise
            return connection
        perhaps = "; it may not speak TLS (redis://)" if address.is_tls else ""
        raise BusLost(f"Redis at {address.place} did not answer within {CONNECT_S:g} s{perhaps}.")

    def send(self, *words: bytes) -> bool:
        """Have a command sent; False if too much waits already."""
        if len(self._out) >= OUT_BYTES_MAX:
            return False
        self._out += command(*words)
        self._has_out.set()
        return True

    def give_up(self, why: str) -> None:
        """Have `run` end as if the connection were lost."""
        self._why_given_up = why
        self._has_out.set()

    async def run(self, on_reply: Callable[[Reply], None]) -> NoReturn:
        """Send, ping, and hand over each reply, until the connection is lost: raises BusLost, which
        `on_reply` may raise too."""
        await together(self._write, self._ping, lambda: self._read(on_reply))

    async def close(self) -> None:
        """Close it at once."""
        await trio.aclose_forcefully(self._stream)

    async def _come_in(self, address: RedisAddress) -> None:
        if address.password is not None:
            user = () if address.user is None else (address.user.encode(),)
            await self._ask(b"AUTH", *user, address.password.encode())
        if address.database:
            await self._ask(b"SELECT", b"%d" % address.database)
        await self._ask(b"PING")

    async def _ask(self, *words: bytes) -> None:
        """Send a command and wait for its one reply."""
        try:
            await self._stream.send_all(command(*words))
            while data := await self._stream.receive_some(READ_BYTES):
                for reply in self._reader.replies(data):
                    if isinstance(reply, hiredis.ReplyError):
                        raise refused(self._place, reply)
                    return
            raise self._gone()
        except _LOST:
            raise self._gone() from None
        except BadReply as error:
            raise self._garbled(error) from None

    async def _read(self, on_reply: Callable[[Reply], None]) -> None:
        try:
            while True:
                with trio.fail_after(SILENCE_S):
                    data = await self._stream.receive_some(READ_BYTES)
                if not data:
                    raise self._gone()
                for reply in self._reader.replies(data):
                    if isinstance(reply, hiredis.ReplyError):
                        raise refused(self._place, reply)
                    on_reply(reply)
        except trio.TooSlowError:
            raise self._silent() from None
        except _LOST:
            raise self._gone() from None
        except BadReply as error:
            raise self._garbled(error) from None

    async def _write(self) -> None:
        try:
            while True:
                await self._has_out.wait()
                if self._why_given_up is not None:
                    raise BusLost(self._why_given_up)
                self._has_out = trio.Event()
                out, self._out = self._out, bytearray()
                with trio.fail_after(SILENCE_S):
                    await self._stream.send_all(out)
        except trio.TooSlowError:
            raise self._silent() from None
        except _LOST:
            raise self._gone() from None

    async def _ping(self) -> None:
        while True:
            await trio.sleep(PING_S)
            self.send(b"PING")

    def _gone(self) -> BusLost:
        return BusLost(f"Redis at {self._place} has closed the connection.")

    def _silent(self) -> BusLost:
        return BusLost(f"Redis at {self._place} has not answered for {SILENCE_S:g} s.")

    def _garbled(self, error: BadReply) -> BusLost:
        return BusLost(
            f"What answers at {self._place} is not Redis, or TLS is missing in the address (rediss://)"
            f": {error}."
        )


async def _stream(address: RedisAddress) -> trio.abc.Stream:
    """A stream to a Redis. Raises BusLost."""
    try:
        if address.path:
            return await trio.open_unix_socket(address.path)
        context = ssl.create_default_context(cafile=address.ca_file) if address.is_tls else None
        stream = await trio.open_tcp_stream(address.host, address.port)
        return stream if context is None else await _secured(stream, context, address.host)
    except (*_LOST, ValueError) as error:
        raise BusLost(f"Redis at {address.place} cannot be reached: {_cause(error)}.") from None


async def _secured(stream: trio.abc.Stream, context: ssl.SSLContext, host: str) -> trio.abc.Stream:
    """The stream over TLS, with a peer whose certificate is trusted and names the host."""
    secured = trio.SSLStream(stream, context, server_hostname=host)
    try:
        await secured.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secured


def _cause(error: BaseException) -> str:
    """Why, in the words of the system."""
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"TLS with it fails ({cause.reason or 'no reason given'})"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return " ".join(str(cause or error).split()).rstrip(".") or type(error).__name__
