"""The bus that the configuration names, made and tried once."""

from collections.abc import Callable
from typing import Final

import trio

from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.bus import Bus
from chatd.bus.redis_address import SCHEMES, RedisAddress
from chatd.config import Config

HIREDIS_MISSING: Final = (
    'a bus over Redis needs hiredis; in the sources of chatd: pip install ".[redis]"'
)
PSYCOPG_MISSING: Final = (
    'a bus over PostgreSQL needs psycopg; in the sources of chatd: pip install ".[postgres]"'
)


def check_bus(config: Config) -> None:
    """Check whether the bus can be used at all, without connecting. Raises StartFailedError if
    not."""
    url = config.bus.url
    if not url:
        return
    if _is_redis(url):
        try:
            import chatd.bus.redis_bus  # noqa: F401
        except ImportError:
            raise StartFailedError(f"bus.url: {HIREDIS_MISSING}", EXIT_CONFIG) from None
        return
    try:
        from chatd.postgres_client import why_misread
    except ImportError:
        raise StartFailedError(f"bus.url: {PSYCOPG_MISSING}", EXIT_CONFIG) from None
    why = why_misread(url)
    if why is not None:
        raise StartFailedError(f"bus.url: {why}", EXIT_CONFIG)


def make_bus(
    url: str, scope: str, on_change: Callable[[str | None], None] = lambda _why: None
) -> Bus:
    """The bus at this address, for the nodes of one `scope`. It connects when it runs."""
    if _is_redis(url):
        from chatd.bus.redis_bus import RedisBus

        return RedisBus(RedisAddress.read(url), scope, on_change)
    from chatd.bus.notify_bus import NotifyBus

    return NotifyBus(url, scope, on_change)


async def why_bus_fails(url: str) -> str | None:
    """Try a bus once: a payload has to come back. Returns a sentence for the operator, None if it
    does."""
    told: list[str | None] = []
    came = trio.Event()

    def on_change(why: str | None) -> None:
        told.append(why)
        came.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(make_bus(url, "trial", on_change).run, _Nobody())
        await came.wait()
        nursery.cancel_scope.cancel()
    return told[0]


def place_of_bus(url: str) -> str:
    """Where a bus is, without its credentials, so that nodes whose buses differ can be told apart.
    Empty if there is none."""
    if not url:
        return ""
    if _is_redis(url):
        redis = RedisAddress.read(url)
        if redis.path:
            return f"unix://{redis.path}?db={redis.database}"
        return f"redis://{redis.place}/{redis.database}"
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    host, port = (parts.get(name) or usual for name, usual in (("host", ""), ("port", "5432")))
    return f"postgresql://{host}:{port}/{parts.get('dbname') or ''}"


class _Nobody:
    """A listener that ignores everything."""

    def heard(self, topic: str, payload: bytes) -> None:
        """Nobody asked for it."""

    def came_up(self) -> None:
        """Nobody has missed anything."""


def _is_redis(url: str) -> bool:
    return url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))
