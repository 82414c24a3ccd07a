"""Addresses of databases, and what an operator is told if one cannot be reached.

An address is a connection string or URL for libpq. It holds a password, which no message repeats.
"""

from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

_HOW_WRITTEN: Final = (
    "it begins with postgresql://, and the signs @ : / ? # % of a password are percent-encoded "
    "(%40 for @)"
)


def why_misread(address: str) -> str | None:
    """What to tell an operator whose address libpq does not understand as it is meant; None if it
    may be right. Nothing of the address is repeated."""
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError as error:
        why = " ".join(str(error).split()).partition('"')[0].strip(" :")
        shown = f" ({why})" if " " in why else ""
        return f"The address of the database cannot be read{shown}; {_HOW_WRITTEN}."
    ports = str(parts.get("port") or 0).split(",")
    is_odd = any("@" in str(parts.get(name, "")) for name in ("host", "dbname"))
    if is_odd or not all(port.isdecimal() for port in ports):
        return f"The address of the database is not read as it is meant; {_HOW_WRITTEN}."
    return None


def why_unreached(address: str, error: psycopg.Error) -> str:
    """What to tell an operator whose database cannot be reached.

    libpq's words name the host, the user and the cause. If libpq did not understand the address as
    it was meant, they may quote any part of it, even a password: then they are not repeated.
    """
    said = " ".join(str(error).split())
    return why_misread(address) or f"The database cannot be reached: {said}"
