"""A watch of what a call left behind finds its backend among others, however late it looks."""

import attrs
import trio
import trio.testing

from chatd.answers.mcp.running_on import FAILED_MAX, RUNNING, watch
from chatd.answers.requests import DatabaseFailed, RunStatement, Sink
from chatd.wire.codes import Code

OTHER, OWN, LATER = 7, 8, 9


@attrs.define
class Server:
    """What pg_stat_activity would say: by pid, when the transaction began."""

    running: dict[int, float]
    delay_s: float = 0.0
    looks: int = 0
    is_away: bool = False
    told: list[tuple[tuple[int, ...], trio.Event]] = attrs.field(factory=list)

    async def look(self, request: RunStatement, found: Sink) -> None:
        assert request is RUNNING
        self.looks += 1
        await trio.sleep(self.delay_s)
        if self.is_away:
            raise DatabaseFailed(Code.DB_UNAVAILABLE)
        now_s = trio.current_time()
        found.rows([[pid, str(at), f"{now_s - at:.6f}"] for pid, at in self.running.items()])

    def tell(self, pids: tuple[int, ...], ended: trio.Event) -> None:
        self.told.append((pids, ended))


async def test_the_backend_is_known_by_the_age_of_its_transaction(
    autojump_clock: trio.testing.MockClock,
) -> None:
    began_s = trio.current_time()
    await trio.sleep(30.0)
    server = Server({OTHER: began_s - 60, OWN: began_s + 1, LATER: began_s + 20}, delay_s=20.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, server.look, began_s, server.tell)
        await trio.sleep(60.0)
        ((pids, ended),) = server.told
        assert pids == (OWN,)
        assert not ended.is_set()
        server.running[OWN] = trio.current_time()  # it serves another call now
        await ended.wait()
    assert len(server.told) == 1


async def test_what_has_ended_is_not_told(autojump_clock: trio.testing.MockClock) -> None:
    server = Server({OTHER: trio.current_time() - 60})
    await watch(server.look, trio.current_time(), server.tell)
    assert (server.told, server.looks) == ([], 1)


async def test_a_database_that_is_away_is_asked_again_and_then_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server({}, is_away=True)
    await watch(server.look, trio.current_time(), server.tell)
    assert (server.told, server.looks) == ([], FAILED_MAX)
