"""Results of requests that only read, kept for a short time.

The key names the room, the request and its terms: no room sees another's results. The cache is
bounded in results and in bytes: the longest unused goes first. The caller tells the time.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import attrs
import orjson

from chatd.answers.cut import Cut
from chatd.answers.table import Column, Row

RESULTS_MAX = 1_000  # results that are kept
BYTES_MAX = 32 * 1024 * 1024  # bytes of all their rows as JSON


@attrs.frozen
class CachedResult:
    """All that an answer brought. `size` is in bytes of JSON."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    cut: Cut
    until_s: float
    size: int


class Cache:
    """Results by room and key. `ttl_s`: how long one is good; 0 keeps none."""

    def __init__(
        self, ttl_s: float, *, results_max: int = RESULTS_MAX, bytes_max: int = BYTES_MAX
    ) -> None:
        self._ttl_s = ttl_s
        self._results_max = results_max
        self._bytes_max = bytes_max
        self._results: OrderedDict[tuple[str, Hashable], CachedResult] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._results)

    def get(self, room: str, key: Hashable, now_s: float) -> CachedResult | None:
        """The result for a key, while it is good."""
        result = self._results.get((room, key))
        if result is None:
            return None
        if result.until_s <= now_s:
            self._remove((room, key))
            return None
        self._results.move_to_end((room, key))
        return result

    def put(
        self,
        room: str,
        key: Hashable,
        columns: Sequence[Column],
        rows: Sequence[Row],
        *,
        cut: Cut,
        now_s: float,
    ) -> None:
        """Keep a result that came whole, up to the bounds of its terms."""
        if self._ttl_s <= 0:
            return
        size = len(orjson.dumps(rows))
        if size > self._bytes_max:
            return
        self._remove((room, key))
        until_s = now_s + self._ttl_s
        result = CachedResult(tuple(columns), tuple(rows), cut, until_s, size)
        self._results[room, key] = result
        self._size += size
        while len(self._results) > self._results_max or self._size > self._bytes_max:
            self._remove(next(iter(self._results)))

    def forget_room(self, room: str) -> None:
        """Something was written there: forget all results of the room."""
        for place in [place for place in self._results if place[0] == room]:
            self._remove(place)

    def clear(self) -> None:
        """Forget the results of all rooms."""
        self._results.clear()
        self._size = 0

    def _remove(self, place: tuple[str, Hashable]) -> None:
        result = self._results.pop(place, None)
        if result is not None:
            self._size -= result.size
