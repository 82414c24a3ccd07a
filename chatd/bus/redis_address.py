"""Addresses of Redis, as its own tools write them. They hold a password, which no message repeats.

    redis://[[USER]:PASSWORD@]HOST[:PORT][/NUMBER]
    rediss://...                 the same over TLS; ?ssl_ca_certs=FILE for authorities of one's own
    unix://[[USER]:PASSWORD@]/PATH[?db=NUMBER]

Source: redis-py, "Redis.from_url"; IANA, the schemes redis and rediss.
"""

from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

SCHEMES: Final = ("redis", "rediss", "unix")
USUAL_PORT: Final = 6379
MOST_DATABASE: Final = 2**31 - 1
HOW_WRITTEN: Final = (
    "write redis://USER:PASSWORD@HOST:6379, rediss:// for TLS, or unix:///PATH for a socket; the "
    "signs @ : / ? # % of a password are percent-encoded (%40 for @)"
)


class MisreadAddress(ValueError):
    """An address is not one of a Redis; `str()` says why, and so does `why` as the end of a
    sentence. Neither repeats any part of it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The address of Redis is not understood: {why}; {HOW_WRITTEN}.")
        self.why = f"{why}; {HOW_WRITTEN}"


@attrs.frozen
class RedisAddress:
    """Where a Redis is, and who connects. `path` is its socket; empty: it is at host and port."""

    host: str = ""
    port: int = USUAL_PORT
    path: str = ""
    is_tls: bool = False
    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    database: int = 0
    ca_file: str | None = None

    @property
    def place(self) -> str:
        """Where the Redis is, for people."""
        return self.path or f"{self.host}:{self.port}"

    @classmethod
    def read(cls, url: str) -> "RedisAddress":
        """The address that `url` says. Raises MisreadAddress."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise MisreadAddress("its host or port cannot be read") from None
        if parts.scheme not in SCHEMES:
            raise MisreadAddress("it does not begin with redis://, rediss:// or unix://")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        is_socket = parts.scheme == "unix"
        database = _number(options.pop("db", "") if is_socket else unquote(parts.path).strip("/"))
        ca_file = options.pop("ssl_ca_certs", None) if parts.scheme == "rediss" else None
        if options or parts.fragment:
            raise MisreadAddress("it has a part that chatd does not know")
        user, password = _credentials(parts)
        if is_socket and (parts.hostname or not parts.path.strip("/")):
            raise MisreadAddress("the path of its socket is not absolute")
        if not is_socket and (not parts.hostname or port == 0):
            raise MisreadAddress("it names no host, or no port")
        return cls(
            host="" if is_socket else parts.hostname or "",
            port=port or USUAL_PORT,
            path=unquote(parts.path) if is_socket else "",
            is_tls=parts.scheme == "rediss",
            user=user,
            password=password,
            database=database,
            ca_file=ca_file,
        )


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    """User and password; Redis knows no user without a password."""
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if user is not None and password is None:
        raise MisreadAddress("it names a user without a password")
    return user, password


def _number(text: str) -> int:
    """A database by its number, 0 if none is given."""
    if not text:
        return 0
    if text.isascii() and text.isdecimal() and int(text) <= MOST_DATABASE:
        return int(text)
    raise MisreadAddress("the database after its host is not a number")
