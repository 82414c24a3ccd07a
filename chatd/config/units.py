"""Amounts as people write them, with a unit: `10 s`, `1.5 h`, `64 KiB`. Pure.

Only unambiguous units are accepted. `m` is minutes to some and months to others, `K` is 1000 or
1024: whoever writes them is told what to write instead.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import attrs

from chatd.config.errors import InvalidValue, quoted

_AMOUNT: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) *([A-Za-z]{1,12})")
_POWERS: Final = "powers of 1000 or of 1024"


@attrs.frozen
class Unit:
    """A quantity: how much each unit is, and which units could mean two things.

    `doubtful` has, for each ambiguous unit, what it could mean and which unit to write.
    """

    factors: Mapping[str, Fraction]
    doubtful: Mapping[str, tuple[str, tuple[str, ...]]]


SECONDS: Final = Unit(
    MappingProxyType(
        {
            "ms": Fraction(1, 1000),
            "s": Fraction(1),
            "min": Fraction(60),
            "h": Fraction(3600),
            "d": Fraction(86_400),
        }
    ),
    MappingProxyType(dict.fromkeys(("m", "M"), ("minutes or months", ("min",)))),
)
BYTES: Final = Unit(
    MappingProxyType(
        {
            "B": Fraction(1),
            "kB": Fraction(1000),
            "MB": Fraction(1000**2),
            "GB": Fraction(1000**3),
            "KiB": Fraction(1024),
            "MiB": Fraction(1024**2),
            "GiB": Fraction(1024**3),
        }
    ),
    MappingProxyType(
        {
            "b": ("bits or bytes", ("B",)),
            **dict.fromkeys(("k", "K", "kb", "Kb", "KB"), (_POWERS, ("kB", "KiB"))),
            **dict.fromkeys(("m", "M", "mb", "Mb"), (_POWERS, ("MB", "MiB"))),
            **dict.fromkeys(("g", "G", "gb", "Gb"), (_POWERS, ("GB", "GiB"))),
        }
    ),
)


def amount(text: str, unit: Unit) -> Fraction | None:
    """The exact amount in a text; None if it is not a number with a word after it.

    Raises `InvalidValue` if that word is not a unit, or is ambiguous.

    >>> amount("1.5 h", SECONDS), amount("10", SECONDS)
    (Fraction(5400, 1), None)
    """
    found = _AMOUNT.fullmatch(text.strip(" "))
    if found is None:
        return None
    number, word = found.groups()
    if word in unit.factors:
        return Fraction(number) * unit.factors[word]
    if word in unit.doubtful:
        readings, meant = unit.doubtful[word]
        instead = " or ".join(quoted(f"{number} {one}") for one in meant)
        raise InvalidValue(f"= {quoted(text)} could be {readings}; write {instead}")
    known = ", ".join(unit.factors)
    raise InvalidValue(f"must have one of the units {known}, not {quoted(word)}")
