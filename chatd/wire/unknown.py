"""Fields of a payload that nothing here knows. Newer clients may send them, and so they are
ignored; but then what a misspelt one means (`readonly` for `readOnly`) does not happen, and the
client has to learn that. Names are bounded, and hold nothing that a page or a terminal would obey.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, get_args

import attrs

from chatd.wire.fields import name_of

NAMED_MAX = 10  # unknown fields that are named, the first of a payload; enough to see what is wrong
NAME_CHARS_MAX = 64  # of each part of such a name, before what has to be escaped in it


def plain_names(kind: type) -> frozenset[str]:
    """The fields of a class that hold no object. A payload with no other names, as nearly all are,
    has no unknown field, and costs one look at this set."""
    known, inner = _shape(kind)
    return known - inner.keys()


def unknown_fields(value: object, kind: type) -> tuple[str, ...] | None:
    """The fields of a JSON value that payloads of this class do not have, as `context.config.read`;
    None if there are none.

    >>> from chatd.wire.payloads import TypingStart
    >>> unknown_fields({"connectionId": "demo", "roomId": "demo"}, TypingStart)
    ('roomId',)
    """
    if type(value) is not dict:
        return None
    return tuple(islice(_unknown(value, kind, ""), NAMED_MAX)) or None


def _unknown(value: dict[str, Any], kind: type, before: str) -> Iterator[str]:
    known, inner = _shape(kind)
    for name, field in value.items():
        if name not in known:
            yield before + _escaped(name)
        elif name in inner and type(field) is dict:
            yield from _unknown(field, inner[name], f"{before}{name}.")


@cache
def _shape(kind: Any) -> tuple[frozenset[str], dict[str, type]]:
    """The names of the fields of a class, and the classes of those that hold objects."""
    fields = attrs.fields(kind)
    inner = {
        name_of(field): one
        for field in fields
        for one in (get_args(field.type)[0], *get_args(get_args(field.type)[0]))
        if attrs.has(one)
    }
    return frozenset(map(name_of, fields)), inner


def _escaped(name: str) -> str:
    """A name as it may be shown: printable ASCII without markup."""
    return ascii(name[:NAME_CHARS_MAX])[1:-1].replace("<", "\\x3c")
