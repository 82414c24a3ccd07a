"""What the log says of requests that are forbidden, and how much of it."""

from trio.testing import MockClock

from chatd.net.http.cors import Forbidden
from chatd.net.proxies import FORBIDDEN_PER_MINUTE, ForbiddenNotices
from chatd.observe import Recorder, RequestForbidden


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
