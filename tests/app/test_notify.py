"""What the service manager is told, datagram by datagram (sd_notify(3))."""

import errno
import os
import socket
from pathlib import Path

import pytest
import trio

from chatd.app.notify import EXTEND_S, UNSENT_MAX, Notifier
from chatd.observe import NoticeFailed, Recorder
from tests.app.service_manager import NoticeSocket
from tests.rows import rows


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "abstract":
        return f"@chatd tests {os.getpid()} {tmp_path.name}"
    return str(tmp_path / "notify")


def notifier_for(address: str, **variables: str) -> Notifier:
    environment = {"NOTIFY_SOCKET": address, **variables}
    notifier = Notifier.of(environment, Recorder(), os.getpid())
    assert environment == {}  # what the daemon starts is no part of it
    return notifier


async def test_each_notice_is_one_datagram(address: str) -> None:
    async with NoticeSocket(address) as manager:
        notifier = notifier_for(address)
        notifier.ready("Serves.")
        notifier.status("Serves.")  # nothing new
        notifier.status("Serves, without a database.")
        notifier.reloading(1_234_567)
        notifier.alive()
        notifier.stopping(12.5)
        assert [await manager.next() for _ in range(5)] == [
            {"READY": "1", "STATUS": "Serves."},
            {"STATUS": "Serves, without a database."},
            {"RELOADING": "1", "MONOTONIC_USEC": "1234567"},
            {"WATCHDOG": "1"},
            {"STOPPING": "1", "STATUS": "Ending.", "EXTEND_TIMEOUT_USEC": "12500000"},
        ]


async def test_a_status_is_one_short_line_whatever_stands_in_it(address: str) -> None:
    async with NoticeSocket(address) as manager:
        notifier_for(address).ready("a room\nWATCHDOG=trigger\x1b[2J" + "x" * 1000)
        notice = await manager.next()
        assert notice.keys() == {"READY", "STATUS"}
        assert notice["STATUS"].isprintable()
        assert len(notice["STATUS"]) == 400


async def test_a_start_that_takes_long_asks_for_more_time_until_it_is_over(address: str) -> None:
    async with NoticeSocket(address) as manager:
        notifier = notifier_for(address)
        with notifier.extending("Reads.", every_s=0.01):
            assert await manager.next() == {
                "STATUS": "Reads.",
                "EXTEND_TIMEOUT_USEC": str(int(EXTEND_S * 1_000_000)),
            }
            for _ in range(3):
                assert (await manager.next()).keys() == {"EXTEND_TIMEOUT_USEC"}


async def test_a_start_that_hangs_for_ever_gets_no_more_time_in_the_end(address: str) -> None:
    async with NoticeSocket(address) as manager:
        notifier = notifier_for(address)
        with notifier.extending("Reads.", every_s=0.001, most_s=0.003):
            for _ in range(4):
                await manager.hear("EXTEND_TIMEOUT_USEC", str(int(EXTEND_S * 1_000_000)))
            notifier.alive()
            assert await manager.next() == {"WATCHDOG": "1"}


async def test_a_socket_that_is_full_gets_the_notices_later_and_in_order(tmp_path: Path) -> None:
    """The kernel keeps some datagrams for a reader that is slow, no more."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.bind(address)
        notifier = notifier_for(address)
        for _ in range(2000):
            notifier.alive()  # never waits
        notifier.ready("Serves.")
        slow.settimeout(0)
        heard = []
        while True:
            try:
                heard.append(slow.recv(4096))
            except BlockingIOError:
                notifier.retry()
                if heard[-1] == b"READY=1\nSTATUS=Serves.":
                    break
        assert 2 < len(heard) <= 2001 - UNSENT_MAX
        assert set(heard[:-1]) == {b"WATCHDOG=1"}


async def test_where_too_much_is_open_the_notices_go_out_later(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_descriptor(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    async with NoticeSocket(address) as manager:
        recorder = Recorder()
        notifier = Notifier(address, recorder)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", no_descriptor)
            notifier.ready("Serves.")
        notifier.retry()
        assert await manager.next() == {"READY": "1", "STATUS": "Serves."}
        assert recorder.events == []


async def test_a_service_manager_that_is_gone_is_said_once(tmp_path: Path) -> None:
    recorder = Recorder()
    notifier = Notifier(str(tmp_path / "nobody"), recorder)
    for _ in range(3):
        notifier.alive()
    assert recorder.events == [NoticeFailed("$NOTIFY_SOCKET: No such file or directory")]


async def test_nobody_is_told_without_an_address_or_with_one_that_is_no_socket() -> None:
    silent = Notifier.of({}, Recorder(), os.getpid())
    silent.ready("Serves.")
    silent.retry()
    with silent.extending("Reads."):
        pass
    assert not silent.is_on
    recorder = Recorder()
    assert not Notifier.of({"NOTIFY_SOCKET": "vsock:2:1234"}, recorder, 1).is_on
    assert recorder.events == [NoticeFailed("vsock:2:1234 is not a unix socket")]


@rows(
    ("usec", "pid", "watchdog_s"),
    [
        ("30000000", "", 30.0),
        ("500000", "this", 0.5),
        ("30000000", "1", None),
        ("", "", None),
        ("0", "", None),
        ("-1", "", None),
    ],
)
def test_a_watchdog_is_fed_where_it_is_for_this_process(
    usec: str, pid: str, watchdog_s: float | None
) -> None:
    own = str(os.getpid())
    pid = pid.replace("this", own)
    notifier = notifier_for("/run/notify", WATCHDOG_USEC=usec, WATCHDOG_PID=pid)
    assert notifier.watchdog_s == watchdog_s
    without = Notifier.of({"WATCHDOG_USEC": usec}, Recorder(), os.getpid())
    assert without.watchdog_s is None


async def test_what_a_thread_says_is_whole(address: str) -> None:
    async with NoticeSocket(address) as manager:
        notifier = notifier_for(address)
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(trio.to_thread.run_sync, notifier.alive)
        assert [await manager.next() for _ in range(4)] == [{"WATCHDOG": "1"}] * 4
