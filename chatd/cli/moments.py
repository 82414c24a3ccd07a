"""Moments as people type them, and as they are shown."""

import datetime
import re
from typing import Any, Final

import click

from chatd.observe.clock import Clock

_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
HOW: Final = "as 2026-01-31, 2026-01-31T13:45 (UTC, unless it names a zone), or 90m, 36h, 7d ago"


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic for the checker alone
    """A moment, in milliseconds since the epoch: a date, a date with a time, or how long ago it
    is."""

    name = "moment"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        span = _SPAN.fullmatch(value)
        if span is not None:
            return max(0, Clock().wall_ms() - int(span[1]) * _SECONDS[span[2]] * 1_000)
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a moment; write it {HOW}.", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return round(moment.timestamp() * 1_000)


def shown(at_ms: int) -> str:
    """A time as RFC 3339 writes it, in UTC, to the millisecond."""
    try:
        at = datetime.datetime.fromtimestamp(at_ms / 1_000, datetime.UTC)
    except (ValueError, OverflowError, OSError):  # a clock that was far off
        return f"{at_ms} ms"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
