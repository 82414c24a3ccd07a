"""A statement that Postgres does not stop is watched until it has ended."""

import attrs
import pytest
import trio

from chatd.answers.requests import DatabaseFailed
from chatd.observe import DatabaseStuck
from chatd.wire.codes import Code
from tests.answers.mcp.pools import Plate, running
from tests.postgres_mcp.shops import Shop
from tests.postgres_mcp.test_bundled import configured

# It compares each member with each other one, and looks at nothing else meanwhile.
DEAF = (
    "SELECT a && b FROM (SELECT array_agg(g) AS a, array_agg(-g) AS b"
    " FROM generate_series(1, {members}) g) AS s"
)
END_S = 240.0  # it takes seconds of the processor, which the machine may give to others
ACTIVE = (
    "SELECT pid FROM pg_stat_activity WHERE usename = 'shopper' AND state = 'active'"
    " AND datname = current_database()"
)


@attrs.define
class Watching(Plate):
    """A sink that notes that its statement runs on."""

    told: list[trio.Event] = attrs.field(factory=list)

    def runs_on(self, ended: trio.Event) -> None:
        self.told.append(ended)


async def test_a_statement_that_nothing_stops_is_told_until_it_has_ended(shop: Shop) -> None:
    sink = Watching()
    async with running(configured(shop)) as peer:
        with peer.call_timeout(1.0), pytest.raises(DatabaseFailed) as caught:
            await peer.ask(DEAF.format(members=55_000), sink)
        assert caught.value.code is Code.DB_TIMEOUT
        assert not sink.told
        await peer.recorder.until(DatabaseStuck)
        (event,) = peer.recorder.of(DatabaseStuck)
        with shop.postgres.connect(shop.database) as connection:
            assert connection.execute(ACTIVE).fetchall() == [(pid,) for pid in event.pids]
            (ended,) = sink.told
            assert not ended.is_set()
            assert (await peer.ask("SELECT 1"))[1].rows_ == [[1]]
            with trio.fail_after(END_S):
                await ended.wait()
            assert connection.execute(ACTIVE).fetchall() == []


async def test_a_statement_that_has_stopped_is_not_told(shop: Shop) -> None:
    sink = Watching()
    async with running(configured(shop, call_timeout_s=1.0)) as peer:
        with pytest.raises(DatabaseFailed):
            await peer.ask("SELECT pg_sleep(100)", sink)
        await trio.sleep(3.0)
        assert (sink.told, peer.recorder.of(DatabaseStuck)) == ([], [])
