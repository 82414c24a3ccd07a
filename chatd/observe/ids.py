"""Chance, in one place: unguessable identifiers, and jitter.

Session and socket ids are 20 URL-safe characters of 120 random bits, like the reference server's.
None begins with a hyphen: a command that is given one would take it for an option.
"""

import base64
import os
import random  # noqa: TID251 - the one home of chance
import uuid


def unguessable_id() -> str:
    """A new identifier of 20 URL-safe characters from the operating system's generator."""
    while True:
        made = base64.urlsafe_b64encode(os.urandom(15)).decode("ascii")
        if not made.startswith("-"):
            return made


def jitter_ms(low: int, high: int) -> int:
    """A whole number of milliseconds from `low` to `high`, both included."""
    return random.randint(low, high)


def new_uuid() -> str:
    """A random UUID (RFC 9562, version 4) in its lower-case text form."""
    return str(uuid.uuid4())  # noqa: TID251 - the one home of chance
