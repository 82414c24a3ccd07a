"""What the log says of requests that are forbidden, and how much of it."""

from trio.testing import MockClock

from chatd.net.addresses import LOCAL, as_network
from chatd.net.http.cors import Forbidden
from chatd.net.proxies import FORBIDDEN_PER_MINUTE, ForbiddenNotices, ProxyNotices
from chatd.observe import ProxyNotTrusted, Recorder, RequestForbidden


def test_a_proxy_that_is_not_trusted_is_named_as_it_is_to_be_listed() -> None:
    recorder = Recorder()
    notices = ProxyNotices(recorder)
    for address in ("192.0.2.1", LOCAL, LOCAL, "2001:db8::1"):
        notices.heard_from(address)
    listed = [event.address for event in recorder.of(ProxyNotTrusted)]
    assert listed == ["192.0.2.1", "unix:", "2001:db8::1"]
    assert all(map(as_network, listed))


async def test_what_was_told_is_told_again_after_a_minute(mock_clock: MockClock) -> None:
    recorder = Recorder()
    notices = ForbiddenNotices(recorder)
    told = Forbidden("chat.example", None, "server.origins", "No.")
    for _ in range(3):
        notices.turned_away("192.0.2.1", told)
        notices.turned_away("192.0.2.2", told)
        mock_clock.jump(60.0)
    assert len(recorder.of(RequestForbidden)) == 3


async def test_of_many_in_one_minute_a_few_are_told(mock_clock: MockClock) -> None:
    recorder = Recorder()
    notices = ForbiddenNotices(recorder)
    for number in range(3 * FORBIDDEN_PER_MINUTE):
        notices.turned_away("192.0.2.1", Forbidden(f"evil{number}", None, "server.origins", "No."))
    assert len(recorder.of(RequestForbidden)) == FORBIDDEN_PER_MINUTE
