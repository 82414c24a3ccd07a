"""`chatd bench plot`: from the documents of runs to files."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatd.bench import plots
from chatd.bench.results import Results, to_json
from chatd.cli.plotting import plot
from tests.bench.recorded import messages, point, run
from tests.bench.test_plots import texts


def written(path: Path, results: Results) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_json(results))
    return str(path)


def plotted(*arguments: str) -> Result:
    return CliRunner().invoke(plot, arguments)


def test_a_document_is_drawn_where_it_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "new" / "plots"
    done = plotted(written(tmp_path / "run.json", messages()), "--out", str(out))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[:2] == [
        str(out / "messages-latency.svg"),
        str(out / "messages-latency.png"),
    ]
    assert sorted(done.output.split()) == sorted(map(str, out.iterdir()))


def test_several_documents_are_compared_by_the_names_of_their_files(tmp_path: Path) -> None:
    first = written(tmp_path / "chatd.json", messages())
    second = written(tmp_path / "node.json", messages("socket.io"))
    assert plotted(first, second, "--out", str(tmp_path)).exit_code == 0
    assert {"chatd, p99", "node, p99"} <= texts(tmp_path / "messages-latency.svg")


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    first = written(tmp_path / "a" / "run.json", messages())
    second = written(tmp_path / "b" / "run.json", messages())
    assert plotted(first, second, "--out", str(tmp_path)).exit_code == 0
    assert {f"{first}, p99", f"{second}, p99"} <= texts(tmp_path / "messages-latency.svg")


def sentence(done: Result) -> str:
    """What it ends with, where it fails."""
    assert done.exit_code == 1
    return done.output.strip()


def test_what_cannot_be_drawn_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    said = sentence(plotted(str(other)))
    assert said.startswith(f"chatd: {other}: The file is no run of chatd bench")
    one = written(tmp_path / "one.json", run(point(100.0)))
    assert "more than one load" in sentence(plotted(one, "--out", str(tmp_path)))
    good = written(tmp_path / "good.json", messages())
    taken = tmp_path / "taken"
    taken.write_text("")
    said = sentence(plotted(good, "--out", str(taken / "below")))
    assert said.endswith("cannot be written to: Not a directory.")

    def missing(*_: object) -> None:
        raise plots.PlotsMissing(plots.MISSING)

    monkeypatch.setattr("chatd.bench.plots.draw", missing)
    assert sentence(plotted(good)) == f"chatd: {plots.MISSING}"
