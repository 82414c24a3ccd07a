"""The one error of this package, and the sentence that all refusals share."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence

LONGEST_QUOTE = 60
"""Characters of a refused value that an error shows."""


class ConfigError(Exception):
    """The configuration cannot be used; the text is for the person who wrote it.

    It says where the fault is (file, environment variable or command line), which key, and what to
    write instead. It never holds the value of a secret.
    """

    exit_code = 78  # sysexits.h, EX_CONFIG


class InvalidValue(ValueError):
    """A value that its key does not take.

    `problem` goes on after the name of the key ("must be ..., not ..."); `at` is what to append to
    that name where the fault is deeper (".demo.users").
    """

    def __init__(self, problem: str, at: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at


def quoted(text: str) -> str:
    """`text` in quotes, cut, with everything escaped that could move a cursor."""
    cut = text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."
    return json.dumps(cut)


def described(value: object) -> str:
    """A refused value in words: its kind, and where that helps, itself."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}" if -(10**18) < value < 10**18 else "a number of that many digits"
        case float():
            return f"{value}"
        case str():
            return f"the text {quoted(value)}" if value else "an empty text"
        case Mapping():
            return "a table"
        case Sequence():
            return "a list"
    return f"a {type(value).__name__}"


def kind_of(value: object) -> str:
    """As `described`, for secrets: never the value."""
    match value:
        case str():
            return "that text"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
    return described(value)


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint that ends an error about an unknown name: the nearest one, or else all of them.

    `prefix` is shown before each known name and takes no part in the comparison.
    """
    by_lower = {candidate.lower(): f"{prefix}{candidate}" for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_lower[close[0]]}?"
    return f"known are {', '.join(by_lower.values())}."
