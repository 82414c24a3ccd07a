"""Files of what was measured: an SVG that holds what it must, and a PNG."""

import builtins
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from chatd.bench.plots import DARK, MISSING, PlotsMissing, draw
from chatd.bench.results import from_json, to_json
from tests.bench.recorded import messages, point, run, soak

DOCS = Path(__file__).parents[2] / "chatd" / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> set[str]:
    return {"".join(text.itertext()).strip() for text in ET.parse(path).iter(f"{SVG}text")}


def ids(path: Path) -> list[str]:
    return [group.get("id", "") for group in ET.parse(path).iter(f"{SVG}g")]


def test_a_recorded_run_is_drawn_as_svg_and_png(tmp_path: Path) -> None:
    recorded = from_json(to_json(messages()))
    paths = draw([recorded], tmp_path / "plots")
    assert [path.name for path in paths] == [
        f"messages-{what}.{ending}"
        for what in ("latency", "rate", "cost")
        for ending in ("svg", "png")
    ]
    assert all(path.is_file() for path in paths)


def test_an_svg_has_its_words_as_text_and_a_line_for_each_series(tmp_path: Path) -> None:
    svg, *_ = draw([messages()], tmp_path)
    assert {
        "Latency: messages",
        "latency of delivery, ms",
        "messages/s",
        "chatd bench messages, on 2 cores, Python 3.11.7",
        "100",
        "10,000",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "the generator was the bottleneck",
    } <= texts(svg)
    assert ids(svg).count("line") == 5


def test_a_bottleneck_is_marked_and_nothing_else_is(tmp_path: Path) -> None:
    marked, *_ = draw([messages()], tmp_path / "marked")
    assert "mark-bottleneck" in ids(marked)
    assert "mark-not_good" not in ids(marked)
    plain, *_ = draw([run(point(10.0), point(100.0))], tmp_path / "plain")
    assert not [one for one in ids(plain) if one.startswith("mark-")]
    assert "the generator was the bottleneck" not in texts(plain)
    lossy, *_ = draw([run(point(10.0), point(100.0, lost=1))], tmp_path / "lossy")
    assert "mark-not_good" in ids(lossy)
    assert "something failed, or was lost" in texts(lossy)


def test_targets_are_compared_in_one_plot(tmp_path: Path) -> None:
    svg, *_ = draw([messages(), messages("socket.io")], tmp_path)
    assert {"chatd, p50", "chatd, p99", "socket.io, p50", "socket.io, p99"} <= texts(svg)
    named, *_ = draw([messages(), messages()], tmp_path, ["before", "after"])
    assert {"before, p99", "after, p99"} <= texts(named)


def test_a_soak_is_drawn_over_time(tmp_path: Path) -> None:
    svg, png = draw([soak()], tmp_path)
    assert svg.name == "soak-time.svg"
    assert {"seconds", "memory, MiB", "descriptors", "tasks", "lag of the loop, ms"} <= texts(svg)
    assert png.stat().st_size > 10_000


def test_a_png_has_the_width_of_a_document(tmp_path: Path) -> None:
    _, png, *_ = draw([messages()], tmp_path)
    data = png.read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height > 400) == (1080, True)


def test_equal_numbers_make_equal_files_without_a_date(tmp_path: Path) -> None:
    first = draw([messages()], tmp_path / "first")
    second = draw([messages()], tmp_path / "second")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert "dc:date" not in first[0].read_text()


def test_an_svg_is_readable_in_dark_mode_and_small(tmp_path: Path) -> None:
    svg, *_ = draw([soak(6000)], tmp_path)
    text = svg.read_text()
    assert "prefers-color-scheme: dark" in text
    for light, dark in DARK.items():
        assert f'[style*="fill: {light}"]{{fill:{dark}!important}}' in text
        assert text.count(f": {light}") > 2  # the rules are about colours that are used
    assert len(text) < 60_000


def test_nothing_to_draw_makes_no_file(tmp_path: Path) -> None:
    assert draw([run(point(100.0))], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = builtins.__import__

    def missing(name: str, *rest: Any, **how: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return really(name, *rest, **how)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PlotsMissing, match=r"^Plots are drawn by matplotlib, .*'\.\[bench\]'"):
        draw([messages()], tmp_path)
    assert MISSING.endswith(".")


def test_the_plots_of_the_documents_are_small_and_each_is_shown() -> None:
    shown = set(re.findall(r"\]\(([\w-]+\.svg)\)", (DOCS / "bench.md").read_text("utf-8")))
    plots = {path.name: path for path in DOCS.glob("*.svg")}
    assert plots.keys() == shown
    for path in plots.values():
        assert path.stat().st_size < 60_000
        assert "prefers-color-scheme: dark" in path.read_text("utf-8")
        assert any(text.startswith("chatd bench ") for text in texts(path))
