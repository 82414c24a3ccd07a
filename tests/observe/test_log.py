"""Lines: their form, what a hostile value can do (nothing), and broken streams."""

import inspect
import io
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.observe import (
    AuthenticationFailed,
    DaemonStopped,
    EventLog,
    InternalError,
    LimitHit,
    LogEvent,
    MessageReceived,
    MessageRefused,
    MessageSent,
    ProtocolViolated,
    Recorder,
    SocketConnected,
    SocketDisconnected,
    bridge,
    events,
    library_logger,
    open_log,
)
from chatd.observe.lines import BLOCKS
from chatd.observe.rations import CHEAP_PER_S
from tests.cli.operations_tables import event_classes
from tests.rows import rows

NOW_MS = 1_700_000_000_123
SENT = MessageSent("m-1", "demo", 7, "ann", False)
FORMATS = ("json", "logfmt", "people")


def lines(format: str, *events: LogEvent, level: str = "debug", terminal: bool = False) -> str:  # noqa: A002
    stream = io.StringIO()
    log = open_log(format, level, stream, terminal, clock_ms=lambda: NOW_MS)
    for event in events:
        log.record(event)
    return stream.getvalue()


def test_a_json_line_has_time_level_event_and_fields_in_this_order() -> None:
    assert lines("json", SENT) == (
        '{"timestamp":"2023-11-14T22:13:20.123Z","level":"info","event":"message.sent",'
        '"message_id":"m-1","connection_id":"demo","seq":7,"user_id":"ann","duplicate":false}\n'
    )


def test_a_json_line_of_one_field_is_whole() -> None:
    assert json.loads(lines("json", DaemonStopped(True)))["clean"] is True


FRACTION = 1234.56789
WITH_FRACTIONS = [
    kind
    for _, kind in inspect.getmembers(events, attrs.has)
    if any("float" in str(field.type) for field in attrs.fields(kind))
]


@pytest.mark.parametrize("kind", WITH_FRACTIONS)
def test_every_fraction_of_every_event_is_rounded(kind: type[LogEvent]) -> None:
    """To what its unit is worth: callers give what a clock gave them."""
    fields = attrs.fields(kind)  # type: ignore[arg-type]
    event = kind(*(FRACTION if "float" in str(field.type) else "x" for field in fields))
    told = json.loads(lines("json", event))
    for field in fields:
        if field.name.endswith("_ms") and "float" in str(field.type):
            assert told[field.name] == 1234.6
        elif "float" in str(field.type):
            assert told[field.name] == 1234.568
        else:
            assert told[field.name] == "x"
    for format in ("logfmt", "people"):  # noqa: A001
        assert "1234.56789" not in lines(format, event)


SAMPLES = {"str": "a word", "int": 7, "float": 2.5, "bool": True, "tuple": ("a", "b")}
"""A value for each type that fields of events have."""


def sample_of(kind: type[LogEvent]) -> tuple[LogEvent, dict[str, object]]:
    """An event of a class, all of whose fields have a value."""
    values = {
        field.name: SAMPLES[str(getattr(field.type, "__name__", field.type)).split(" | ")[0]]
        for field in attrs.fields(kind)  # type: ignore[arg-type]  # every event is an attrs class
    }
    return kind(**values), values


@rows("kind", event_classes())
def test_every_event_has_its_level_and_all_its_fields_in_every_form(kind: type[LogEvent]) -> None:
    event, values = sample_of(kind)
    level = kind.level.name.lower()
    as_json = json.loads(lines("json", event))
    assert (as_json.pop("level"), as_json.pop("event")) == (level, kind.event_name)
    del as_json["timestamp"]
    assert as_json == {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    pairs = dict(re.findall(r'([a-z_]+)=("[^"]*"|\S+)', lines("logfmt", event)))
    assert (pairs["level"], pairs["event"]) == (level, kind.event_name)
    for_people = lines("people", event)
    assert re.match(rf"\S+ \[{level} *\] {re.escape(kind.event_name)}", for_people)
    for name in values:
        assert name in pairs
        if name not in BLOCKS:  # which people read below the line
            assert f"{name}=" in for_people


def test_there_are_events_with_fractions() -> None:
    assert {kind.event_name for kind in WITH_FRACTIONS} >= {"database.connected", "database.lost"}


def test_a_logfmt_line_is_pairs() -> None:
    assert lines("logfmt", SocketConnected("s", "k", "ann", ("a", "b c"), True, 1.25)) == (
        "timestamp=2023-11-14T22:13:20.123Z level=info event=socket.connected session_id=s "
        'socket_id=k user_id=ann rooms="a,b c" resumed=true took_ms=1.2\n'
    )


def test_a_line_for_people_leaves_out_what_is_unknown() -> None:
    assert re.fullmatch(
        r"2023-11-14T22:13:20\.123Z \[info +\] limit\.hit +limit=rooms_per_socket user_id=ann\n",
        lines("people", LimitHit("rooms_per_socket", "ann", None)),
    )


def test_auto_is_people_on_a_terminal_and_json_elsewhere() -> None:
    assert lines("auto", SENT, terminal=True) == lines("people", SENT, terminal=True)
    assert lines("auto", SENT) == lines("json", SENT)
    assert "\x1b[" in lines("people", SENT, terminal=True)
    assert "\x1b" not in lines("people", SENT)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="no log format is called 'xml'"):
        open_log("xml", "info", io.StringIO(), False)


def test_an_event_below_the_level_is_not_written() -> None:
    received = MessageReceived("s", "u", "c", "m")
    assert lines("json", received, level="info") == ""
    assert lines("json", received, level="debug") != ""
    assert lines("json", SENT, level="warning") == ""


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("level", ["debug", "info", "warning"])
@pytest.mark.parametrize("in_background", [False, True])
def test_events_that_come_together_are_written_as_those_that_come_alone(
    format: str,  # noqa: A002
    level: str,
    in_background: bool,
) -> None:
    few, many = [SENT, attrs.evolve(SENT, seq=8)], CHEAP_PER_S + 3
    refused = [MessageRefused("s", str(number), None, None, "c") for number in range(many)]
    stream = io.StringIO()
    log = open_log(format, level, stream, False, clock_ms=lambda: NOW_MS)
    with log.in_background() if in_background else nullcontext():
        log.record_all(few)
        log.record_all(refused)
    assert stream.getvalue() == lines(format, *few, *refused, level=level)


def test_all_that_come_together_are_lost_with_their_stream() -> None:
    stream = io.StringIO()
    log = open_log("json", "info", stream, False)
    stream.close()
    log.record_all([SENT] * 3)
    assert log.lost == 3
    with log.in_background():
        log.record_all([SENT] * 4)
    assert log.lost == 7


def test_events_that_strangers_make_are_written_so_often_and_then_counted() -> None:
    now_ms = NOW_MS
    stream = io.StringIO()
    log = open_log("json", "info", stream, False, clock_ms=lambda: now_ms)
    for _ in range(CHEAP_PER_S + 30):
        log.record(ProtocolViolated("s", "engine", "a rule"))
    for _ in range(CHEAP_PER_S + 30):
        log.record(SENT)
    now_ms += 1000
    log.record(ProtocolViolated("s", "engine", "a rule"))
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    names = [line["event"] for line in written]
    assert names.count("message.sent") == CHEAP_PER_S + 30
    assert names[:CHEAP_PER_S] == ["protocol.violated"] * CHEAP_PER_S
    assert names[-2:] == ["log.left_out", "protocol.violated"]
    assert len(names) == 2 * CHEAP_PER_S + 32
    assert (written[-2]["of"], written[-2]["count"]) == ("protocol.violated", 30)


def test_of_events_that_are_alike_one_is_written_a_minute() -> None:
    now_ms = NOW_MS
    stream = io.StringIO()
    log = open_log("json", "info", stream, False, clock_ms=lambda: now_ms)

    def written() -> list[tuple[str, object]]:
        taken = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.seek(0)
        stream.truncate()
        return [(it["event"], it.get("user_id", it.get("count"))) for it in taken]

    for _ in range(30):
        log.record(LimitHit("user_typing_per_minute", "ann", None))
        log.record(LimitHit("user_messages_per_minute", "ann", None))
        log.record(MessageRefused("s", "ann", "demo", None, "content_empty"))
        now_ms += 1_900
    assert written() == [("limit.hit", "ann")] * 2 + [("message.refused", "ann")]
    log.record(LimitHit("user_typing_per_minute", "bob", None))
    assert written() == [("limit.hit", "bob")]
    for session in range(30):
        for reason in ("The token is not a JWT.", "There is no token."):
            log.record(AuthenticationFailed(str(session), "::1", "token_invalid", reason))
    assert written() == [("authentication.failed", None)] * 2
    now_ms += 60_000
    log.record(LimitHit("user_typing_per_minute", "ann", None))
    assert written() == [("log.left_out", 29), ("limit.hit", "ann")]


def test_kinds_of_events_are_forgotten_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatd.observe.rations.ALIKE_MAX", 3)
    stream = io.StringIO()
    log = open_log("json", "info", stream, False, clock_ms=lambda: NOW_MS)
    for user in ("a", "b", "c", "d", "a", "d"):
        log.record(LimitHit("user_typing_per_minute", user, None))
    users = [json.loads(line)["user_id"] for line in stream.getvalue().splitlines()]
    assert users == ["a", "b", "c", "d", "a"]


def test_a_client_that_comes_and_goes_on_one_session_writes_two_lines_a_minute() -> None:
    written = lines(
        "json",
        *(
            event
            for _ in range(100)
            for event in (
                SocketConnected("s", "k", "ann", (), False, 1.0),
                SocketDisconnected("s", "k", "ann", "client namespace disconnect"),
            )
        ),
    )
    assert [json.loads(line)["event"] for line in written.splitlines()] == [
        "socket.connected",
        "socket.disconnected",
    ]


def test_a_thousand_who_come_back_at_once_are_all_written() -> None:
    crowd = [SocketConnected(f"s{one}", "k", "ann", (), True, 1.0) for one in range(1_000)]
    assert len(lines("json", *crowd).splitlines()) == 1_000


def test_a_fault_that_repeats_is_written_once_a_minute_and_another_one_at_once() -> None:
    one, other = failure(), InternalError.of("else", ValueError())
    written = lines("json", *([one, other] * 50))
    assert [json.loads(line)["where"] for line in written.splitlines()] == [one.where, "else"]


def test_the_clock_goes_on_within_and_beyond_a_second() -> None:
    times = iter([1_000, 1_999, 2_000])
    stream = io.StringIO()
    log = open_log("json", "info", stream, False, clock_ms=lambda: next(times))
    for _ in range(3):
        log.record(SENT)
    stamps = [json.loads(line)["timestamp"][-7:] for line in stream.getvalue().splitlines()]
    assert stamps == ["01.000Z", "01.999Z", "02.000Z"]


HOSTILE = st.text(
    alphabet=st.sampled_from("\x1b[31m\n\r\0\x7f\x9b\u2028\u2029\u202e\ud800 ='\"\\é{}x")
) | st.text(alphabet=st.characters())


@pytest.mark.parametrize("format", FORMATS)
@given(text=HOSTILE)
def test_no_value_can_forge_a_line_or_command_a_terminal(format: str, text: str) -> None:  # noqa: A002
    line = lines(
        format,
        SocketDisconnected("s", "k", text, text),
        SocketConnected("s", "k", "u", (text,), True, 1.0),
    )
    assert line.endswith("\n")
    assert len(line[:-1].split("\n")) == 2
    assert line.replace("\n", "").isprintable()


@given(text=HOSTILE)
def test_json_brings_a_hostile_value_back_unchanged(text: str) -> None:
    fields = json.loads(lines("json", SocketDisconnected("s", "k", text, "r")))
    assert fields["user_id"] == text


@given(text=HOSTILE)
def test_a_hostile_value_adds_no_colour_of_its_own(text: str) -> None:
    line = lines("people", SocketDisconnected("s", "k", text, "r"), terminal=True)
    assert re.sub(r"\x1b\[[0-9]+m", "", line[:-1]).isprintable()
    plain = lines("people", SocketDisconnected("s", "k", "u", "r"), terminal=True)
    assert line.count("\x1b") == plain.count("\x1b")


def test_a_value_cannot_pose_as_another_field() -> None:
    event = SocketDisconnected("s", "k", 'ann level=error x="y', "r")
    assert 'user_id="ann level=error x=\\"y"' in lines("logfmt", event)
    assert "user_id='ann level=error x=\"y'" in lines("people", event)


def test_a_number_beyond_64_bits_is_written() -> None:
    assert json.loads(lines("json", MessageSent("m", "c", 2**70, "u", False)))["seq"] == 2**70


@pytest.fixture
def broken_pipe() -> Iterator[TextIO]:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        yield stream


@pytest.mark.parametrize("format", FORMATS)
def test_a_broken_pipe_loses_the_line_and_raises_nothing(
    format: str,  # noqa: A002
    broken_pipe: TextIO,
) -> None:
    log = open_log(format, "info", broken_pipe, False)
    log.record(SENT)
    log.record(SENT)
    assert log.lost == 2


def test_a_full_disk_loses_the_line_and_raises_nothing() -> None:
    with open("/dev/full", "w") as stream:
        log = open_log("json", "info", stream, False)
        log.record(SENT)
    assert log.lost == 1


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_stream_that_was_closed_loses_the_line_and_raises_nothing(
    kind: str, tmp_path: Path
) -> None:
    stream: TextIO = io.StringIO() if kind == "memory" else (tmp_path / "log").open("w")
    log = open_log("json", "info", stream, False)
    stream.close()
    log.record(SENT)
    assert log.lost == 1


def test_a_line_that_was_cut_short_does_not_spoil_a_later_one() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    with open(reader, "rb", buffering=0) as out, open(writer, "w") as stream:
        log = open_log("json", "info", stream, False)
        while not log.lost:
            log.record(MessageSent("m" * 5000, "c", 1, "u", False))
        while out.read(1 << 20):
            pass
        log.record(SENT)
        text = out.read(1 << 20) or b""
    assert json.loads(text.splitlines()[-1])["message_id"] == "m-1"
    assert log.lost == 1


def test_who_reads_again_is_told_how_many_lines_are_missing() -> None:
    now_ms, taken, is_broken = NOW_MS, io.StringIO(), True

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if is_broken:
                raise BrokenPipeError
            return taken.write(text)

    log = open_log("json", "info", Stream(), False, clock_ms=lambda: now_ms)
    for _ in range(5):
        log.record(SENT)
    is_broken = False
    for _ in range(2):
        now_ms += 1000
        log.record(SENT)
    written = [json.loads(line) for line in taken.getvalue().splitlines()]
    assert [line["event"] for line in written] == ["log.lost", "message.sent", "message.sent"]
    assert (written[0]["level"], written[0]["count"], log.lost) == ("warning", 5, 5)


def test_each_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as stream:
        open_log("json", "info", stream, False).record(SENT)
        assert (tmp_path / "log").read_text().endswith("\n")


def failure() -> InternalError:
    secret_of_the_caller = "hunter2"
    try:
        try:
            {}[secret_of_the_caller]
        except KeyError as error:
            raise ExceptionGroup(secret_of_the_caller, [OSError(28, "No space"), error]) from error
    except ExceptionGroup as error:
        return InternalError.of("adapter", error)


@pytest.mark.parametrize("format", FORMATS)
def test_a_traceback_shows_the_way_and_no_values(format: str) -> None:  # noqa: A002
    text = lines(format, failure())
    assert "hunter2" not in text
    for part in ("in failure", "ExceptionGroup", "KeyError", "No space"):
        assert part in text
    assert text.count("\n") == (1 if format != "people" else len(text.splitlines()))


def test_a_traceback_for_people_stands_indented_below_its_line() -> None:
    first, *rest = lines("people", failure()).splitlines()
    assert "internal.error" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_ring_of_causes_ends() -> None:
    one, two = ValueError(), ValueError()
    one.__cause__, two.__cause__ = two, one
    assert InternalError.of("x", one).traceback.count("ValueError") == 2


def test_a_large_group_is_cut() -> None:
    group = ExceptionGroup("", [ValueError() for _ in range(50)])
    text = InternalError.of("x", group).traceback
    assert text.endswith("... more errors left out")
    assert text.count("ValueError") == 9


def test_libraries_write_into_the_same_log() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    with bridge(open_log("json", "info", stream, False)):
        library = library_logger("hypercorn.error")
        library.info("not wanted")
        library.warning("token=%s and Bearer %s, eyJhbGciOi.eyJzdWIi.c2ln", "abc", "def\n\x1b")
        library.warning("%d", "not a number")
        try:
            {}["hunter2"]
        except KeyError:
            library.exception("Error in ASGI Framework")
    assert (root.handlers[:], root.level) == before
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == "library.logged"
    assert (first["logger"], first["level"]) == ("hypercorn.error", "warning")
    assert first["message"] == "token=(hidden) and Bearer (hidden)\n\x1b, (hidden)"
    assert second["message"] == "%d"
    assert (third["level"], third["error_type"]) == ("error", "KeyError")
    assert "hunter2" not in stream.getvalue()


def test_a_library_that_repeats_itself_is_written_once_a_minute() -> None:
    stream = io.StringIO()
    log = open_log("json", "info", stream, False, clock_ms=lambda: NOW_MS)
    with bridge(log):
        for _ in range(1_000):
            library_logger("hypercorn.error").warning("the same again")
        for number in range(2 * CHEAP_PER_S):
            library_logger("hypercorn.error").warning("number %d", number)
    assert len(stream.getvalue().splitlines()) == CHEAP_PER_S


def test_a_debug_log_shows_all_that_libraries_say() -> None:
    stream = io.StringIO()
    with bridge(open_log("json", "debug", stream, False)):
        library_logger("some.library").debug("detail")
    assert json.loads(stream.getvalue())["level"] == "debug"


def test_what_users_ask_and_databases_answer_is_not_in_a_debug_log_either() -> None:
    stream = io.StringIO()
    library = library_logger("mcp.client.streamable_http")
    with bridge(open_log("json", "debug", stream, False)):
        library.debug("Sending client message: SELECT 'hunter2'")
        library_logger("client").debug("hunter2")
        library.warning("the stream ended")
    assert "hunter2" not in stream.getvalue()
    assert json.loads(stream.getvalue())["message"] == "the stream ended"
    assert library.getEffectiveLevel() == logging.getLogger().level


def test_a_recorder_keeps_what_it_is_given() -> None:
    recorder = Recorder()
    event_log: EventLog = recorder
    event_log.record(SENT)
    event_log.record(DaemonStopped(True))
    assert recorder.of(MessageSent) == [SENT]
    assert len(recorder.events) == 2
