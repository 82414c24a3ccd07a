"""A JSON Web Key Set (RFC 7517, 5): the keys that an issuer signs with at present.

A key that cannot be used is ignored, as RFC 7517 says: the issuer may sign other things with it. A
document that is not a key set is refused as a whole, so that the last good set stays.
"""

from typing import Final

import attrs
import orjson

from chatd.auth.jwk import KeyUnusable, bound_jwk
from chatd.auth.keys import BoundKey
from chatd.observe.shown import shown

KEYS_MAX: Final = 100
"""Keys of a set (our choice); issuers have two or three. A longer set is refused."""

CANDIDATES_MAX: Final = 4
"""Keys that one token is tried with, if several have no kid, or the same one."""


class KeySetInvalid(Exception):
    """A document is not a key set; `str()` ends a sentence that begins with the document."""


@attrs.frozen
class KeySet:
    """The usable keys of a set; `passed_over` says what is wrong with each of the others."""

    keys: tuple[BoundKey, ...] = ()
    passed_over: tuple[str, ...] = ()

    def find(self, algorithm_name: str, key_id: str | None) -> tuple[BoundKey, ...]:
        """The keys that a token with this header may be signed with, at most `CANDIDATES_MAX`.

        If the token names a key, these are the keys of that name or, if the set has none, the keys
        without a name.
        """
        able = [key for key in self.keys if key.algorithm_name == algorithm_name]
        if key_id is not None:
            named = [key for key in able if key.key_id == key_id]
            able = named or [key for key in able if key.key_id is None]
        return tuple(able[:CANDIDATES_MAX])

    def has(self, key_id: str) -> bool:
        """Whether a key has this name, whatever its algorithm."""
        return any(key.key_id == key_id for key in self.keys)


def read_key_set(document: bytes) -> KeySet:
    """The key set in a document. Raises KeySetInvalid, and nothing else."""
    try:
        value = orjson.loads(document)
    except ValueError:
        raise KeySetInvalid("is not JSON") from None
    entries = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise KeySetInvalid('is not a key set: an object with a list of "keys"')
    if len(entries) > KEYS_MAX:
        raise KeySetInvalid(f"has more than {KEYS_MAX} keys")
    keys, passed_over = [], []
    for index, entry in enumerate(entries):
        try:
            keys.append(bound_jwk(entry))
        except KeyUnusable as error:
            key_id = entry.get("kid") if isinstance(entry, dict) else None
            named = f'"{shown(key_id)}"' if isinstance(key_id, str) else f"{index + 1}"
            passed_over.append(f"the key {named} {error}")
    return KeySet(tuple(keys), tuple(passed_over))
