"""How far one word is from another, and which function a misspelt one may be; pure.

Words are compared by single slips of the hand: a letter too many, a letter left out, a wrong one,
and two in the wrong order.
"""

import difflib
from collections.abc import Iterable
from typing import Final

from chatd.answers.sql.functions import FUNCTIONS, UNLISTED
from chatd.answers.sql.lexer import Dialect

LONG_CHARS: Final = 5
"""Characters of a word that is called long."""
NAME_CHARS_MAX: Final = 40
"""Characters of a name that is compared; no function has more."""
_NAMES_MAX: Final = 3
_WRITTEN_AS_FUNCTIONS: Final = frozenset({"EXISTS"})
_SHORTEST_CHARS: Final = 3  # of a function's name that is compared: `a` and `id` are near to many


def slips_between(one: str, other: str) -> int:
    """How many single slips turn one word into the other (optimal string alignment)."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        here = [row]
        for column, wanted in enumerate(other, start=1):
            steps = min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != wanted))
            is_swapped = (
                row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted
            )
            here.append(min(steps, before[column - 2] + 1) if is_swapped else steps)
        before, above = above, here
    return above[-1]


def nearest_words(word: str, known: Iterable[str], slips_of_long: int = 1) -> list[tuple[int, str]]:
    """The known words that are one slip from a word, and the long ones that are so many; each with
    the number of slips, the nearest first."""
    near = []
    for one in known:
        slips_max = 1 if len(one) < LONG_CHARS else slips_of_long
        if abs(len(one) - len(word)) > slips_max:
            continue
        slips = slips_between(word, one)
        if slips <= slips_max:
            near.append((slips, -difflib.SequenceMatcher(None, word, one).ratio(), one))
    return [(slips, one) for slips, _, one in sorted(near)]


def nearest_functions(name: str, dialect: Dialect) -> list[str]:
    """The functions that may have been meant by a name that is none, in small letters. None for a
    function that the server has, but nobody may call."""
    upper = name.upper()
    if not _SHORTEST_CHARS <= len(upper) <= NAME_CHARS_MAX or upper in UNLISTED[dialect]:
        return []
    near = nearest_words(upper, FUNCTIONS[dialect] | _WRITTEN_AS_FUNCTIONS)
    return [one.lower() for _, one in near][:_NAMES_MAX]
