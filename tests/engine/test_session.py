"""A session by itself: heartbeat, connect timeout, mistakes; the clock jumps."""

from itertools import pairwise

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.engine.admission import Admission
from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.engine.session import Session, SessionSettings
from chatd.engine.sessions import Sessions
from chatd.engine.transport import Work
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.engineio.packet import decode_text
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.observe import InternalError, SessionClosed
from chatd.observe.recorder import Recorder
from chatd.socketio.packet import ProtocolError
from tests.service.chats import MemoryTransport


def admission_of(*sids: str) -> Admission:
    """Counters that know these sessions."""
    admission = Admission(
        handshakes_per_second=1e6,
        sessions_per_address=1e6,
        pending_sessions_per_address=1e6,
        connections_per_address=1e6,
        max_connections=1000,
        now_s=trio.current_time(),
    )
    for sid in sids:
        admission.open_session("192.0.2.1", sid, trio.current_time())
    return admission


class BareUpper:
    """What a session carries, if it is nothing."""

    def __init__(self) -> None:
        self.is_joined = False
        self.received: list[str | bytes] = []
        self.closed: list[DisconnectReason] = []
        self.looked_s: list[float] = []
        self.is_late = False

    def receive(self, message: str | bytes) -> Work | None:
        if message == "crash":
            raise RuntimeError("a mistake")
        self.received.append(message)
        return None

    def on_heartbeat(self, now_s: float) -> None:
        self.looked_s.append(now_s)
        if self.is_late:
            raise ProtocolError("It is late.")

    def on_close(self, reason: DisconnectReason) -> None:
        self.closed.append(reason)


@attrs.frozen
class Bench:
    session: Session
    transport: MemoryTransport
    upper: BareUpper
    recorder: Recorder
    sessions: Sessions

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.recorder.of(SessionClosed)]


@pytest.fixture
async def bench(autojump_clock: MockClock, nursery: trio.Nursery) -> Bench:
    recorder = Recorder()
    settings = SessionSettings(HeartbeatSettings(25.0, 20.0), 1000, 10.0, 10.0, 1000)
    sessions = Sessions(settings, Deadlines(), Flusher(), recorder, admission_of("sid", "other"))
    session = Session(sessions, "sid", "192.0.2.1")
    transport, upper = MemoryTransport(session), BareUpper()
    session.transport, session.upper = transport, upper
    nursery.start_soon(sessions.deadlines.run)
    nursery.start_soon(sessions.flusher.run)
    return Bench(session, transport, upper, recorder, sessions)


async def test_who_has_not_joined_in_time_is_closed(
    bench: Bench, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    await bench.transport.closed.wait()
    assert trio.current_time() - began == pytest.approx(10)
    assert bench.upper.closed == [DisconnectReason.CONNECT_TIMEOUT]
    assert bench.sessions.by_sid == {}


async def test_pings_come_an_interval_after_the_pong(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.upper.is_joined = True
    for answered_after_s in (1, 5, 19):
        await trio.sleep(24.5)
        assert bench.transport.sent == [], "too early"
        await trio.sleep(1)
        assert bench.transport.sent == ["2"]
        bench.transport.sent.clear()
        await trio.sleep(answered_after_s)
        bench.session.receive("3")
    assert not bench.transport.closed.is_set()


async def test_no_pong_ends_with_ping_timeout(bench: Bench, autojump_clock: MockClock) -> None:
    bench.upper.is_joined = True
    began = trio.current_time()
    await bench.transport.closed.wait()
    assert trio.current_time() - began == pytest.approx(45)
    assert bench.reasons == ["ping timeout"]


async def test_an_unasked_pong_re_arms_the_interval(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.upper.is_joined = True
    await trio.sleep(20)
    bench.session.receive("3")
    await trio.sleep(24)
    assert bench.transport.sent == []
    await trio.sleep(2)
    assert bench.transport.sent == ["2"]


async def test_what_it_carries_is_asked_for_lateness_however_many_pongs_come(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.upper.is_joined = True
    for _ in range(100):
        await trio.sleep(1)
        bench.session.receive("3")
    gaps = [after - before for before, after in pairwise(bench.upper.looked_s)]
    assert gaps
    assert max(gaps) <= 26
    bench.upper.is_late = True
    await bench.transport.closed.wait()
    assert bench.reasons == ["parse error"]


@pytest.mark.parametrize(
    ("text", "received", "reasons"),
    [
        ("4hello", ["hello"], []),
        ("bAQID", [b"\1\2\3"], []),
        ("3", [], []),
        ("3foo", [], []),
        ("1", [], ["transport close"]),
        ("2", [], ["parse error"]),
        ("2probe", [], ["parse error"]),
        ("0", [], []),
        ("5", [], []),
        ("6", [], []),
    ],
)
async def test_a_packet_is_met_as_the_reference_does(
    bench: Bench, text: str, received: list[str | bytes], reasons: list[str]
) -> None:
    bench.session.receive(text)
    bench.session.receive_packet(decode_text(text))
    times = 1 if reasons else 2  # by WebSocket, and by POST
    assert bench.upper.received == received * times
    assert bench.reasons == reasons
    assert bench.transport.closed.is_set() is bool(reasons)


async def test_silence_is_not_its_fault_while_its_own_event_waits(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.upper.is_joined = True
    bench.session.awaiting = 1
    await trio.sleep(1000)
    assert not bench.transport.closed.is_set()
    bench.session.awaiting = 0
    await bench.transport.closed.wait()
    assert bench.reasons == ["ping timeout"]


async def test_all_of_one_turn_goes_out_together(bench: Bench, autojump_clock: MockClock) -> None:
    flushes = []
    bench.transport.flush = lambda: flushes.append(  # type: ignore[method-assign]
        [outgoing.text for outgoing in bench.session.pending]
    )
    bench.session.send(Outgoing(b"4a"))
    bench.session.send(Outgoing(b"4b"))
    assert flushes == []
    await wait_all_tasks_blocked()
    assert flushes == [[b"4a", b"4b"]]


async def test_an_end_is_told_once_and_takes_nothing_more(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.session.send(Outgoing(b"4last"))
    bench.session.end(DisconnectReason.SERVER_SHUTDOWN)
    bench.session.end(DisconnectReason.PING_TIMEOUT)
    bench.session.lost(DisconnectReason.TRANSPORT_CLOSE)
    bench.session.send(Outgoing(b"4too late"))
    assert bench.transport.sent == ["4last"]
    assert bench.session.pending == []
    assert bench.upper.closed == [DisconnectReason.SERVER_SHUTDOWN]
    assert bench.reasons == ["server shutting down"]
    await trio.sleep(100)
    assert bench.reasons == ["server shutting down"]


async def test_a_mistake_above_ends_this_session_and_is_reported(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.session.receive("4crash")
    assert bench.reasons == ["internal error"]
    assert len(bench.recorder.of(InternalError)) == 1


async def test_a_mistake_at_a_deadline_ends_this_session_and_no_other(
    bench: Bench, autojump_clock: MockClock
) -> None:
    """It once ended the task of all deadlines, and the daemon with it."""
    other = Session(bench.sessions, "other", "192.0.2.1")
    transport = MemoryTransport(other)
    other.transport, other.upper = transport, BareUpper()

    class Broken(BareUpper):
        @property
        def is_joined(self) -> bool:  # type: ignore[override]
            raise RuntimeError("a mistake")

        @is_joined.setter
        def is_joined(self, value: bool) -> None:
            pass

    bench.session.upper = Broken()
    await bench.transport.closed.wait()
    assert bench.reasons[0] == "internal error"
    await transport.closed.wait()
    assert bench.reasons == ["internal error", "connect timeout"]
