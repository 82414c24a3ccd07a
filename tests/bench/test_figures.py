"""Which lines are drawn of a run, over what, and what is marked."""

import attrs
import pytest

from chatd.bench.figures import PERCENTILES, SPANS_MAX, Figure, Line, Mark, Panel, figures
from chatd.bench.results import Generator, Moment, Results
from tests.bench.recorded import LOADS, latency, messages, point, run, soak


def named(runs: list[Results], name: str, names: tuple[str, ...] = ()) -> Figure:
    (found,) = [figure for figure in figures(runs, names) if figure.name == name]
    return found


def labels(panel: Panel) -> list[str]:
    return [line.label for line in panel.lines]


def lines(figure: Figure) -> list[Line]:
    return [line for panel in figure.panels for line in panel.lines]


def test_a_run_over_load_makes_its_three_figures() -> None:
    assert [figure.name for figure in figures([messages()])] == [
        "messages-latency",
        "messages-rate",
        "messages-cost",
    ]


def test_latency_has_a_line_for_each_percentile_over_the_load() -> None:
    figure = named([messages()], "messages-latency")
    (panel,) = figure.panels
    assert (figure.x_label, panel.y_label) == ("messages/s", "latency of delivery, ms")
    assert labels(panel) == ["p50", "p90", "p99", "p99.9", "max"]
    assert panel.lines[0].places == tuple((load, 1.0 + load / 1000) for load in LOADS)
    assert len({line.colour for line in panel.lines}) == len(PERCENTILES)
    assert figure.note == "chatd bench messages, on 2 cores, Python 3.11.7"


def test_loads_are_drawn_from_low_to_high_however_they_were_measured() -> None:
    figure = named([run(*map(point, (1000.0, 10.0, 100.0)))], "messages-latency")
    assert [x for x, _ in lines(figure)[0].places] == [10.0, 100.0, 1000.0]


def test_axes_are_logarithmic_where_the_values_are_far_apart() -> None:
    wide = named([messages()], "messages-latency")
    assert wide.is_x_log
    assert wide.panels[0].is_y_log
    near = named([run(point(100.0), point(200.0))], "messages-rate")
    assert not near.is_x_log
    assert not near.panels[0].is_y_log
    from_zero = named([run(point(0.0), point(1000.0))], "messages-rate")
    assert not from_zero.is_x_log
    assert not from_zero.panels[0].is_y_log


def test_a_bottleneck_and_a_loss_are_marked_once_where_they_were() -> None:
    marked = run(point(10.0), point(100.0, is_bottleneck=True), point(1000.0, lost=1))
    at_p99 = named([marked], "messages-latency")
    assert [mark for line in lines(at_p99) for mark in line.marks] == [
        (Mark.BOTTLENECK, (100.0, 4.4)),
        (Mark.NOT_GOOD, (1000.0, 8.0)),
    ]
    rate = named([marked], "messages-rate")
    assert rate.panels[0].lines[0].marks == (
        (Mark.BOTTLENECK, (100.0, 100.0)),
        (Mark.NOT_GOOD, (1000.0, 1000.0)),
    )


def test_what_was_asked_for_is_drawn_beside_what_came_of_the_same_unit() -> None:
    (panel,) = named([messages()], "messages-rate").panels
    assert labels(panel) == ["delivery", "as asked for"]
    assert panel.lines[1] == Line(
        "as asked for", tuple((load, load) for load in LOADS), is_asked=True
    )
    other = [attrs.evolve(point(load), load_unit="connections") for load in LOADS]
    (panel,) = named([run(*other)], "messages-rate").panels
    assert labels(panel) == ["delivery"]


def test_cost_is_processor_time_an_operation_and_memory() -> None:
    figure = named([messages()], "messages-cost")
    assert [(panel.y_label, panel.lines[0].places[0][1]) for panel in figure.panels] == [
        ("server CPU an operation, µs", pytest.approx(100.0)),
        ("memory a connection, KiB", 6.0),
        ("memory, MiB", pytest.approx(95.37, abs=0.01)),
    ]


def test_what_is_not_known_of_a_server_is_not_drawn() -> None:
    """As of a server on another machine."""
    stranger = [attrs.evolve(point(load), server=None) for load in LOADS]
    assert [figure.name for figure in figures([run(*stranger)])] == [
        "messages-latency",
        "messages-rate",
    ]
    unknown = attrs.evolve(point(10.0), latency_ms=None, generator=None)
    idle = attrs.evolve(point(20.0), rate=0.0)
    figure = named([run(unknown, idle, point(30.0), point(40.0))], "messages-latency")
    assert [x for x, _ in lines(figure)[0].places] == [20.0, 30.0, 40.0]
    cost = named([run(unknown, idle, point(30.0), point(40.0))], "messages-cost")
    assert [x for x, _ in cost.panels[0].lines[0].places] == [10.0, 30.0, 40.0]


def test_one_load_alone_makes_no_figure() -> None:
    assert figures([run(point(100.0))]) == []
    assert figures([run()]) == []
    assert figures([]) == []


def test_several_runs_are_compared_by_two_percentiles_in_one_figure() -> None:
    figure = named([messages(), messages("socket.io")], "messages-latency")
    (panel,) = figure.panels
    assert labels(panel) == ["chatd, p50", "chatd, p99", "socket.io, p50", "socket.io, p99"]
    assert [(line.colour, line.dash) for line in panel.lines] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    (panel,) = named([messages(), messages("socket.io")], "messages-rate").panels
    assert labels(panel) == ["chatd, delivery", "socket.io, delivery", "as asked for"]


def test_runs_of_one_kind_are_told_apart_by_address_or_number_or_a_given_name() -> None:
    def called(*runs: Results, names: tuple[str, ...] = ()) -> list[str]:
        (panel,) = named(list(runs), "messages-latency", names).panels
        return [label.removesuffix(", p50") for label in labels(panel)[::2]]

    other = messages(url="http://127.0.0.1:9000/")
    here = "chatd at http://127.0.0.1:8765/"
    assert called(messages(), other) == [here, "chatd at http://127.0.0.1:9000/"]
    assert called(messages(), messages()) == [f"{here}, run 1", f"{here}, run 2"]
    assert called(messages(), other, names=("before", "after")) == ["before", "after"]


def test_kinds_of_operations_have_a_panel_of_latency_each() -> None:
    joins = [attrs.evolve(point(load), what="join", rate_unit="joins/s") for load in LOADS]
    pages = [attrs.evolve(point(load), what="", rate_unit="pages/s") for load in LOADS]
    both = run(*joins, *pages)
    assert [panel.y_label for panel in named([both], "messages-latency").panels] == [
        "latency of join, ms",
        "latency, ms",
    ]
    rates = named([both], "messages-rate").panels
    assert [(panel.y_label, labels(panel)) for panel in rates] == [
        ("joins/s", ["join"]),
        ("pages/s", ["chatd"]),
    ]
    (cpu, *_) = named([both], "messages-cost").panels
    assert [(line.label, line.colour) for line in cpu.lines] == [("join", 0), ("chatd", 1)]


def test_loads_of_several_units_make_figures_of_their_own() -> None:
    other = [attrs.evolve(point(load), load_unit="messages in the room") for load in LOADS]
    names = {figure.name for figure in figures([run(*map(point, LOADS), *other)])}
    assert {"messages-messages-s-rate", "messages-messages-in-the-room-rate"} <= names


def test_a_soak_is_drawn_over_time_in_five_panels() -> None:
    (figure,) = figures([soak()])
    assert (figure.name, figure.x_label, figure.is_x_log) == ("soak-time", "seconds", False)
    assert [panel.y_label for panel in figure.panels] == [
        "memory, MiB",
        "descriptors",
        "tasks",
        "lag of the loop, ms",
        "latency, ms",
    ]
    assert not any(panel.is_y_log for panel in figure.panels[:4])
    assert labels(figure.panels[1]) == ["chatd"]
    assert len(figure.panels[1].lines[0].places) == 60


def test_a_long_soak_keeps_its_peaks() -> None:
    long = soak(6000)
    peak = attrs.evolve(long.series[1234], loop_lag_ms=99.0, latency_ms=latency(50.0))
    series = (*long.series[:1234], peak, *long.series[1235:])
    (figure,) = figures([attrs.evolve(long, series=series)])
    lag, delivery = figure.panels[3], figure.panels[4]
    assert len(lag.lines[0].places) == SPANS_MAX
    assert (1234.0, 99.0) in lag.lines[0].places
    assert (1234.0, 200.0) in delivery.lines[2].places


def test_what_a_server_does_not_tell_over_time_is_left_out() -> None:
    series = tuple(Moment(float(at_s), memory_bytes=1e8) for at_s in range(9))
    (figure,) = figures([attrs.evolve(soak(), series=series)])
    assert [panel.y_label for panel in figure.panels] == ["memory, MiB"]


def test_runs_of_several_scenarios_do_not_share_figures() -> None:
    names = [figure.name for figure in figures([messages(), soak()])]
    assert names == ["messages-latency", "messages-rate", "messages-cost", "soak-time"]


def test_a_generator_that_is_not_known_marks_nothing() -> None:
    unknown = attrs.evolve(point(10.0), generator=None)
    known = attrs.evolve(point(20.0), generator=Generator(0.1, 0.1, False))
    assert all(line.marks == () for line in lines(named([run(unknown, known)], "messages-rate")))
