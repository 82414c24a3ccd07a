"""Which content coding a client takes best (RFC 9110, 12.5.3). Pure."""

import re
from collections.abc import Collection, Sequence
from typing import Final

IDENTITY: Final = "identity"

_ALIASES: Final = {"x-gzip": "gzip"}  # RFC 9110, 8.4.1.3
_ENTRY: Final = re.compile(
    r"[ \t]*+([!#$%&'*+.^_`|~0-9A-Za-z-]++)"
    r"(?:[ \t]*+;[ \t]*+[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*+"
)


def preferred(accepted: str | None, offered: Sequence[str]) -> str:
    """The coding to answer with: the one that the client weighs most; among equals, the first that
    is offered.

    `accepted` is its Accept-Encoding; None: the client did not say, and may know no coding at all.
    The identity comes last if it is not weighed, and is also the answer to a client that takes none
    of those offered. An entry that is not well-formed counts as not there.
    """
    weights = _weights(accepted or "")
    any_other = weights.get("*", 0.0)
    best, best_weight = IDENTITY, weights.get(IDENTITY, 0.0)
    for coding in _known(offered):
        weight = weights.get(coding, any_other)
        if weight > best_weight or (weight == best_weight > 0.0 and best == IDENTITY):
            best, best_weight = coding, weight
    return best


def _known(offered: Collection[str]) -> list[str]:
    return [coding for coding in offered if coding != IDENTITY]


def _weights(accepted: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for entry in accepted.split(","):
        found = _ENTRY.fullmatch(entry)
        if found is not None:
            name = found[1].lower()
            weights[_ALIASES.get(name, name)] = float(found[2] or 1)
    return weights
