"""JSON that no two readers understand differently.

RFC 7519, 4, lets a parser refuse repeated names or take the last one. Others take the first, so a
token whose claims repeat a name says different things to different readers, and is refused.
"""

import json
from typing import Any

import orjson


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
        raise ValueError("a name is repeated")


_REPEATED = json.JSONDecoder(object_pairs_hook=_refuse_repeated)  # made once: that takes 5 us


def strict_object(text: bytes) -> dict[str, Any]:
    """The JSON object that `text` is, as orjson reads it.

    Raises ValueError if it is not an object or not UTF-8, or repeats a name in any of its objects.
    """
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for all that it may be
    try:
        _REPEATED.decode(text.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value
