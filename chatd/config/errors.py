"""The errors of this package, and the words that all refusals share."""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

LONGEST_QUOTE = 60
"""Characters of a refused value that an error shows."""


class ConfigError(Exception):
    """The configuration cannot be used; the text is for the person who wrote it.

    Each of `sentences` is one mistake: it says where that is (file and line, environment variable
    or command line), which key, and what to write instead. No sentence ever holds the value of a
    secret.
    """

    exit_code = 78  # sysexits.h, EX_CONFIG

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class InvalidValue(ValueError):
    """A value that its key does not take.

    `problem` continues the sentence after the name of the key ("must be ..., not ..."); `at` is
    what to append to that name if the fault is deeper (".demo.users"). `others` are further faults
    of the value, and `rest` is the value without what is wrong, None if nothing is left of it.
    """

    def __init__(
        self,
        problem: str,
        at: str = "",
        others: "Sequence[InvalidValue]" = (),
        rest: object = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at
        self.others = others
        self.rest = rest

    @property
    def faults(self) -> "list[InvalidValue]":
        """Everything that is wrong with the value, in the order in which it is written."""
        return [self, *self.others]


class Faults:
    """Gathers what is wrong with the parts of a value, so that all of it is told at once."""

    def __init__(self) -> None:
        self._found: list[InvalidValue] = []
        self._meant: set[str] = set()

    @property
    def keys(self) -> set[str]:
        """The keys of a table that have a fault, or hold one, or are misspelt: they count as
        written."""
        own = {re.split(r"[.\[]", fault.at[1:], maxsplit=1)[0] for fault in self._found}
        return own | self._meant

    def unknown(self, key: str, known: Collection[str], at: str) -> None:
        """Add the fault of a key of a table that is not a known one."""
        meant = closest(key, known)
        if meant is not None:
            self._meant.add(meant)
        self.add(f"is not a key; {nearest(key, known)}", at)

    def add(self, problem: str, at: str = "") -> None:
        """Add a fault."""
        self._found.append(InvalidValue(problem, at))

    @contextmanager
    def gathered(self, at: str = "") -> Iterator[None]:
        """Gather the faults of a part, which stands deeper, `at` a place."""
        try:
            yield
        except InvalidValue as invalid:
            self.gather(invalid, at)

    def gather(self, invalid: InvalidValue, at: str = "") -> None:
        """Gather the faults of an error that was caught."""
        for fault in invalid.faults:
            self.add(fault.problem, f"{at}{fault.at}")

    def raise_any(self, rest: object = None) -> None:
        """Raise `InvalidValue` if there is a fault; `rest` is what is left of the value."""
        if self._found:
            first, *others = self._found
            raise InvalidValue(first.problem, first.at, others, rest)


def quoted(text: str) -> str:
    """`text` in quotes, cut, with everything escaped that could move a cursor."""
    cut = text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."
    return json.dumps(cut)


def described(value: object) -> str:
    """A refused value in words: its kind and, if that helps, the value itself."""
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
    """Like `described`, for secrets: never the value."""
    match value:
        case str():
            return "that text" if value else "an empty text"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
    return described(value)


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint that ends an error about an unknown name: the nearest one, or else all of them.

    `prefix` is shown before each known name and takes no part in the comparison.
    """
    candidates = tuple(known)
    meant = closest(name, candidates)
    if meant is not None:
        return f"did you mean {prefix}{meant}?"
    return f"known are {', '.join(f'{prefix}{candidate}' for candidate in candidates)}."


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that somebody who wrote `name` probably meant; None if it is like none."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None
