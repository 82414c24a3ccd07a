"""How connections wait: in Trio, or in threads if psycopg is not as `driven` needs it."""

import inspect
from typing import TYPE_CHECKING, Final

import psycopg

_VERSION: Final = "3.3."
_WAITS_WITH: Final = ("self", "gen", "interval", "timeout")


def why_not_driven() -> str | None:
    """What is unexpected about this psycopg; None if nothing is."""
    if not psycopg.__version__.startswith(_VERSION):
        return f"psycopg {psycopg.__version__} is not {_VERSION}x"
    wait = getattr(psycopg.AsyncConnection, "wait", None)
    if wait is None:
        return "psycopg.AsyncConnection has no wait"
    if tuple(inspect.signature(wait).parameters) != _WAITS_WITH:
        return "psycopg.AsyncConnection.wait takes other parameters"
    try:
        from psycopg.abc import PQGen
        from psycopg.waiting import Ready, Wait
    except ImportError:
        return "psycopg.waiting is another"
    if PQGen is None or not (hasattr(Ready, "RW") and hasattr(Wait, "RW")):
        return "psycopg.waiting knows other states"
    return None


WHY_THREADED: Final = why_not_driven()
"""Why each connection has a thread; None if none has."""

if TYPE_CHECKING or WHY_THREADED is None:
    from chatd.postgres_client.driven import DrivenConnection as TrioConnection
else:
    from chatd.postgres_client.threaded import ThreadedConnection as TrioConnection

__all__ = ["WHY_THREADED", "TrioConnection", "why_not_driven"]
