"""What to draw of measured runs: which lines, over what, on which axes.

Pure: from values to values. Owns which figures a run makes, their names, units and words. It must
not know how anything is drawn (`plots` does), or how it was measured.

| figure | over | of |
|---|---|---|
| `SCENARIO-latency` | load | percentiles of the latency, a panel for each kind of operation |
| `SCENARIO-rate` | load | what came back, beside what was asked for where the units are the same |
| `SCENARIO-cost` | load | server CPU an operation, memory a connection, memory |
| `SCENARIO-time` | seconds | memory, descriptors, tasks, lag of the loop, latency |
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final, TypeAlias, TypeVar

import attrs

from chatd.bench.results import LatencyMs, Moment, Point, Results
from chatd.counts import counted

LOG_FROM: Final = 20.0
"""From this ratio of the largest value to the smallest, an axis is logarithmic."""
PERCENTILES: Final = ("p50", "p90", "p99", "p999", "max")
COMPARED: Final = ("p50", "p99")
"""The percentiles shown for several runs, as nobody reads ten lines or more."""
MARKED: Final = "p99"
"""The percentile whose line has the marks of its points: one mark for a point is enough."""
SPANS_MAX: Final = 75
"""Over time a line has so many places: the highest value of each span, so that no peak is lost."""
_WORDS: Final = {"p999": "p99.9"}
_MIB: Final = 1024.0 * 1024.0
_KIB: Final = 1024.0

_T = TypeVar("_T")

Place: TypeAlias = tuple[float, float]


class Mark(Enum):
    """What a point shows beside its place; the value is its text in the legend."""

    BOTTLENECK = "the generator was the bottleneck"
    NOT_GOOD = "something failed, or was lost"


@attrs.frozen
class Line:
    """One line: `places` as (x, y), from left to right.

    `colour` and `dash` are numbers of a palette that `plots` owns; `is_asked` is a line that nobody
    measured. `marks` are places of the line to read with care.
    """

    label: str
    places: tuple[Place, ...]
    colour: int = 0
    dash: int = 0
    is_asked: bool = False
    marks: tuple[tuple[Mark, Place], ...] = ()


@attrs.frozen
class Panel:
    """Lines over one pair of axes."""

    y_label: str
    lines: tuple[Line, ...]
    is_y_log: bool = False


@attrs.frozen
class Figure:
    """One file: panels below each other, which share the horizontal axis.

    `name` is the file's name, without its ending. `note` says where the numbers come from.
    """

    name: str
    title: str
    x_label: str
    panels: tuple[Panel, ...]
    is_x_log: bool = False
    note: str = ""


_Timed: TypeAlias = tuple[float, LatencyMs, tuple[Mark, ...]]
"""Its place on the x axis, the latency there, and its marks."""


@attrs.frozen
class _Run:
    """A run, and what it is called among the others."""

    name: str
    results: Results


def figures(runs: Sequence[Results], names: Sequence[str] = ()) -> list[Figure]:
    """The figures of these runs. Runs of one scenario are drawn into the same figures.

    `names` are names for the runs, if the kinds and addresses of their servers do not suffice; one
    for each run, or none. Data without a line of two points makes no figure.
    """
    called = names or _names(runs)
    drawn: list[Figure] = []
    for scenario in dict.fromkeys(run.scenario for run in runs):
        group = [
            _Run(name, run)
            for name, run in zip(called, runs, strict=True)
            if run.scenario == scenario
        ]
        drawn += _over_load(scenario, group)
        drawn += _over_time(scenario, group)
    return drawn


def _names(runs: Sequence[Results]) -> list[str]:
    """The kinds of the servers; if these are alike, with their addresses, and then with numbers."""
    names = [run.target.kind for run in runs]
    if len(set(names)) < len(names):
        names = [f"{run.target.kind} at {run.target.url}" for run in runs]
    if len(set(names)) < len(names):
        names = [f"{name}, run {number}" for number, name in enumerate(names, 1)]
    return names


def _over_load(scenario: str, group: Sequence[_Run]) -> Iterable[Figure]:
    units = dict.fromkeys(point.load_unit for run in group for point in run.results.points)
    for unit in units:
        of_unit = [_Run(run.name, _points_of(run.results, unit)) for run in group]
        stem = scenario if len(units) == 1 else f"{scenario}-{_slug(unit)}"
        for name, title, panels in (
            ("latency", "Latency", _latencies(of_unit)),
            ("rate", "Rate", _rates(of_unit, unit)),
            ("cost", "Cost", _costs(of_unit)),
        ):
            yield from _figure(f"{stem}-{name}", title, unit, panels, group)


def _over_time(scenario: str, group: Sequence[_Run]) -> Iterable[Figure]:
    def latency(run: Results) -> Iterable[_Timed]:
        timed = [(one.at_s, one.latency_ms) for one in run.series if one.latency_ms is not None]
        return [(at_s, ms, ()) for at_s, ms in _peaks(timed, lambda ms: ms.p99)]

    panels = [
        _moments(group, "memory, MiB", lambda moment: _in(_MIB, moment.memory_bytes)),
        _moments(group, "descriptors", lambda moment: moment.descriptors),
        _moments(group, "tasks", lambda moment: moment.tasks),
        _moments(group, "lag of the loop, ms", lambda moment: moment.loop_lag_ms),
        _panel("latency, ms", _percentiles(group, latency)),
    ]
    yield from _figure(f"{scenario}-time", "Over time", "seconds", panels, group, is_over_time=True)


def _figure(
    name: str,
    title: str,
    x_label: str,
    panels: Iterable[Panel],
    group: Sequence[_Run],
    *,
    is_over_time: bool = False,
) -> Iterable[Figure]:
    """The figure of the panels that have lines; none if no line has two places."""
    shown = tuple(panel for panel in panels if panel.lines)
    measured = [line for panel in shown for line in panel.lines if not line.is_asked]
    if all(len(line.places) < 2 for line in measured):
        return
    first = group[0].results
    xs = [x for line in measured for x, _ in line.places]
    yield Figure(
        name,
        f"{title}: {first.scenario}",
        x_label,
        shown,
        is_x_log=not is_over_time and _fits_log(xs),
        note=f"chatd bench {first.scenario}, on {counted(first.machine.cores, 'core')}, "
        f"Python {first.machine.python}",
    )


def _latencies(group: Sequence[_Run]) -> Iterable[Panel]:
    """A panel for each kind of operation."""
    for what in dict.fromkeys(point.what for run in group for point in run.results.points):

        def timed(run: Results, what: str = what) -> Iterable[_Timed]:
            for point in run.points:
                if point.what == what and point.latency_ms is not None:
                    yield point.load, point.latency_ms, _marks(point)

        label = f"latency of {what}, ms" if what else "latency, ms"
        yield _panel(label, _percentiles(group, timed))


def _rates(group: Sequence[_Run], load_unit: str) -> Iterable[Panel]:
    """A panel for each unit of what came back."""
    for unit in dict.fromkeys(point.rate_unit for run in group for point in run.results.points):

        def rate(point: Point, unit: str = unit) -> float | None:
            return point.rate if point.rate_unit == unit else None

        lines = _lines(group, rate)
        loads = {x for line in lines for x, _ in line.places}
        if unit == load_unit:
            asked = tuple((load, load) for load in sorted(loads))
            lines.append(Line("as asked for", asked, is_asked=True))
        yield _panel(unit, lines)


def _costs(group: Sequence[_Run]) -> Iterable[Panel]:
    def cpu_us(point: Point) -> float | None:
        share = None if point.server is None else point.server.cpu_share
        return None if share is None or point.rate <= 0 else share / point.rate * 1e6

    def connection_kib(point: Point) -> float | None:
        return None if point.server is None else _in(_KIB, point.server.bytes_per_connection)

    def memory_mib(point: Point) -> float | None:
        return None if point.server is None else _in(_MIB, point.server.memory_bytes)

    yield _panel("server CPU an operation, µs", _lines(group, cpu_us))
    yield _panel("memory a connection, KiB", _lines(group, connection_kib))
    yield _panel("memory, MiB", _lines(group, memory_mib))


def _moments(
    group: Sequence[_Run], y_label: str, value_of: Callable[[Moment], float | None]
) -> Panel:
    """A panel over time, always linear, so that a slope shows as one."""
    lines = []
    for number, run in enumerate(group):
        values = [(moment.at_s, value_of(moment)) for moment in run.results.series]
        known = [(at_s, value) for at_s, value in values if value is not None]
        places = tuple(_peaks(known, lambda value: value))
        lines += [Line(run.name, places, number)] if places else []
    return Panel(y_label, tuple(lines))


def _percentiles(group: Sequence[_Run], timed: Callable[[Results], Iterable[_Timed]]) -> list[Line]:
    """For one run a line for each percentile; for several, lines for the two that are compared."""
    lines = []
    is_alone = len(group) == 1
    for number, run in enumerate(group):
        samples = list(timed(run.results))
        for index, percentile in enumerate(PERCENTILES if is_alone else COMPARED):
            words = _WORDS.get(percentile, percentile)
            values = [(x, float(getattr(ms, percentile)), marks) for x, ms, marks in samples]
            line = Line(
                words if is_alone else f"{run.name}, {words}",
                tuple((x, y) for x, y, _ in values),
                colour=index if is_alone else number,
                dash=0 if is_alone else index,
                marks=tuple((mark, (x, y)) for x, y, marks in values for mark in marks)
                if percentile == MARKED
                else (),
            )
            lines += [line] if samples else []
    return lines


def _lines(group: Sequence[_Run], value_of: Callable[[Point], float | None]) -> list[Line]:
    """A line for each run and kind of operation, of the points that have the value."""
    lines: list[Line] = []
    is_alone = len(group) == 1
    for number, run in enumerate(group):
        points = run.results.points
        for index, what in enumerate(dict.fromkeys(point.what for point in points)):
            values = [(point, value_of(point)) for point in points if point.what == what]
            known = [(point, value) for point, value in values if value is not None]
            line = Line(
                (what or run.name) if is_alone else ", ".join(filter(None, (run.name, what))),
                tuple((point.load, value) for point, value in known),
                colour=index if is_alone else number,
                dash=0 if is_alone else index,
                marks=tuple(
                    (mark, (point.load, value)) for point, value in known for mark in _marks(point)
                ),
            )
            lines += [line] if known else []
    return lines


def _marks(point: Point) -> tuple[Mark, ...]:
    is_bottleneck = point.generator is not None and point.generator.is_bottleneck
    marks = {Mark.BOTTLENECK: is_bottleneck, Mark.NOT_GOOD: not point.is_good}
    return tuple(mark for mark, is_so in marks.items() if is_so)


def _peaks(
    values: Sequence[tuple[float, _T]], height: Callable[[_T], float]
) -> list[tuple[float, _T]]:
    """The highest value of each of `SPANS_MAX` spans, if there are more values."""
    size = -(-len(values) // SPANS_MAX) or 1
    spans = [values[begin : begin + size] for begin in range(0, len(values), size)]
    return [max(span, key=lambda value: height(value[1])) for span in spans]


def _panel(y_label: str, lines: Sequence[Line]) -> Panel:
    ys = [y for line in lines for _, y in line.places]
    return Panel(y_label, tuple(lines), is_y_log=_fits_log(ys))


def _fits_log(values: Sequence[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) / min(values) >= LOG_FROM


def _points_of(results: Results, load_unit: str) -> Results:
    """The run with only the points that have this unit of load, the lowest load first."""
    points = [point for point in results.points if point.load_unit == load_unit]
    return attrs.evolve(results, points=tuple(sorted(points, key=lambda point: point.load)))


def _in(unit: float, value: float | None) -> float | None:
    return None if value is None else value / unit


def _slug(unit: str) -> str:
    """The unit as a part of a file's name."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in unit).split())
