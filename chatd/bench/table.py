"""A run as a table for a person. Pure.

Owns which columns there are, and what stands below: why something failed, and where the run has
measured the generator itself. A column without values is left out.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from chatd.bench.results import LatencyMs, Point, Results

REASONS_MAX: Final = 5
_MIB: Final = 1024 * 1024

Cell = Callable[[Point], str]


def table(results: Results, reasons: Counter[str] | None = None) -> str:
    """The lines of the table, and the sentences below it."""
    points = results.points
    if not points:
        return "Nothing was measured."
    columns = [
        (title, [cell(point) for point in points])
        for title, cell in _columns(points)
        if any(cell(point) for point in points)
    ]
    lines = [_line([title for title, _ in columns], columns)]
    lines += [_line([cells[row] for _, cells in columns], columns) for row in range(len(points))]
    return "\n".join(lines + _sentences(results, reasons or Counter()))


def _columns(points: Sequence[Point]) -> list[tuple[str, Cell]]:
    units = {point.load_unit for point in points}
    return [
        ("what", lambda point: point.what),
        (units.pop() if len(units) == 1 else "load", lambda point: _short(point.load)),
        ("rate", lambda point: f"{_short(point.rate)} {point.rate_unit}"),
        ("p50 ms", _latency(lambda one: one.p50)),
        ("p90", _latency(lambda one: one.p90)),
        ("p99", _latency(lambda one: one.p99)),
        ("p99.9", _latency(lambda one: one.p999)),
        ("max", _latency(lambda one: one.max)),
        ("server CPU", lambda point: _percent(point.server and point.server.cpu_share)),
        ("memory", lambda point: _bytes(point.server and point.server.memory_bytes)),
        ("each", lambda point: _bytes(point.server and point.server.bytes_per_connection)),
        ("generator", lambda point: _percent(point.generator and point.generator.busy_share)),
        ("lag ms", lambda point: "" if point.generator is None else _ms(point.generator.lag_ms)),
        ("", lambda point: ", ".join(_marks(point))),
    ]


def _marks(point: Point) -> list[str]:
    """What there is to say about a point beside its figures."""
    counts = {
        "failed": point.failed,
        "lost": point.lost,
        "twice": point.twice,
        "out of order": point.out_of_order,
        "astray": point.strays,
    }
    marks = [f"{count:,} {name}" for name, count in counts.items() if count]
    if point.generator is not None and point.generator.is_bottleneck:
        marks.append("generator is the bottleneck")
    return marks


def _sentences(results: Results, reasons: Counter[str]) -> list[str]:
    sentences = []
    if any(one.generator is not None and one.generator.is_bottleneck for one in results.points):
        sentences.append(
            "Where the generator is the bottleneck the figures are its own: use more processes "
            "(--processes), or another machine."
        )
    if any(one.strays for one in results.points):
        sentences.append(
            "More came than was due: messages went to clients they were not for, or --join, "
            "--room-size or --others-only do not say how the server's rooms are."
        )
    if not results.is_good:
        sentences += [f"{count:,} x {why}" for why, count in reasons.most_common(REASONS_MAX)]
    return ["", *sentences] if sentences else []


def _line(cells: Sequence[str], columns: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Words to the left, numbers to the right."""
    widths = [max(len(title), *map(len, column)) for title, column in columns]
    last = len(cells) - 1
    return "  ".join(
        cell.ljust(width) if place in (0, last) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()


def _latency(of: Callable[[LatencyMs], float]) -> Cell:
    return lambda point: "" if point.latency_ms is None else _ms(of(point.latency_ms))


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _bytes(size: float | None) -> str:
    if size is None:
        return ""
    return f"{size / _MIB:.0f} MiB" if abs(size) >= _MIB else f"{size / 1024:.1f} KiB"
