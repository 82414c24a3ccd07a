"""What a server spends, seen from outside: what the system tells about its process, and its
metrics.

Owns reading both. If neither is known for a server, it has no figures, and none are guessed.
Source: proc(5); `chatd docs operations`, "Metrics".
"""

import contextlib
import http.client
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import trio
from prometheus_client.parser import text_string_to_metric_families

from chatd.bench.results import Server
from chatd.config.kinds import UNIX_PREFIX

ANSWER_S: Final = 5.0
METRICS_BYTES_MAX: Final = 4_000_000
METRICS_PATH: Final = "/metrics"
LAG: Final = "chatd_loop_lag_seconds_bucket"


@attrs.frozen
class Look:
    """What is known about a server at one moment; None for what is not."""

    at_s: float
    cpu_s: float | None = None
    memory_bytes: float | None = None
    descriptors: float | None = None
    tasks: float | None = None
    lags: Mapping[float, float] = attrs.field(factory=dict)
    """How often the loop was at most so many seconds late, since the start."""

    @property
    def says(self) -> bool:
        """Whether anything is known."""
        return any(
            figure is not None
            for figure in (self.cpu_s, self.memory_bytes, self.descriptors, self.tasks)
        )


@attrs.frozen
class ServerWatch:
    """Looks at one server. `metrics` is a URL, or `unix:` and the path of a socket."""

    pid: int | None = None
    metrics: str | None = None

    async def look(self) -> Look:
        """What is known now; nothing if the server does not answer."""
        return await trio.to_thread.run_sync(self._look, trio.current_time())

    def _look(self, at_s: float) -> Look:
        look = Look(at_s)
        if self.metrics is not None:
            look = of_metrics(at_s, _read(self.metrics))
        if self.pid is not None:
            look = _of_process(look, self.pid)
        return look


def of_metrics(at_s: float, text: str) -> Look:
    """What the metrics say, of chatd or any other server with Prometheus's format."""
    values: dict[str, float] = {}
    lags: dict[float, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == LAG:
                    lags[float(sample.labels["le"])] = sample.value
                elif not sample.labels:
                    values[sample.name] = sample.value
    except (ValueError, KeyError):
        return Look(at_s)
    return Look(
        at_s,
        values.get("process_cpu_seconds_total"),
        values.get("process_resident_memory_bytes"),
        values.get("process_open_fds"),
        values.get("chatd_tasks"),
        lags,
    )


def spent(before: Look, after: Look, connections: int | None = None) -> Server | None:
    """What a server spent between two looks; None if nothing is known. With `connections`, the
    growth of its memory is divided among so many that came meanwhile."""
    if not after.says:
        return None
    span_s = after.at_s - before.at_s
    cpu_share = each = None
    if after.cpu_s is not None and before.cpu_s is not None and span_s > 0:
        cpu_share = (after.cpu_s - before.cpu_s) / span_s
    if connections and after.memory_bytes is not None and before.memory_bytes is not None:
        each = (after.memory_bytes - before.memory_bytes) / connections
    return Server(
        cpu_share,
        after.memory_bytes,
        each,
        after.descriptors,
        after.tasks,
        _lag_ms(before, after),
    )


def _lag_ms(before: Look, after: Look) -> float | None:
    """The bound, in milliseconds, within which 99 % of the loop's lags between two looks were."""
    between = {bound: count - before.lags.get(bound, 0.0) for bound, count in after.lags.items()}
    total = max(between.values(), default=0.0)
    kept = [bound for bound, count in between.items() if count >= 0.99 * total]
    if not total or min(kept) == float("inf"):
        return None
    return min(kept) * 1000


def _of_process(look: Look, pid: int) -> Look:
    """The same look, with what the system says about the process."""
    place = Path("/proc") / str(pid)
    try:
        fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        pages = int((place / "statm").read_text().split()[1])
    except (OSError, LookupError):
        return look
    ticks = int(fields[11]) + int(fields[12])
    descriptors = look.descriptors
    with contextlib.suppress(OSError):  # another user's process
        descriptors = float(len(os.listdir(place / "fd")))
    return attrs.evolve(
        look,
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        memory_bytes=float(pages * os.sysconf("SC_PAGE_SIZE")),
        descriptors=descriptors,
    )


def _read(place: str) -> str:
    """The metrics at a place; empty if it does not answer."""
    connection: http.client.HTTPConnection
    try:
        if place.startswith(UNIX_PREFIX):
            connection = _UnixConnection(place.removeprefix(UNIX_PREFIX))
            path = METRICS_PATH
        else:
            parts = urlsplit(place)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else None
            connection = (kind or http.client.HTTPConnection)(parts.netloc, timeout=ANSWER_S)
            path = parts.path or METRICS_PATH
    except (ValueError, http.client.HTTPException):  # no URL
        return ""
    try:
        connection.request("GET", path)
        return connection.getresponse().read(METRICS_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(self._path)
