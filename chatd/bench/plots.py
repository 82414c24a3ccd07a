"""Draws what was measured, with matplotlib: SVG for documents, PNG for other uses.

Owns colours, sizes and the form of the files. It must not know what a run measures: `figures` says
which lines there are. matplotlib is imported when something is drawn, as it takes half a second and
is an optional part (`chatd[bench]`); no display is needed.

Equal numbers make equal files: they hold no date, no version, nothing random. Text stays text in
the SVG, and its colours follow the reader's light or dark mode.
"""

import io
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chatd.bench.figures import Figure, Line, Mark, Panel, figures
from chatd.bench.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas

MISSING: Final = (
    "Plots are drawn by matplotlib, which is not installed; "
    "in the sources of chatd: pip install '.[bench]'."
)

WIDTH_IN: Final = 7.2
"""A document's column, in inches of 72 points."""
PANEL_IN: Final = 2.1
"""The height of one of several panels; a single one is taller."""
ALONE_IN: Final = 3.2
EDGE_IN: Final = 0.75
"""Title, words of the axis and note together."""
PNG_DPI: Final = 150
HEADROOM: Final = 1.15
LEGEND_CHARACTERS: Final = 80
"""How much a row of the legend holds; a label takes a little more than its text."""
FEW_DECADES: Final = 300.0
"""Up to this ratio of its ends, an axis has room for labels between the powers of ten."""
DOTTED_UP_TO: Final = 30
"""Up to so many places of a line each get a dot; more of them are a moving value, not steps."""

INK, FAINT, PAPER = "#1f2328", "#d1d9e0", "#fefefe"
DARK: Final = {INK: "#e6edf3", FAINT: "#3d444d", PAPER: "#0d1117"}
"""These colours in dark mode. The colours of lines are visible on both backgrounds."""
COLOURS: Final = ("#2f81f7", "#d9730d", "#1f9d61", "#a259d9", "#8b949e", "#c2a000")
DASHES: Final = ("-", "--", ":", "-.")
MARKS: Final = {Mark.BOTTLENECK: ("x", "#e5484d"), Mark.NOT_GOOD: ("v", "#e5484d")}
_COORDINATES: Final = re.compile(r"([ML] -?\d+(?:\.\d\d)?)\d* (-?\d+(?:\.\d\d)?)\d*")
"""Coordinates of lines in an SVG, in points; more than two digits after the point are useless."""
_SETTINGS: Final[Any] = {  # matplotlib's type of it is all of its names
    "svg.fonttype": "none",
    "svg.hashsalt": "chatd bench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that PNGs are alike anywhere
    "font.size": 8.5,
    "path.simplify": True,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "legend.frameon": False,
}


class PlotsMissing(Exception):
    """matplotlib is not installed; the message says what to do."""


def check_installed() -> None:
    """Raises PlotsMissing if nothing can be drawn here."""
    if find_spec("matplotlib") is None:
        raise PlotsMissing(MISSING)


def draw(runs: Sequence[Results], directory: Path, names: Sequence[str] = ()) -> list[Path]:
    """Draw the figures of these runs into the directory, which is made if there is none.

    Each as `NAME.svg` and `NAME.png`; returns the paths, none if no run has two points that make a
    line. `names` as for `figures`. Raises PlotsMissing, and OSError.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        raise PlotsMissing(MISSING) from None
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for figure in figures(runs, names):
        with rc_context(_SETTINGS):
            canvas = _canvas(figure)
            for path, data in (
                (directory / f"{figure.name}.svg", _svg(canvas)),
                (directory / f"{figure.name}.png", _png(canvas)),
            ):
                path.write_bytes(data)
                paths.append(path)
    return paths


def _canvas(figure: Figure) -> "Canvas":
    from matplotlib.figure import Figure as Canvas

    count = len(figure.panels)
    height_in = EDGE_IN + (ALONE_IN if count == 1 else PANEL_IN * count)
    canvas = Canvas(figsize=(WIDTH_IN, height_in), layout="constrained")
    canvas.suptitle(figure.title, fontsize=10, fontweight="bold")
    axes = canvas.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    axes[0].set_title(figure.note, fontsize=6.5, loc="right")
    axes[-1].set_xlabel(figure.x_label)
    told: dict[str, Any] = {}
    for panel, one in zip(figure.panels, axes, strict=True):
        _draw_panel(panel, one, is_x_log=figure.is_x_log)
        handles, labels = one.get_legend_handles_labels()
        if len(handles) > 1:  # a single line is what its axis says
            told.update(zip(labels, handles, strict=True))
    if told:
        columns = LEGEND_CHARACTERS // (max(map(len, told)) + 8)
        where: Any = "outside lower center"  # the annotation of matplotlib lacks it
        canvas.legend(told.values(), told, loc=where, ncols=max(1, columns))
    return canvas


def _draw_panel(panel: Panel, axes: "Axes", *, is_x_log: bool) -> None:
    for line in panel.lines:
        _draw_line(line, axes)
    for mark in Mark:
        places = [place for line in panel.lines for kind, place in line.marks if kind is mark]
        if places:
            shape, colour = MARKS[mark]
            axes.scatter(
                [x for x, _ in places],
                [y for _, y in places],
                s=60,
                marker=shape,
                color=colour,
                zorder=3,
                label=mark.value,
                gid=f"mark-{mark.name.lower()}",
            )
    if is_x_log:
        axes.set_xscale("log")
    if panel.is_y_log:
        axes.set_yscale("log")
    else:
        highest = max(y for line in panel.lines for _, y in line.places)
        # From 0, as otherwise a few per cent look like much.
        axes.set_ylim(0.0, (highest or 1.0) * HEADROOM)
    for axis in (axes.xaxis, axes.yaxis):
        _label_ticks(axis)
    axes.set_ylabel(panel.y_label)
    axes.grid(visible=True, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _label_ticks(axis: "Axis") -> None:
    """Plain numbers; on a logarithmic axis of few decades at 2 and 5 too."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if axis.get_scale() == "log":
        low, high = axis.get_view_interval()
        if high / low < FEW_DECADES:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,.10g}"))


def _draw_line(line: Line, axes: "Axes") -> None:
    has_dots = len(line.places) <= DOTTED_UP_TO and not line.is_asked
    axes.plot(
        [x for x, _ in line.places],
        [y for _, y in line.places],
        color=FAINT if line.is_asked else COLOURS[line.colour % len(COLOURS)],
        linestyle="--" if line.is_asked else DASHES[line.dash % len(DASHES)],
        marker="o" if has_dots else None,
        markersize=3.5,
        linewidth=1.4,
        label=line.label,
        gid=None if line.is_asked else "line",
    )


def _svg(canvas: "Canvas") -> bytes:
    written = io.BytesIO()
    canvas.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    head, end, rest = written.getvalue().decode().partition("<defs>")
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark}!important}}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n "
    text = _COORDINATES.sub(r"\1 \2", head + style + end + rest)
    return "\n".join(line.rstrip() for line in text.splitlines()).encode() + b"\n"


def _png(canvas: "Canvas") -> bytes:
    written = io.BytesIO()
    canvas.savefig(written, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return written.getvalue()
