"""`chatd bench`: load tests, of a chatd or of any Socket.IO server."""

import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import orjson
import trio

from chatd.app.errors import EXIT_FAILURE
from chatd.bench.client import Transport
from chatd.bench.options import Options
from chatd.bench.scenarios import MODULES
from chatd.cli.options import DiscreetGroup, fail, say, warn
from chatd.cli.plotting import NOTHING_DRAWN, check_drawable, drawn, plot

PROCESSES_MAX: Final = 64
CONNECTIONS_MAX: Final = 100_000
SECONDS_MAX: Final = 3600.0
SIZE_MAX: Final = 100_000
LOAD_MAX: Final = 10_000_000
COUNTED: Final = {
    "idle": ("connections", CONNECTIONS_MAX),
    "connect": ("connections on their way", CONNECTIONS_MAX),
    "answers": ("askers", CONNECTIONS_MAX),
    "history": ("messages", LOAD_MAX),
}
"""Scenarios whose loads are counts: of what, and how many at most."""


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers above zero, with commas between them."""

    name = "numbers"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or not all(0 < number <= LOAD_MAX for number in numbers):
            self.fail(
                f"{value!r} has to be numbers above 0 and up to {LOAD_MAX:,}, like 100,1000.",
                param,
                ctx,
            )
        return numbers


UNDELIVERED: Final = frozenset({"echo", "idle", "connect"})
"""Scenarios in which no client gets what another one sends."""
OF_A_SERVER: Final = {
    "event": "--event",
    "join": "--join",
    "auth": "--auth",
    "tokens": "--token-file",
    "metrics": "--metrics",
    "pid": "--pid",
    "others_only": "--others-only",
}
"""Options that say something of a server which is there already."""

STOPPED: Final = "It was stopped; above is what it has measured."
STOPPED_EARLY: Final = "It was stopped before its first step had ended."

SUMMARIES: Final = {
    "idle": "Connections that are held, and the memory of each",
    "messages": "Latencies and throughput over rising loads, in small rooms",
    "fan-out": "One sender to a large room, many senders to a small one",
    "connect": "Everybody comes at once",
    "reconnect": "The server goes and comes back, and everybody with it",
    "answers": "Questions to a database (chatd)",
    "echo": "Events that are only acked",
    "growth": "What a message and a connection cost as both grow by tens",
    "history": "Joins and pages of a history of up to a million messages (chatd)",
    "soak": "Idle and active connections for long, and whether anything grows",
}
"""Of each scenario."""


def _transport(_: click.Context, __: click.Parameter, name: str) -> Transport:
    return Transport(name)


def _receipts(_: click.Context, __: click.Parameter, without: bool) -> bool:
    return not without


def _tokens(_: click.Context, __: click.Parameter, path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    tokens = tuple(path.read_text("utf-8", "replace").split())
    if not tokens:
        raise click.UsageError(f"{path} has no token; write one a line.")
    return tokens


PARAMETERS: Final = (
    click.argument("url", required=False),
    click.option(
        "--seconds", type=click.FloatRange(0.1, SECONDS_MAX), help="Seconds of each step."
    ),
    click.option(
        "--connections", type=click.IntRange(1, CONNECTIONS_MAX), help="How many clients."
    ),
    click.option(
        "--active", type=click.IntRange(1, CONNECTIONS_MAX), help="Clients that send (soak)."
    ),
    click.option("--loads", type=Numbers(), default=(), help="The steps, like 100,1000,5000."),
    click.option("--room-size", type=click.IntRange(1, CONNECTIONS_MAX), help="Clients of a room."),
    click.option(
        "--size",
        "size_bytes",
        type=click.IntRange(0, SIZE_MAX),
        default=40,
        show_default=True,
        help="Bytes of text.",
    ),
    click.option(
        "--transport",
        type=click.Choice([one.value for one in Transport]),
        default=Transport.WEBSOCKET.value,
        callback=_transport,
        show_default=True,
        help="How clients come.",
    ),
    click.option(
        "--processes",
        type=click.IntRange(1, PROCESSES_MAX),
        default=1,
        show_default=True,
        help="Processes that play the clients.",
    ),
    click.option(
        "--at-once",
        type=click.IntRange(1, CONNECTIONS_MAX),
        default=100,
        show_default=True,
        help="Clients that connect at the same time, before anything is measured.",
    ),
    click.option(
        "--patience",
        "patience_s",
        type=click.FloatRange(0.1, SECONDS_MAX),
        default=5.0,
        show_default=True,
        help="Seconds without anything new after which what has not come is lost.",
    ),
    click.option(
        "--no-receipts",
        "receipts",
        is_flag=True,
        callback=_receipts,
        help="Do not acknowledge messages (chat:ack).",
    ),
    click.option("--sql", help="What is asked (answers)."),
    click.option(
        "--secret", envvar="CHATD_AUTH__JWT_SECRET", help="What a chatd at URL signs tokens with."
    ),
    click.option(
        "--token-file",
        "tokens",
        callback=_tokens,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Tokens for a chatd at URL, one a line; users take turns.",
    ),
    click.option("--room", "rooms", multiple=True, help="A room to use; repeatable."),
    click.option("--event", help="The event that clients send, where it is not chatd's."),
    click.option("--payload", help="Its argument, as JSON: %m the mark, %r the room, %i a UUID."),
    click.option("--join", help='An event that each client sends first: ["join","%r"].'),
    click.option("--auth", help="What each client shows in its CONNECT, as JSON."),
    click.option("--others-only", is_flag=True, help="A message does not go to its own sender."),
    click.option("--pid", type=click.IntRange(1), help="The server's process, on this machine."),
    click.option(
        "--metrics", help="The server's metrics: a URL, or unix: and the path of a socket."
    ),
    click.option(
        "--json",
        "document",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write the results.",
    ),
    click.option(
        "--plot",
        "plots",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Draw the results into DIR, as SVG and PNG.",
    ),
)
"""Each is a field of `Options`, but for those that say where results go: `document`, `plots`."""


@click.group(cls=DiscreetGroup)
def bench() -> None:
    """Measure a chatd, or any Socket.IO server, under load.

    chatd bench SCENARIO URL measures the server at URL, and without URL a chatd of its own. It
    ends with 0, with 1 where something failed or was lost, came twice, out of order or grew, and
    with 2 for a wrong command line.
    """


def _command(name: str, summary: str) -> click.Command:
    """The command of a scenario; all of them have the same parameters."""

    def function(document: Path | None, plots: Path | None, **given: Any) -> None:
        _measure(name, Options(**given), document, plots)

    for parameter in reversed(PARAMETERS):
        function = parameter(function)
    return bench.command(name, help=f"{summary}.", short_help=f"{summary}.")(function)


def _measure(scenario: str, options: Options, document: Path | None, plots: Path | None) -> None:
    """Play a scenario, and show what it has measured: also in `document`, and drawn in `plots`."""
    # Not before it is needed: every start of chatd reads this module.
    from chatd.bench.progress import Progress
    from chatd.bench.results import to_json
    from chatd.bench.run import FAILURES, run
    from chatd.bench.table import table

    _check(scenario, options)
    _check_places(document, plots)
    progress = Progress(sys.stderr, is_terminal=sys.stderr.isatty())
    try:
        ran = trio.run(partial(run, scenario, options, progress))
    except FAILURES as error:
        fail(str(error), EXIT_FAILURE)
    findings = [finding.sentence for finding in ran.findings]
    say("\n".join([table(ran.results, ran.reasons), *findings]))
    if document is not None:
        try:
            document.write_bytes(to_json(ran.results))
        except OSError as error:
            fail(f"{document} cannot be written: {error.strerror}.", EXIT_FAILURE)
    if plots is not None and not drawn([ran.results], plots):
        warn(NOTHING_DRAWN)
    if ran.was_stopped:
        fail(STOPPED if ran.results.points else STOPPED_EARLY, EXIT_FAILURE)
    if not ran.results.is_good:
        sys.exit(EXIT_FAILURE)


def _check_places(document: Path | None, plots: Path | None) -> None:
    """Refuse before the run what would be lost after it."""
    if document is not None and (document.is_file() or not document.exists()):
        is_new = not document.exists()
        try:
            document.open("ab").close()
            if is_new:
                document.unlink()
        except OSError as error:
            fail(f"{document} cannot be written: {error.strerror}.", EXIT_FAILURE)
    if plots is not None:
        check_drawable(plots)


def _check(scenario: str, options: Options) -> None:
    """Refuse what cannot be measured."""
    from chatd.bench.address import AddressError, parse_address
    from chatd.bench.dialect import TemplateError, check_template

    if options.url is not None:
        try:
            parse_address(options.url)
        except AddressError as error:
            raise click.UsageError(str(error)) from None
    elif given := [OF_A_SERVER[name] for name in OF_A_SERVER if getattr(options, name)]:
        raise click.UsageError(
            f"{given[0]} is of a server that is there already: give its URL. Without one, a chatd "
            "of its own is measured."
        )
    if options.pid is not None and not Path(f"/proc/{options.pid}").exists():
        raise click.UsageError(
            f"No process {options.pid} is on this machine; --pid is that of the server."
        )
    if scenario in COUNTED:
        what, most = COUNTED[scenario]
        if not all(load.is_integer() and load <= most for load in options.loads):
            raise click.UsageError(
                f"--loads of {scenario} are {what}: give whole numbers from 1 to {most:,}."
            )
    if options.payload is not None and options.event is None:
        raise click.UsageError("--payload is that of an --event.")
    try:
        if options.payload is not None:
            check_template(
                f'["event",{options.payload}]', carries_a_mark=scenario not in UNDELIVERED
            )
        if options.join is not None:
            check_template(options.join, carries_a_mark=False)
    except TemplateError as error:
        raise click.UsageError(str(error)) from None
    if options.auth is not None:
        try:
            is_object = isinstance(orjson.loads(options.auth), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if not is_object:
            raise click.UsageError("--auth has to be an object of JSON.")


bench.add_command(plot)
for _name in MODULES:
    bench.add_command(_command(_name, SUMMARIES[_name]))
