"""`chatd bench plot`: pictures of what `chatd bench` has measured.

Every start of chatd imports this module: the code that draws is imported only when it is needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from chatd.app.errors import EXIT_FAILURE
from chatd.cli.options import DiscreetCommand, fail, say

if TYPE_CHECKING:
    from chatd.bench.results import Results

NOTHING_DRAWN: Final = "Nothing is drawn: no run has more than one load, or one moment."


@click.command(cls=DiscreetCommand)
@click.argument(
    "documents",
    nargs=-1,
    metavar="FILES",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The directory to draw into; by default this one.",
)
def plot(documents: tuple[Path, ...], out: Path) -> None:
    """Draw the FILES that --json has written, as SVG and PNG.

    They show latency, rate and cost over the load, and a soak over time. Several runs of one
    scenario are drawn into one figure, each with the name of its file.
    """
    runs = [_read(document) for document in documents]
    if not drawn(runs, out, _names(documents)):
        fail(NOTHING_DRAWN, EXIT_FAILURE)


def check_drawable(out: Path) -> None:
    """Make this directory; end with a sentence if nothing can be drawn into it."""
    from chatd.bench.plots import PlotsMissing, check_installed

    try:
        check_installed()
        out.mkdir(parents=True, exist_ok=True)
    except PlotsMissing as missing:
        fail(str(missing), EXIT_FAILURE)
    except OSError as error:
        fail(f"{out} cannot be written to: {error.strerror}.", EXIT_FAILURE)


def drawn(runs: "Sequence[Results]", out: Path, names: Sequence[str] = ()) -> bool:
    """Draw the runs and say which files were written; False if there is nothing to draw. Ends with
    a sentence if they cannot be drawn."""
    from chatd.bench.plots import PlotsMissing, draw

    try:
        paths = draw(runs, out, names)
    except PlotsMissing as missing:
        fail(str(missing), EXIT_FAILURE)
    except OSError as error:
        fail(f"{out} cannot be written to: {error.strerror}.", EXIT_FAILURE)
    if paths:
        say("\n".join(map(str, paths)))
    return bool(paths)


def _read(document: Path) -> "Results":
    from chatd.bench.results import ResultsError, from_json

    try:
        return from_json(document.read_bytes())
    except (OSError, ResultsError) as error:
        fail(f"{document}: {error}", EXIT_FAILURE)


def _names(documents: Sequence[Path]) -> list[str]:
    """What the runs are called: their files without the ending, or their paths if several have the
    same name."""
    stems = [document.stem for document in documents]
    return stems if len(set(stems)) == len(stems) else list(map(str, documents))
