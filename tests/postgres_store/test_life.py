"""The life of a node in PostgreSQL: whose lock says that it is alive, what is done for one that is
dead, and how one that was taken for dead begins anew."""

import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from chatd.chat.commits import CommitFailed, Committed
from chatd.chat.queue import Queue
from chatd.chat.records import OpenAnswer
from chatd.observe import LifeBegunAnew, LifeLost, LifeResumed, LogEvent, NodeReaped
from chatd.observe.clock import Clock
from chatd.observe.recorder import Recorder
from chatd.postgres_store import life as living
from chatd.postgres_store import lives
from chatd.postgres_store import writer as writing
from chatd.postgres_store.errors import DatabaseUnfit, NodeReplaced, Unfit
from chatd.postgres_store.life import Life
from chatd.postgres_store.log import BETWEEN_LIVES, IN_DOUBT, PostgresLog
from chatd.postgres_store.opening import OpenedLog, open_log
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.sessions import LogAddress, connect
from tests.postgres import Postgres, a_server
from tests.postgres_store.logs import NOW_MS, new_address, rows_of, run_in
from tests.rows import rows
from tests.store.logs import stored_from

pytestmark = pytest.mark.timeout(120)

SOON_S = 60.0  # whatever the machine is at


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nodes look at each other often, however long they may be silent."""
    monkeypatch.setattr(living, "LOOK_S", 0.3)


def of(address: LogAddress, node: str, dead_after_s: float = 60.0, bus: str = "") -> LogAddress:
    """The address for a node, which is not taken for dead in any pause of a busy machine."""
    return attrs.evolve(address, node=node, dead_after_s=dead_after_s, bus=bus)


@attrs.define(eq=False)
class Node:
    """A node with its log and its life, which run in a nursery of their own."""

    opened: OpenedLog
    life: Life
    log: PostgresLog
    events: Recorder
    adopted: list[OpenAnswer] = attrs.field(factory=list)
    restarts: int = 0
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    has_stopped: trio.Event = attrs.field(factory=trio.Event)

    @classmethod
    def open(cls, address: LogAddress) -> "Node":
        opened = open_log(address, NOW_MS)
        life = Life(opened)
        node = cls(opened, life, PostgresLog(opened, life=life), Recorder())
        life.adopted = node.adopted.extend
        return node

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.life.run, self.events, lambda: 3, Clock())
                nursery.start_soon(self._write)
                task_status.started()
        self.has_stopped.set()

    async def _write(self) -> None:
        """Begin the log again whenever it ends, as its supervisor does."""
        while True:
            await self.log.run()
            self.restarts += 1

    def kill(self) -> None:
        """As `kill -9` does: the system closes its connections."""
        self.scope.cancel()
        self.life.close()
        self.log._writer.close()

    async def stop_living(self) -> None:
        """As SIGSTOP does with its session: it is open, and nothing is asked. The server gives it
        up after half a second."""
        async with self.life._turn:  # nothing is under way
            self.scope.cancel()
            await self.has_stopped.wait()
            assert self.life._connection is not None
            await self.life._connection.execute("SET idle_session_timeout = '500ms'")

    def reap_from_now_on(self) -> None:
        """As if it had come to the server long ago."""
        self.life._back_s = -math.inf

    def told(self, kind: type[LogEvent]) -> int:
        """How often an event was recorded."""
        return len(self.events.of(kind))


@asynccontextmanager
async def running(*addresses: LogAddress) -> AsyncIterator[list[Node]]:
    nodes = [Node.open(address) for address in addresses]
    try:
        async with trio.open_nursery() as nursery:
            for node in nodes:
                await nursery.start(node.run)
            yield nodes
            nursery.cancel_scope.cancel()
    finally:
        for node in nodes:
            node.kill()


def has_begun_anew(node: Node) -> bool:
    """Whether a node has another life, for which it writes."""
    is_ready = not (node.log._is_between_lives or node.log._writer.is_of_past_life)
    return node.told(LifeBegunAnew) == 1 and is_ready


def is_back(node: Node, times: int) -> bool:
    """Whether a node has lost its session so often, and is alive again."""
    return node.told(LifeLost) == node.told(LifeResumed) == times


async def until(holds: Callable[[], object]) -> None:
    with trio.fail_after(SOON_S):
        while not holds():  # noqa: ASYNC110  # the server sets no event
            await trio.sleep(0.02)


def names(address: LogAddress) -> list[str]:
    return [name for (name,) in rows_of(address, "SELECT name FROM nodes ORDER BY name")]


async def until_named(address: LogAddress, *wanted: str) -> None:
    """Wait until these are the nodes; the nodes live on while the server is asked."""
    with trio.fail_after(SOON_S):
        while await trio.to_thread.run_sync(names, address) != list(wanted):  # noqa: ASYNC110
            await trio.sleep(0.02)


# Reaping

QUESTION = "decode(repeat('ab', 16), 'hex')"
SETTING = f"""
    INSERT INTO chatd.rooms (connection_id, last_seq, forgotten_seq) VALUES ('sales', 6, 1);
    INSERT INTO chatd.messages (room_id, seq, message_id, timestamp_ms, user_id, content, stored_at)
        SELECT r.room_id, s, decode(lpad(s::text, 32, '0'), 'hex'), 0, 'zoe', 'x',
               n.beat + (s - 5) * interval '1 second'
        FROM chatd.rooms r, chatd.nodes n, generate_series(2, 6) s WHERE n.name = 'a';
    INSERT INTO chatd.answers (question_id, answer_id, room_id, user_id, opened_ms, node_id)
        SELECT {QUESTION}, {QUESTION}, r.room_id, 'ada', 5, n.node_id
        FROM chatd.rooms r, chatd.nodes n WHERE n.name = 'a';
"""
"""Messages 2 to 6 of a room, a second apart: 5 is as old as the last beat of "a"."""


def member(address: LogAddress, user: str, stays: Sequence[int], **columns: Any) -> None:
    """Have `user` be a member of the room, with sockets on these nodes."""
    values = {"joined_ms": 1, **columns}
    with connect(address) as connection:
        connection.execute(
            f"INSERT INTO members (room_id, user_id, stays, {', '.join(values)})"
            " SELECT room_id, %s, %s, %s"
            f"{', %s' * (len(values) - 1)} FROM rooms".encode(),
            (user, list(stays), *values.values()),
        )


def queue_of(address: LogAddress, user: str) -> Queue:
    with connect(address) as connection:
        return recover(connection, 0).recovered.members["sales"][user]


@contextmanager
def a_pair(address: LogAddress) -> Iterator[tuple[OpenedLog, OpenedLog]]:
    """A node "a" that is to die, and a node "b"."""
    heir = open_log(of(address, "b"), NOW_MS)
    dead = open_log(of(address, "a"), NOW_MS)
    run_in(address, SETTING)
    yield dead, heir
    dead.close()
    heir.close()


@pytest.fixture
def dead_and_heir(address: LogAddress) -> Iterator[tuple[OpenedLog, OpenedLog]]:
    with a_pair(address) as pair:
        yield pair


def kill(opened: OpenedLog) -> None:
    """Close its connections, and wait until the server has noticed."""
    opened.close()
    while rows_of(opened.address, f"SELECT is_held(life_key({opened.node_id}))") == [(True,)]:
        time.sleep(0.01)


def end_life(heir: OpenedLog, dead: OpenedLog, *more: Any) -> list[tuple[Any, ...]]:
    assert heir.life is not None
    marks = ", %s" * len(more)
    return heir.life.connection.execute(
        f"SELECT members, cardinality(questions) FROM end_life(%s, %s{marks})".encode(),
        (dead.node_id, heir.node_id, *more),
    ).fetchall()


def test_who_was_on_a_dead_node_alone_is_away_since_a_second_before_it_was_last_heard(
    address: LogAddress, dead_and_heir: tuple[OpenedLog, OpenedLog]
) -> None:
    dead, heir = dead_and_heir
    both = (dead.node_id, heir.node_id)
    member(address, "here", both)
    member(address, "alone", [dead.node_id])
    member(address, "elsewhere", [heir.node_id], version=7)
    assert end_life(heir, dead) == []  # it is alive
    kill(dead)
    assert end_life(heir, dead) == [(2, 1)]
    assert end_life(heir, dead) == []
    assert queue_of(address, "alone").away_seq == 3
    assert rows_of(address, "SELECT user_id, stays, version > 7 FROM members ORDER BY user_id") == [
        ("alone", [], True),
        ("elsewhere", [heir.node_id], False),
        ("here", [heir.node_id], True),
    ]
    assert queue_of(address, "here") == Queue()
    assert rows_of(address, "SELECT node_id FROM answers") == [(heir.node_id,)]
    assert names(address) == ["b"]


@rows(
    ("before", "seq"),
    [
        pytest.param("UPDATE chatd.nodes SET beat = beat - interval '1 hour'", 1, id="long ago"),
        pytest.param("UPDATE chatd.nodes SET beat = beat + interval '1 hour'", 6, id="all is old"),
        pytest.param("DELETE FROM chatd.messages; UPDATE chatd.rooms SET forgotten_seq = 6", 6,
                     id="nothing is kept"),
    ],
)  # fmt: skip
def test_what_a_dead_node_had_seen_lies_between_what_is_forgotten_and_what_there_is(
    postgres: Postgres, before: str, seq: int
) -> None:
    address = new_address(postgres)
    with a_pair(address) as (dead, heir):
        member(address, "ada", [dead.node_id])
        run_in(address, before)
        kill(dead)
        assert end_life(heir, dead) == [(1, 1)]
    assert queue_of(address, "ada").away_seq == seq


def test_nobody_is_owed_what_it_has_seen_on_another_node(
    address: LogAddress, dead_and_heir: tuple[OpenedLog, OpenedLog]
) -> None:
    dead, heir = dead_and_heir
    member(address, "ada", [dead.node_id], seen_seq=5)
    member(address, "bob", [dead.node_id], seen_seq=1)
    kill(dead)
    assert end_life(heir, dead) == [(2, 1)]
    assert queue_of(address, "ada").away_seq == 5
    assert queue_of(address, "bob").away_seq == 3


def test_nobody_is_owed_what_it_wrote_itself(
    address: LogAddress, dead_and_heir: tuple[OpenedLog, OpenedLog]
) -> None:
    dead, heir = dead_and_heir
    member(address, "ada", [dead.node_id], gaps="[[1, 1, 50]]")
    member(address, "bob", [dead.node_id])
    run_in(
        address,
        "UPDATE chatd.messages SET user_id = 'ada' WHERE seq IN (5, 6);"
        "UPDATE chatd.messages SET user_id = 'bob' WHERE seq = 4",
    )
    kill(dead)
    assert end_life(heir, dead) == [(2, 1)]
    ada, bob = queue_of(address, "ada"), queue_of(address, "bob")
    assert (ada.away_seq, [(gap.first, gap.last) for gap in ada.gaps]) == (6, [(1, 1), (4, 4)])
    assert (bob.away_seq, bob.gaps) == (4, ())


@rows(
    ("gaps", "left"),
    [
        pytest.param([[1, 2, 50]], [(1, 2)], id="below"),
        pytest.param([[1, 1, 50], [3, 5, 60]], [(1, 1), (3, 3)], id="one reaches beyond"),
        pytest.param([[4, 4, 50], [6, 6, 60]], [], id="above"),
    ],
)
def test_what_was_owed_before_is_owed_once(
    postgres: Postgres, gaps: list[list[int]], left: list[tuple[int, int]]
) -> None:
    address = new_address(postgres)
    with a_pair(address) as (dead, heir):
        member(address, "ada", [dead.node_id], gaps=json.dumps(gaps))
        kill(dead)
        end_life(heir, dead)
    queue = queue_of(address, "ada")
    assert [(gap.first, gap.last) for gap in queue.gaps] == left
    assert queue.away_seq == 3
    cut_off = [since for _, last, since in gaps if last > 3]
    assert queue.away_ms == min(cut_off, default=queue.away_ms)
    assert queue.away_ms > 0


def test_a_heir_that_is_dead_itself_inherits_nothing(
    address: LogAddress, dead_and_heir: tuple[OpenedLog, OpenedLog]
) -> None:
    dead, heir = dead_and_heir
    member(address, "ada", [dead.node_id])
    kill(dead)
    run_in(address, "DELETE FROM chatd.nodes WHERE name = 'b'")
    assert end_life(heir, dead) == []
    assert queue_of(address, "ada") == Queue()


def test_a_node_that_leaves_says_what_its_users_have_seen_and_what_it_did_not_end(
    address: LogAddress, dead_and_heir: tuple[OpenedLog, OpenedLog]
) -> None:
    leaving, _ = dead_and_heir
    assert leaving.life is not None
    member(address, "ada", [leaving.node_id])
    leave = "SELECT members FROM end_life(%s, NULL, false, clock_timestamp(), %s, %s)"
    parameters = (leaving.node_id, ["sales", "other"], [5, 9])
    assert leaving.life.connection.execute(leave.encode(), parameters).fetchall() == [(1,)]
    assert queue_of(address, "ada").away_seq == 5
    assert names(address) == ["a", "b"]  # an answer is open, and somebody has to end it
    run_in(address, "UPDATE chatd.answers SET state = 'answered'")
    assert leaving.life.connection.execute(leave.encode(), parameters).fetchall() == [(0,)]
    assert names(address) == ["b"]


def test_a_node_without_a_name_reaps_all_that_was_left_of_others(
    address: LogAddress, dead_and_heir: tuple[OpenedLog, OpenedLog]
) -> None:
    dead, heir = dead_and_heir
    member(address, "ada", [dead.node_id])
    for one in (dead, heir):
        one.connection.close()  # their lives are not over yet
    with_it_alone = open_log(address, NOW_MS)
    assert queue_of(address, "ada").away_seq == 3
    assert names(address) == [""]
    assert [one.question_id for one in with_it_alone.log.recovered.open_answers]
    assert rows_of(address, "SELECT node_id FROM answers") == [(with_it_alone.node_id,)]
    member(address, "bea", [])
    with_it_alone.close()
    named = open_log(of(address, "c"), NOW_MS)
    assert queue_of(address, "bea").away_seq == 6  # nobody else wrote
    assert names(address) == ["c"]
    named.close()


def test_a_start_takes_on_answers_that_nobody_owes_an_end(address: LogAddress) -> None:
    with a_pair(address) as (one, other):
        run_in(address, "UPDATE chatd.answers SET node_id = NULL")
        third = open_log(of(address, "c"), NOW_MS)
        assert [answer.user_id for answer in third.log.recovered.open_answers] == ["ada"]
        fourth = open_log(of(address, "d"), NOW_MS)
        assert fourth.log.recovered.open_answers == ()
        assert {one.node_id, other.node_id} & {third.node_id, fourth.node_id} == set()
    third.close()
    fourth.close()


# Nodes that run


async def test_a_node_that_is_killed_is_reaped_once_and_its_answers_go_on_elsewhere(
    address: LogAddress,
) -> None:
    async with running(of(address, "a"), of(address, "b"), of(address, "c")) as (dead, *others):
        run_in(address, SETTING)
        await until(lambda: all(one.life.nodes for one in (dead, *others)))
        for one in others:
            one.reap_from_now_on()
        dead.kill()
        await until_named(address, "b", "c")
        await until(lambda: sum(len(one.adopted) for one in others) == 1)
        assert sum(one.told(NodeReaped) for one in others) == 1
        await until(lambda: all(len(one.life.nodes) == 2 for one in others))
        seen = others[0].life.nodes
        assert [(node.name, node.is_alive, node.sockets) for node in seen] == [
            ("b", True, 3),
            ("c", True, 3),
        ]


async def test_a_node_that_hangs_is_reaped_and_what_it_writes_then_is_refused(
    address: LogAddress,
) -> None:
    async with running(of(address, "a"), of(address, "b")) as (hanging, other):
        await until(lambda: hanging.life.nodes and other.life.nodes)
        await hanging.log.commit(stored_from(1, 1))
        other.reap_from_now_on()
        await hanging.stop_living()
        await until_named(address, "b")
        with pytest.raises(CommitFailed, match=BETWEEN_LIVES):
            await hanging.log.commit(stored_from(2, 2))
        with pytest.raises(CommitFailed, match=IN_DOUBT):  # at once: nobody waits for that to end
            await hanging.log.heads(["sales"])
        with pytest.raises(CommitFailed, match=BETWEEN_LIVES):
            await hanging.log.ask("SELECT 1", ())
    assert rows_of(address, "SELECT seq FROM messages") == [(1,)]


async def test_a_node_that_was_taken_for_dead_begins_anew_and_writes_on(
    address: LogAddress,
) -> None:
    async with running(of(address, "a"), of(address, "b")) as (node, other):
        await node.log.commit(stored_from(1, 1))
        first = node.life.node_id
        await until(lambda: node.life.nodes and other.life.nodes)
        # As the other one does whose look comes between the loss of a session and the next one.
        run_in(address, f"DELETE FROM chatd.nodes WHERE node_id = {first}")
        await until(lambda: has_begun_anew(node))
        await until(lambda: node.life.why_lost is None)
        assert node.life.node_id > first
        outcome = await node.log.commit(stored_from(2, 2))
        assert isinstance(outcome, Committed)
        assert not node.log.is_failing
        assert node.restarts == 1
        assert names(address) == ["a", "b"]
    assert rows_of(address, "SELECT seq FROM messages ORDER BY seq") == [(1,), (2,)]


async def test_what_was_in_doubt_when_a_life_ended_is_so_no_more(address: LogAddress) -> None:
    async with running(of(address, "a")) as (node,):
        await node.log.commit(stored_from(1, 1))
        node.log._writer._pending = writing._NOTHING
        run_in(address, "DELETE FROM chatd.nodes")
        await until(lambda: has_begun_anew(node))
        await node.log.commit(stored_from(2, 2))


async def test_a_session_that_is_lost_is_taken_up_again_where_nobody_has_reaped(
    address: LogAddress,
) -> None:
    async with running(of(address, "a")) as (node,):
        first = node.life.node_id
        for times in (1, 2):
            await until(lambda: node.life.nodes and node.life.why_lost is None)
            run_in(address, f"SELECT pg_terminate_backend({node.life._session[0]})")
            await until(partial(is_back, node, times))
        assert node.life.node_id == first
        assert node.restarts == 0
        assert names(address) == ["a"]


async def test_a_server_that_is_away_takes_nobodys_life() -> None:
    with a_server(fsync="on") as server:
        address = attrs.evolve(new_address(server), is_synced=True)
        async with running(of(address, "a", 5), of(address, "b", 5)) as nodes:
            ids = [node.life.node_id for node in nodes]
            server.crash()
            await until(lambda: all(node.life.why_lost for node in nodes))
            assert "cannot be reached" in str(nodes[0].life.why_lost)
            await trio.to_thread.run_sync(server.start)
            await until(lambda: not any(node.life.why_lost for node in nodes))
            await until(lambda: all(node.told(LifeResumed) for node in nodes))
            server.freeze()
            await until(lambda: all(node.life.why_lost for node in nodes))
            assert "gave no answer" in str(nodes[0].life.why_lost)
            server.thaw()
            await until(lambda: all(node.told(LifeResumed) >= 2 for node in nodes))
            assert [node.life.node_id for node in nodes] == ids
            await nodes[0].log.commit(stored_from(1, 1))
            assert sum(node.told(NodeReaped) for node in nodes) == 0


async def test_a_node_that_leaves_has_not_to_be_reaped(address: LogAddress) -> None:
    async with running(of(address, "a"), of(address, "b")) as (leaving, other):
        await leaving.log.commit(stored_from(1, 5))
        member(address, "eve", [leaving.life.node_id])
        member(address, "bob", [leaving.life.node_id])
        member(address, "cyd", [leaving.life.node_id])
        member(address, "dan", [leaving.life.node_id, other.life.node_id])
        member(address, "fay", [other.life.node_id])
        seen = {"eve": 4, "bob": 2, "dan": 3, "fay": 5}
        leaving.life.end_with({("sales", user): seq for user, seq in seen.items()})
        await other.log.commit(stored_from(6, 6))
        assert await leaving.log.close(30)
        assert names(address) == ["b"]
        # What nothing is said of, all are taken to have seen of it.
        away = {
            user: queue_of(address, user).away_seq for user in ("eve", "bob", "cyd", "dan", "fay")
        }
        assert away == {"eve": 4, "bob": 2, "cyd": 2, "dan": None, "fay": None}
        with connect(address) as connection:
            found = connection.execute(b"SELECT user_id, seen_seq FROM members").fetchall()
        assert dict(found) == {"eve": 4, "bob": 0, "cyd": 0, "dan": 3, "fay": 0}
        assert other.told(NodeReaped) == 0


async def test_a_node_goes_on_where_a_newer_one_has_brought_the_schema_forward(
    address: LogAddress,
) -> None:
    async with running(of(address, "a")) as (node,):
        run_in(address, "ALTER TABLE chatd.messages ADD COLUMN colour text;"
                        "UPDATE chatd.meta SET version = 900")  # fmt: skip
        await node.log.commit(stored_from(1, 1))
        await until(lambda: node.life.schema_version == 900)
        assert node.life.why_lost is None
        refused(of(address, "b"), Unfit.SCHEMA_TOO_NEW)


async def test_a_node_without_a_name_that_is_replaced_ends(address: LogAddress) -> None:
    opened = open_log(address, NOW_MS)
    life = Life(opened)
    log = PostgresLog(opened, life=life)
    run_in(address, f"SELECT pg_terminate_backend({opened.session[0]})")
    successor = open_log(address, NOW_MS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.run, Recorder(), lambda: 0, Clock())
        with pytest.raises(NodeReplaced):
            await log.run()
        nursery.cancel_scope.cancel()
    successor.close()
    await log.close(5)


class Off(Clock):
    def wall_s(self) -> float:
        return super().wall_s() + 30


async def test_how_far_the_clock_of_the_machine_is_off_is_known(address: LogAddress) -> None:
    opened = open_log(of(address, "a"), NOW_MS)
    life = Life(opened)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.run, Recorder(), lambda: 0, Off())
        await until(lambda: life.clock_off_s)
        nursery.cancel_scope.cancel()
    assert 28 < life.clock_off_s < 32
    life.close()
    opened.close()


# A start


def refused(address: LogAddress, code: Unfit) -> str:
    with pytest.raises(DatabaseUnfit) as caught:
        open_log(address, NOW_MS)
    assert caught.value.code is code
    return str(caught.value)


async def test_a_second_node_of_a_name_is_turned_away(address: LogAddress) -> None:
    async with running(of(address, "a")) as (node,):
        await until(lambda: node.life.nodes)
        before = rows_of(address, "SELECT node_id FROM nodes")
        said = await trio.to_thread.run_sync(refused, of(address, "a"), Unfit.NODE_NAME_IN_USE)
        assert said.startswith("[cluster] node (node_name_in_use): Another node is called a")
        assert rows_of(address, "SELECT node_id FROM nodes") == before


def test_a_start_waits_for_a_life_of_the_same_name_that_the_server_has_not_given_up(
    address: LogAddress,
) -> None:
    hanging = open_log(of(address, "a", dead_after_s=1.0), NOW_MS)
    again = open_log(of(address, "a"), NOW_MS)
    assert rows_of(address, "SELECT node_id FROM nodes") == [(again.node_id,)]
    hanging.close()
    again.close()


def test_two_clusters_on_one_schema_are_told_apart_by_their_bus(address: LogAddress) -> None:
    first = open_log(of(address, "a", bus="redis://one:6379/0"), NOW_MS)
    said = refused(of(address, "b", bus="redis://two:6379/0"), Unfit.BUS_DIFFERS)
    assert said.startswith("[bus] url (bus_differs): The node a keeps its log")
    assert "over redis://one:6379/0, while this one would over redis://two:6379/0" in said
    assert names(address) == ["a"]
    for bus in ("redis://one:6379/0", ""):
        open_log(of(address, "b", bus=bus), NOW_MS).close()
    kill(first)
    open_log(of(address, "b", bus="redis://two:6379/0"), NOW_MS).close()  # nobody is alive there


def test_after_a_restart_of_the_server_a_start_reaps_nobody_who_may_come_back(
    address: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lives, "HAS_SETTLED", "SELECT make_interval(secs => %s) IS NULL")
    open_log(of(address, "a"), NOW_MS).close()
    open_log(of(address, "b"), NOW_MS).close()
    assert names(address) == ["a", "b"]
    again = open_log(of(address, "a"), NOW_MS)
    assert names(address) == ["a", "b"]
    assert again.node_id > 2
    again.close()
