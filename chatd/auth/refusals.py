"""Why a token gives no identity."""

from typing import Final

from chatd.observe.shown import shown
from chatd.wire.codes import Code

NAMED_MAX: Final = 3
"""How many entries of a list a reason names; a list of audiences has one or two."""


class TokenRefused(Exception):
    """A token gives no identity. `code` is for programs, `str()` is a sentence for people.

    `unauthorized`: there was no token; `token_expired`: it was good once, and a new one helps;
    `token_invalid`: anything else. The sentence repeats nothing of the token. `reason` is a
    sentence for the operator: it says more if more is known, with at most a few printable
    characters of what the token names.
    """

    def __init__(self, code: Code, sentence: str, reason: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason or sentence


class KeyUnknown(TokenRefused):
    """A token is signed with a key that the key set does not have: a newer set may have it."""


def invalid(sentence: str, reason: str | None = None) -> TokenRefused:
    """The refusal of a token that is not good, and never will be."""
    return TokenRefused(Code.TOKEN_INVALID, sentence, reason)


def named(value: object) -> str:
    """What a token or the configuration names, in a form fit for the log."""
    if value is None:
        return "missing"
    entries = value[:NAMED_MAX] if isinstance(value, list) else [value]
    names = [f'"{shown(entry)}"' if isinstance(entry, str) else "no text" for entry in entries]
    if isinstance(value, list) and len(value) > NAMED_MAX:
        names.append("...")
    return ", ".join(names) or "an empty list"
