"""The head of a room: what joiners are shown, loaded and published without hole or double."""

import attrs
import orjson
import pytest
import trio
import trio.testing

from chatd.chat.markup import keep
from chatd.chat.order import Place
from chatd.chat.records import Change, Message
from chatd.chat.rendering import Renderer
from chatd.service.timeline import CHANGES_BYTES, CHANGES_KEPT, TIMELINE_BYTES, Timelines
from chatd.store import Page, StoreReadFailed
from tests.store.logs import NOW_MS, deleted, edited, message

ROOM = "sales"

RENDERER = Renderer(keep, lambda _: False)


class HeldHistory:
    """A log whose reads end when the test says so."""

    def __init__(self, last_seq: int) -> None:
        self.stored = [message(seq) for seq in range(1, last_seq + 1)]
        self.reads = 0
        self.failing = False
        self.reading = trio.Event()
        self.released = trio.Event()
        self.released.set()

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
        answer_rows: int | None = None,
    ) -> Page:
        assert before is not None
        assert (after, thread_id) == (None, None)
        self.reads += 1
        self.reading.set()
        last_seq = self.stored[-1].seq if self.stored else 0
        older = [one for one in self.stored if one.seq < before]
        await self.released.wait()
        if self.failing:
            raise StoreReadFailed("The disk is away.")
        return Page(tuple(older[-limit:]), len(older) > limit, min(1, last_seq), last_seq)

    def store(self, seq: int) -> Message:
        stored = message(seq)
        self.stored.append(stored)
        return stored


def make_timelines(log: HeldHistory, recent_max: int = 5, **bounds: int) -> Timelines:
    last_seq = len(log.stored)
    return Timelines(
        {ROOM: last_seq} if last_seq else {}, log, RENDERER, recent_max=recent_max, **bounds
    )


def publish(timelines: Timelines, new: Message) -> None:
    timelines.publish(new, timelines.render(new))


def shown(timelines: Timelines, room: str = ROOM) -> dict[str, object]:
    packet = orjson.loads(timelines.history(room).text[2:])
    assert packet[0] == "chat:history"
    payload = packet[1]
    payload["messages"] = [body["seq"] for body in payload["messages"]]
    del payload["connectionId"]
    return payload  # type: ignore[no-any-return]


async def test_a_room_without_messages_needs_no_load() -> None:
    timelines = make_timelines(HeldHistory(0))
    timelines.hold(ROOM)
    assert shown(timelines) == {
        "messages": [],
        "hasMore": False,
        "firstSeq": 0,
        "lastSeq": 0,
        "lastRev": 0,
    }


async def test_a_room_is_loaded_once_for_all_who_wait() -> None:
    log = HeldHistory(7)
    timelines = make_timelines(log)
    log.released = trio.Event()
    timelines.hold(ROOM)
    timelines.hold(ROOM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        nursery.start_soon(timelines.load, ROOM)
        await trio.testing.wait_all_tasks_blocked()
        log.released.set()
    assert log.reads == 1
    assert shown(timelines) == {
        "messages": [3, 4, 5, 6, 7],
        "hasMore": True,
        "firstSeq": 1,
        "lastSeq": 7,
        "lastRev": 0,
    }


@pytest.mark.parametrize("committed_before_the_read", [True, False])
@pytest.mark.parametrize("published_meanwhile", [0, 1, 3, 5, 9])
async def test_what_is_published_while_loading_is_there_once(
    published_meanwhile: int, committed_before_the_read: bool
) -> None:
    log = HeldHistory(7)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    news = [message(8 + number) for number in range(published_meanwhile)]
    if committed_before_the_read:
        log.stored += news
    log.released = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await log.reading.wait()
        for new in news:
            publish(timelines, new)
        log.released.set()
    last = 7 + published_meanwhile
    assert shown(timelines)["messages"] == list(range(last - 4, last + 1))
    assert shown(timelines)["lastSeq"] == last
    assert shown(timelines)["firstSeq"] == 1


async def test_what_is_committed_and_not_published_yet_is_not_shown() -> None:
    log = HeldHistory(7)
    timelines = make_timelines(log)
    eighth = log.store(8)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    assert shown(timelines)["messages"] == [3, 4, 5, 6, 7]
    publish(timelines, eighth)
    assert shown(timelines)["messages"] == [4, 5, 6, 7, 8]


async def test_a_read_that_fails_is_tried_again_by_the_next() -> None:
    log = HeldHistory(2)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    log.failing = True
    with pytest.raises(StoreReadFailed):
        await timelines.load(ROOM)
    log.failing = False
    await timelines.load(ROOM)
    assert shown(timelines)["messages"] == [1, 2]


async def test_a_room_whose_message_cannot_be_rendered_is_as_it_was() -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    log.stored[1] = attrs.evolve(log.stored[1], context=b"no document: <")
    for _ in range(2):
        with pytest.raises(orjson.JSONDecodeError):
            await timelines.load(ROOM)
    log.stored[1] = attrs.evolve(log.stored[1], context=None)
    await timelines.load(ROOM)
    assert shown(timelines)["messages"] == [1, 2, 3]


async def test_the_history_is_encoded_once_between_two_messages() -> None:
    timelines = make_timelines(HeldHistory(0))
    timelines.hold(ROOM)
    first = timelines.history(ROOM)
    assert timelines.history(ROOM) is first
    assert first.frame is first.frame
    publish(timelines, message(1))
    assert timelines.history(ROOM) is not first
    assert shown(timelines) == {
        "messages": [1],
        "hasMore": False,
        "firstSeq": 1,
        "lastSeq": 1,
        "lastRev": 0,
    }


async def test_a_recent_message_is_found_by_its_id_and_forgotten_with_its_room() -> None:
    timelines = make_timelines(HeldHistory(0), recent_max=2)
    timelines.hold(ROOM)
    messages = [message(seq) for seq in (1, 2, 3)]
    for new in messages:
        publish(timelines, new)
    assert timelines.find(messages[2].message_id, ["elsewhere", ROOM]) is messages[2]
    assert timelines.find(messages[0].message_id, [ROOM]) is None
    assert timelines.find(messages[2].message_id, ["elsewhere"]) is None


async def test_the_longest_idle_room_goes_first_and_held_ones_never() -> None:
    log = HeldHistory(0)
    timelines = Timelines({}, log, RENDERER, recent_max=5, idle_bytes_max=2 * TIMELINE_BYTES)
    for room in ("held", "a", "b", "c"):
        timelines.hold(room)
    timelines.hold("a")
    for room in ("a", "b", "c"):
        timelines.release(room)
    assert set(timelines._timelines) == {"held", "a", "b", "c"}, "a is held twice"
    timelines.release("a")
    assert set(timelines._timelines) == {"held", "c", "a"}
    timelines.hold("c")
    timelines.release("c")
    timelines.hold("d")
    timelines.release("d")
    assert set(timelines._timelines) == {"held", "c", "d"}


@pytest.mark.parametrize("idle_bytes_max", [0, 1_000_000])
async def test_who_leaves_while_a_room_is_loaded_leaves_the_books_in_order(
    idle_bytes_max: int,
) -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log, idle_bytes_max=idle_bytes_max)
    log.released = trio.Event()
    async with trio.open_nursery() as nursery:
        timelines.hold(ROOM)
        nursery.start_soon(timelines.load, ROOM)
        await log.reading.wait()
        publish(timelines, log.store(4))
        timelines.release(ROOM)
        publish(timelines, log.store(5))
        log.released.set()
    assert timelines._idle_bytes == sum(feed.size for feed in timelines._idle.values())
    timelines.hold("other")
    timelines.release("other")
    assert timelines._idle_bytes == sum(feed.size for feed in timelines._idle.values())


async def test_a_room_that_was_let_go_is_loaded_again() -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log, idle_bytes_max=0)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    timelines.release(ROOM)
    publish(timelines, log.store(4))
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    assert shown(timelines)["messages"] == [1, 2, 3, 4]


async def test_what_is_removed_while_a_room_is_read_is_not_shown() -> None:
    log = HeldHistory(4)
    log.released = trio.Event()
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await log.reading.wait()
        timelines.forget(ROOM, 4)
        log.released.set()
    assert shown(timelines) == {
        "messages": [4],
        "hasMore": False,
        "firstSeq": 4,
        "lastSeq": 4,
        "lastRev": 0,
    }


async def test_a_room_whose_messages_were_all_removed_begins_where_it_goes_on() -> None:
    log = HeldHistory(2)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    timelines.forget(ROOM, 3)
    assert shown(timelines) == {
        "messages": [],
        "hasMore": False,
        "firstSeq": 0,
        "lastSeq": 2,
        "lastRev": 0,
    }
    publish(timelines, message(3))
    assert shown(timelines) == {
        "messages": [3],
        "hasMore": False,
        "firstSeq": 3,
        "lastSeq": 3,
        "lastRev": 0,
    }


async def test_what_is_skipped_takes_with_it_what_is_older() -> None:
    log = HeldHistory(2)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    publish(timelines, message(5))  # retention was faster with 3 and 4
    assert shown(timelines) == {
        "messages": [5],
        "hasMore": False,
        "firstSeq": 5,
        "lastSeq": 5,
        "lastRev": 0,
    }
    timelines.skip_to(ROOM, Place(7, 2))
    timelines.skip_to(ROOM, Place(6, 1))  # no way back
    assert shown(timelines) == {
        "messages": [],
        "hasMore": False,
        "firstSeq": 0,
        "lastSeq": 7,
        "lastRev": 2,
    }


def body_bytes(timelines: Timelines) -> int:
    return len(timelines.render(message(1)))


async def test_a_joiner_is_shown_so_many_bytes_and_that_there_is_more() -> None:
    log = HeldHistory(4)
    bound = body_bytes(make_timelines(log)) * 5 // 2
    timelines = make_timelines(log, recent_bytes_max=bound)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    assert shown(timelines) == {
        "messages": [3, 4],
        "hasMore": True,
        "firstSeq": 1,
        "lastSeq": 4,
        "lastRev": 0,
    }
    publish(timelines, log.store(5))
    assert shown(timelines)["messages"] == [4, 5]
    assert timelines.recent_from(ROOM) == 4
    assert set(timelines._timelines[ROOM].by_id) == {one.message_id for one in log.stored[3:]}
    publish(timelines, message(6, content="x" * bound))
    assert shown(timelines) == {
        "messages": [6],
        "hasMore": True,
        "firstSeq": 1,
        "lastSeq": 6,
        "lastRev": 0,
    }


@pytest.mark.parametrize("room_for", range(1, 10))
@pytest.mark.parametrize("published_meanwhile", range(4))
@pytest.mark.parametrize("bulky", range(4))
async def test_what_went_again_while_a_room_is_loaded_leaves_no_hole(
    room_for: int, published_meanwhile: int, bulky: int
) -> None:
    log = HeldHistory(4)
    bound = body_bytes(make_timelines(log)) * room_for
    timelines = make_timelines(log, recent_bytes_max=bound)
    timelines.hold(ROOM)
    log.released = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await log.reading.wait()
        for number in range(published_meanwhile):
            content = "x" * (bound * 2 // 3) if number == bulky else "x"
            publish(timelines, message(5 + number, content=content))
        log.released.set()
    last = 4 + published_meanwhile
    messages = shown(timelines)["messages"]
    assert isinstance(messages, list)
    assert messages == list(range(messages[0], last + 1))
    assert timelines._timelines[ROOM].size == TIMELINE_BYTES + sum(
        len(body) for _, body in timelines._timelines[ROOM].recent
    )


def bodies(timelines: Timelines) -> list[dict[str, object]]:
    packet = orjson.loads(timelines.history(ROOM).text[2:])
    return packet[1]["messages"]  # type: ignore[no-any-return]


def change(timelines: Timelines, made: Change) -> None:
    timelines.change(made, timelines.render_change(made))


async def test_a_changed_message_lies_there_as_it_is_and_delivered_as_it_was() -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    timelines.confirm(ROOM, 2)
    edit = edited(log.stored[1], "other", 1)
    change(timelines, edit)
    assert [(one["content"], one["status"]) for one in bodies(timelines)][1] == (
        "other",
        "delivered",
    )
    change(timelines, deleted(log.stored[2], 2))
    timelines.confirm(ROOM, 3)
    assert [(one.get("deletedAt"), one["status"]) for one in bodies(timelines)][2] == (
        NOW_MS,
        "delivered",
    )
    assert timelines.last_rev(ROOM) == 2
    assert timelines.find(edit.message.message_id, [ROOM]) == edit.message
    packet = orjson.loads(timelines.history(ROOM).text[2:])
    assert packet[1]["lastRev"] == 2


async def test_a_change_while_a_room_is_loaded_is_in_what_was_read_before() -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    log.released = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await log.reading.wait()
        change(timelines, edited(log.stored[0], "other", 1))
        log.released.set()
    assert next(one["content"] for one in bodies(timelines)) == "other"


async def test_what_was_read_as_of_a_newer_change_is_not_put_back() -> None:
    log = HeldHistory(1)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    before = log.stored[0]
    log.stored[0] = edited(before, "newer", 2).message
    log.released = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await log.reading.wait()
        change(timelines, edited(before, "older", 1))
        log.released.set()
    assert [one["content"] for one in bodies(timelines)] == ["newer"]


async def test_an_edit_that_makes_a_room_too_large_lets_the_oldest_go() -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log, recent_bytes_max=1_000)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    assert len(bodies(timelines)) == 3
    change(timelines, edited(log.stored[2], "x" * 900, 1))
    assert [one["seq"] for one in bodies(timelines)] == [3]
    change(timelines, edited(log.stored[2], "x" * 2_000, 2))
    assert [one["seq"] for one in bodies(timelines)] == [3], "the newest stays"


async def test_changes_are_kept_for_those_who_catch_up_and_for_nobody_else() -> None:
    log = HeldHistory(1)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    made = [edited(log.stored[0], f"text {rev}", rev) for rev in range(1, CHANGES_KEPT + 3)]
    for one in made:
        change(timelines, one)
    assert timelines.changes_after(ROOM, 1) is None
    kept = timelines.changes_after(ROOM, 2)
    assert kept is not None
    assert len(kept) == CHANGES_KEPT
    assert kept[-1] == (1, kept[-1][1])
    assert timelines.changes_after(ROOM, len(made)) == []
    timelines.release(ROOM)
    timelines.hold(ROOM)
    assert timelines.changes_after(ROOM, len(made) - 1) is None
    assert timelines.changes_after(ROOM, len(made)) == []


async def test_long_changes_are_kept_up_to_so_many_bytes() -> None:
    log = HeldHistory(1)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    long = "x" * (CHANGES_BYTES // 4)
    for rev in range(1, 10):
        change(timelines, edited(log.stored[0], f"{long} {rev}", rev))
    kept = timelines.changes_after(ROOM, 6)
    assert kept is not None
    assert sum(packet.size for _, packet in kept) <= CHANGES_BYTES
    assert timelines.changes_after(ROOM, 5) is None, "it is read"
    change(timelines, edited(log.stored[0], 5 * long, 10))
    assert timelines.changes_after(ROOM, 9) is None, "one that is too long for all is read as well"
    change(timelines, edited(log.stored[0], "short", 11))
    assert len(timelines.changes_after(ROOM, 10) or ()) == 1


async def test_a_room_that_nobody_is_in_keeps_no_encoded_history() -> None:
    log = HeldHistory(3)
    timelines = make_timelines(log)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    timelines.history(ROOM, 1)
    timelines.release(ROOM)
    assert timelines._timelines[ROOM].history is None
    timelines.hold(ROOM)
    assert shown(timelines)["messages"] == [1, 2, 3]


async def test_receipts_that_a_room_remembers_are_bounded() -> None:
    log = HeldHistory(0)
    timelines = make_timelines(log, recent_max=3)
    timelines.hold(ROOM)
    for seq in range(1, 50):
        publish(timelines, log.store(seq))
        timelines.confirm(ROOM, seq)
    assert len(timelines._timelines[ROOM].delivered) <= 7
    assert [one["status"] for one in bodies(timelines)] == ["delivered"] * 3
