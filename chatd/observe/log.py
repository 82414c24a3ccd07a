"""The log: events in, lines out.

`record` is on the path of every message. An event below the threshold costs one comparison; one
above it a dict and one orjson dump. A line is written at once, or, `in_background`, by a thread a
few milliseconds later, so that a log that nobody reads holds nothing up. A line that the stream
cannot take is lost, which `lost` counts and no caller notices: the daemon outlives its log. Once
the stream takes lines again, a line says how many are missing. So that nobody fills a disk, events
that can be caused without end (`rations`) are written only so many a second, and events that are
alike, such as those of one user at one limit, once a minute. A line of its own says how many were
left out.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TextIO, TypeVar

import attrs

from chatd.observe.clock import Clock
from chatd.observe.events import Level, LogEvent
from chatd.observe.line_writer import LineWriter
from chatd.observe.lines import Line, json_line, logfmt_line, people_line
from chatd.observe.rations import Ration
from chatd.observe.streams import write_to

SETTLE_S = 1.0  # at the end, how long a stream may take what is left
DIGITS = {"ms": 1, "s": 3}
"""Digits after the point, by the unit at the end of a field's name: a tenth of a millisecond, and a
millisecond. More is noise."""
MOST_DIGITS = 3  # of a figure with another unit, or none
LEFT_OUT = "log.left_out"
LOST = "log.lost"

E = TypeVar("E")


_Known = tuple[str, str, Callable[[LogEvent], dict[str, object]], Ration[LogEvent] | None]
"""For a class of events: the word for its level, its name, a function that reads its fields, and
its ration."""


class StreamLog:
    """Writes events; made by `open_log`. `__slots__`, as `record` runs for every message."""

    __slots__ = (
        "_clock_ms",
        "_foreign",
        "_known",
        "_line",
        "_lost_told",
        "_moment",
        "_second",
        "_stream",
        "_write",
        "_writer",
        "lost",
        "threshold",
    )

    def __init__(
        self,
        line: Line,
        threshold: Level,
        write: Callable[[bytes], None],
        clock_ms: Callable[[], int],
    ) -> None:
        self._line = line
        self._stream = write
        self._write: Callable[[bytes, int], None] = self._to_stream  # lines, and how many
        self._writer: LineWriter | None = None
        self._clock_ms = clock_ms
        self._known: dict[type[LogEvent], _Known] = {}
        self._moment = self._second = (-1, "")
        self._foreign: Ration[Mapping[str, object]] = Ration(
            is_cheap=True, alike_by=lambda fields: (fields.get("logger"), fields.get("message"))
        )
        self._lost_told = 0
        self.threshold = int(threshold)
        self.lost = 0

    def replace(self, line: Line, threshold: Level) -> None:
        """Write in another form, or from another level on, from now on."""
        self._line = line
        self.threshold = int(threshold)

    def wants(self, level: Level) -> bool:
        """Whether events of this level are written."""
        return level >= self.threshold

    def record(self, event: LogEvent) -> None:
        """Write an event, if its level is high enough. Never raises because of the stream."""
        if event.level < self.threshold:
            return
        word, name, fields, ration = self._known_of(type(event))
        if ration is None or self._is_admitted(ration, event, word, name):
            self._put(word, name, fields(event))

    def record_all(self, events: Sequence[LogEvent]) -> None:
        """Write events of one class: they have one timestamp, and go out in one write."""
        kind = type(events[0])
        if kind.level < self.threshold:
            return
        word, name, fields, ration = self._known_of(kind)
        if ration is not None:
            for event in events:
                self.record(event)
            return
        line, timestamp = self._line, self._timestamp()
        try:
            lines = [line(timestamp, word, name, fields(event)) for event in events]
            self._write(b"".join(lines), len(lines))
        except (OSError, ValueError):  # as in `_put`
            self.lost += len(events)

    def _known_of(self, kind: type[LogEvent]) -> _Known:
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = _known(kind)
        return known

    def _is_admitted(self, ration: Ration[E], event: E, word: str, name: str) -> bool:
        """Whether a line is within its ration; if so, first write how many were not."""
        is_admitted, left_out = ration.admit(event, self._clock_ms() // 1000)
        if left_out:
            self._put(word, LEFT_OUT, {"of": name, "count": left_out})
        return is_admitted

    def write(self, level: Level, name: str, fields: Mapping[str, object]) -> None:
        """Write a line without an event; for the lines of libraries, see `bridge`. Equal lines are
        written once a minute."""
        word = level.name.lower()
        if level >= self.threshold and self._is_admitted(self._foreign, fields, word, name):
            self._put(word, name, fields)

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """A thread writes the lines until the end of this context."""
        self._writer = LineWriter(self._to_stream, self._count_lost)
        self._write = self._writer.put
        try:
            yield
        finally:
            self._write = self._to_stream
            self._writer.close(SETTLE_S)
            self._writer = None

    def _count_lost(self, lines: int) -> None:
        self.lost += lines

    def settle(self, timeout_s: float) -> None:
        """Wait until what was recorded is written, `timeout_s` at most."""
        if self._writer is not None:
            self._writer.settle(timeout_s)

    def _put(self, word: str, name: str, fields: Mapping[str, object]) -> None:
        try:
            self._write(self._line(self._timestamp(), word, name, fields), 1)
        except (OSError, ValueError):  # EPIPE, a full disk or pipe; a closed stream
            self.lost += 1

    def _to_stream(self, text: bytes, _lines: int = 0) -> None:
        """Write lines to the stream, after a line that says how many it has not taken since the
        last time."""
        lost = self.lost
        if lost != self._lost_told and self.threshold <= Level.WARNING:
            count = lost - self._lost_told
            text = self._line(self._timestamp(), "warning", LOST, {"count": count}) + text
        self._stream(text)
        self._lost_told = lost

    def _timestamp(self) -> str:
        now_ms = self._clock_ms()
        known, text = self._moment  # one read: the threads of the store log too
        if now_ms != known:
            text = self._text_of(now_ms)
            self._moment = (now_ms, text)
        return text

    def _text_of(self, now_ms: int) -> str:
        second, milli = divmod(now_ms, 1000)
        known, text = self._second  # one read, as above
        if second != known:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = (second, text)
        return f"{text}.{milli:03d}Z"


def open_log(
    format: str,  # noqa: A002 - as the key is called
    level: str,
    stream: TextIO,
    is_terminal: bool,
    clock_ms: Callable[[], int] | None = None,
) -> StreamLog:
    """A log in one of the formats of `log.format` from one of the levels of `log.level`.

    If `stream` has a file descriptor, lines go to it directly, one system call each: the buffers of
    Python's streams keep a line that a broken pipe refused, and raise it again at exit. The stream
    must stay open as long as the log is used.
    """
    line = line_of(format, is_terminal=is_terminal)
    return StreamLog(line, Level[level.upper()], write_to(stream), clock_ms or Clock().wall_ms)


def line_of(format: str, *, is_terminal: bool) -> Line:  # noqa: A002 - as the key is called
    """The function that writes lines in one of the formats of `log.format`."""
    if format == "auto":
        format = "people" if is_terminal else "json"  # noqa: A001 - as above
    match format:
        case "people":
            return people_line(colours=is_terminal)
        case "logfmt":
            return logfmt_line()
        case "json":
            return json_line
    raise ValueError(f"no log format is called {format!r}")


def fields_of(event: LogEvent) -> dict[str, object]:
    """The fields of an event, as a line has them."""
    known = _KNOWN.get(type(event))
    if known is None:
        known = _KNOWN[type(event)] = _known(type(event))
    return known[2](event)


_KNOWN: dict[type[LogEvent], "_Known"] = {}


def _known(kind: type[LogEvent]) -> _Known:
    """What `record` needs to know of a class of events; made once a class."""
    fields = _reader(attribute.name for attribute in attrs.fields(kind))  # type: ignore[arg-type]  # every event is an attrs class
    alike_by: Callable[[LogEvent], Hashable] | None = None
    if kind.alike_by:
        alike_by = attrgetter(*kind.alike_by)
    has_ration = kind.is_cheap or alike_by is not None
    ration = Ration(kind.is_cheap, alike_by) if has_ration else None
    digits = _digits(kind)
    rounded = _rounded(fields, digits) if digits else fields
    return kind.level.name.lower(), kind.event_name, rounded, ration


def _reader(names: Iterable[str]) -> Callable[[LogEvent], dict[str, object]]:
    """A function that puts these fields of an event into a dictionary. It is generated, as attrs
    generates `__init__`: it runs for every message, and a loop over the names takes three times as
    long."""
    scope: dict[str, Any] = {}
    fields = ", ".join(f"{name!r}: event.{name}" for name in names)
    exec(f"def fields(event): return {{{fields}}}", scope)  # all of it is from the classes
    reader: Callable[[LogEvent], dict[str, object]] = scope["fields"]
    return reader


def _digits(kind: type[LogEvent]) -> dict[str, int]:
    """The fields that may hold a fraction, with how many digits of it are written."""
    return {
        attribute.name: DIGITS.get(attribute.name.rpartition("_")[2], MOST_DIGITS)
        for attribute in attrs.fields(kind)  # type: ignore[arg-type]  # as in `_known`
        if "float" in str(attribute.type)
    }


def _rounded(
    fields: Callable[[LogEvent], dict[str, object]], digits: Mapping[str, int]
) -> Callable[[LogEvent], dict[str, object]]:
    """The fields of an event, with its fractions rounded."""

    def read(event: LogEvent) -> dict[str, object]:
        values = fields(event)
        for name, most in digits.items():
            value = values[name]
            if isinstance(value, float):
                values[name] = round(value, most)
        return values

    return read
