"""Runs as `chatd bench` records them, with numbers that are easy to find again in a picture."""

from chatd.bench.results import (
    Generator,
    LatencyMs,
    Machine,
    Moment,
    Point,
    Results,
    Server,
    Target,
)

URL = "http://127.0.0.1:8765/"
LOADS = (100.0, 1000.0, 10_000.0)


def latency(p50: float) -> LatencyMs:
    return LatencyMs(p50, 2 * p50, 4 * p50, 8 * p50, 16 * p50)


def point(load: float, *, is_bottleneck: bool = False, lost: int = 0) -> Point:
    return Point(
        load,
        "messages/s",
        5.0,
        min(load, 5000.0),
        "messages/s",
        "delivery",
        latency(1.0 + load / 1000),
        Server(cpu_share=min(load, 5000.0) / 10_000, memory_bytes=1e8, bytes_per_connection=6144.0),
        Generator(0.5, 0.1, is_bottleneck),
        lost=lost,
    )


def run(*points: Point, kind: str = "chatd", url: str = URL, scenario: str = "messages") -> Results:
    """A run of these points."""
    return Results(
        scenario, Target(url, kind), "2026-01-01T00:00:00Z", Machine(2, "3.11.7", "6.1"), {}, points
    )


def messages(kind: str = "chatd", url: str = URL) -> Results:
    """Latency over load, with a generator that was the bottleneck at the last of the loads."""
    points = [point(load, is_bottleneck=load == LOADS[-1]) for load in LOADS]
    return run(*points, kind=kind, url=url)


def soak(seconds: int = 60, kind: str = "chatd") -> Results:
    """A load that does not change, and a server that does not either."""
    series = tuple(
        Moment(float(at_s), 2e8, 11_020.0, 11_010.0, 1.0 + at_s % 7, latency(2.0))
        for at_s in range(seconds)
    )
    machine = Machine(2, "3.11.7", "6.1")
    return Results("soak", Target(URL, kind), "2026-01-01T00:00:00Z", machine, {}, (), series)
