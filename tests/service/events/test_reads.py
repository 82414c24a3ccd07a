"""Up to where users have read, and whom messages mention, as clients on several devices see it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chatd.chat.reading import Lack, Stretch
from chatd.service import commands, machine_readings
from chatd.store import CommitFailed, StoreReadFailed
from chatd.wire.codes import Code
from tests.service.chats import NO_ROOM, ROOM, Chat, ChatPeer, message, open_chat
from tests.service.test_catch_up_of_clients import FREE, all_told, come, go, write

STOCK = "stock"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No marker waits for a commit to share."""
    monkeypatch.setattr(commands, "MARKERS_WAIT_S", 0.0)


async def read_up_to(peer: ChatPeer, seq: object, room: str = ROOM) -> Any:
    return await peer.call("chat:read", {"connectionId": room, "seq": seq})


def stand(read_seq: int, unread: int, mentions: int = 0, room: str = ROOM) -> dict[str, Any]:
    return {
        "connectionId": room,
        "readSeq": read_seq,
        "unread": unread,
        "mentions": mentions,
    }


async def told_at_connect(
    chat: Chat, user_id: str, rooms: Sequence[str] = (ROOM,), **auth: object
) -> list[dict[str, Any]]:
    """Where a user stands in its rooms, as it is told when it connects, and goes again."""
    peer, status = await come(chat, user_id, rooms, connectionId=NO_ROOM, **auth)
    await go(peer)
    return [
        stand(it["readSeq"], it["unread"], it["mentions"], it["connectionId"])
        for it in status["rooms"]
    ]


async def test_a_marker_is_told_by_the_ack_and_to_the_users_other_sockets(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada = await chat.enter("ada")
        phone, laptop = await chat.enter("bob"), await chat.enter("bob")
        other, _ = await come(chat, "bob", (STOCK,))
        elsewhere, _ = await come(chat, "bob", connectionId=NO_ROOM)
        await write(ada, 5)
        assert await read_up_to(phone, 3) == {"ok": True, **stand(3, 2)}
        for peer in (laptop, elsewhere):
            assert await peer.until("chat:read") == stand(3, 2)
        assert "chat:read" not in [name for name, _ in await all_told(other)]
        for peer in (ada, phone):
            assert "chat:read" not in [name for name, _ in await all_told(peer)]


async def test_a_marker_that_does_not_move_is_answered_and_told_to_nobody(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, phone, laptop = [await chat.enter(user) for user in ("ada", "bob", "bob")]
        await write(ada, 4)
        assert await read_up_to(phone, 99) == {"ok": True, **stand(4, 0)}
        assert await laptop.until("chat:read") == stand(4, 0)
        position = chat.store.reread().position
        for seq in (4, 2, 0, 1_000):
            assert await read_up_to(laptop, seq) == {"ok": True, **stand(4, 0)}
        assert chat.store.reread().position == position
        assert "chat:read" not in [name for name, _ in await all_told(phone)]


async def test_who_comes_is_told_where_it_stands(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada", (ROOM, STOCK)), await chat.enter("bob", (ROOM,))
        await write(ada, 3)
        await bob.say(message("mine"))
        await write(ada, 2)
        await read_up_to(bob, 2)
        assert await told_at_connect(chat, "bob") == [stand(2, 3)]
        assert await told_at_connect(chat, "ada", (ROOM, STOCK)) == [
            stand(0, 1),
            stand(0, 0, room=STOCK),
        ]
        # Who was never a member has read what is there, and so has who becomes one.
        assert await told_at_connect(chat, "cyd") == [stand(6, 0)]
        await chat.enter("cyd")
        await write(ada, 1)
        assert await told_at_connect(chat, "cyd") == [stand(6, 1)]


async def test_a_room_can_be_read_up_to_without_being_there(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await write(ada, 2)
        await go(bob)
        bob, _ = await come(chat, connectionId=NO_ROOM)
        assert await read_up_to(bob, 1) == {"ok": True, **stand(1, 1)}
        cyd, _ = await come(chat, "cyd", connectionId=NO_ROOM)
        assert await read_up_to(cyd, 1) == {"ok": True, **stand(2, 0)}
        assert chat.store.reread().read_seqs == {ROOM: {"ada": 0, "bob": 1}}


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        ({"connectionId": ROOM, "seq": -1}, "invalid_payload", "seq"),
        ({"connectionId": ROOM, "seq": 2**53}, "invalid_payload", "seq"),
        ({"connectionId": ROOM, "seq": "1"}, "invalid_payload", "seq"),
        ({"connectionId": ROOM, "seq": 1.5}, "invalid_payload", "seq"),
        ({"connectionId": ROOM}, "invalid_payload", "seq"),
        ({"seq": 1}, "invalid_payload", "connectionId"),
        ({"connectionId": STOCK, "seq": 1}, "forbidden_room", "connectionId"),
    ],
)
async def test_what_is_no_marker_is_refused(
    tmp_path: Path, payload: dict[str, object], code: str, path: str
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada = await chat.enter("ada")
        ack = await ada.call("chat:read", payload)
        assert (ack["error"]["code"], ack["error"]["path"]) == (code, path)


async def test_markers_count_as_events_of_the_socket(tmp_path: Path) -> None:
    limits = {**FREE, "socket_events_per_minute": 60}
    async with open_chat(tmp_path, limits=limits) as chat:
        ada = await chat.enter("ada")
        acks = [await read_up_to(ada, 0) for _ in range(80)]
        assert [ack["error"]["code"] for ack in acks if not ack["ok"]][:1] == ["rate_limited"]


async def test_a_marker_that_the_disk_does_not_take_has_not_moved(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await write(ada, 2)
        chat.log.failure = CommitFailed(Code.STORAGE_FULL, "full")
        ack = await read_up_to(bob, 1)
        assert ack["error"]["code"] == "storage_full"
        chat.log.failure = None
        assert await told_at_connect(chat, "bob") == [stand(0, 2)]
        assert await read_up_to(bob, 1) == {"ok": True, **stand(1, 1)}


async def test_an_acknowledgement_moves_no_marker(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        ids = await write(ada, 3)
        assert await bob.call("chat:ack", {"messageId": ids[-1], "upTo": True}) == {"ok": True}
        assert await told_at_connect(chat, "bob") == [stand(0, 3)]


@pytest.mark.parametrize("is_snapshot_written", [True, False])
async def test_markers_counts_and_names_outlive_a_restart(
    tmp_path: Path, is_snapshot_written: bool
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada = await chat.enter("ada")
        bob = await chat.enter("bob", name="Bob Smith")
        await write(ada, 3)
        await ada.say(message("@bob smith, look"))
        await bob.say(message("mine"))
        await read_up_to(bob, 1)
        if is_snapshot_written:
            await chat.parts.maintenance.snapshots.write()
        await read_up_to(bob, 2)
    async with open_chat(tmp_path, limits=FREE) as chat:
        assert (chat.store.snapshot is not None) is is_snapshot_written
        assert await told_at_connect(chat, "bob") == [stand(2, 2, 1)]
        ada = await chat.enter("ada")
        await ada.say(message("and @Bob Smith again"))
        assert await told_at_connect(chat, "bob") == [stand(2, 3, 2)]
        bob = await chat.enter("bob")
        assert await read_up_to(bob, 4) == {"ok": True, **stand(4, 1, 1)}


async def test_what_is_lacking_is_read_once_for_all_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, *_ = [await chat.enter(user) for user in ("ada", "bob", "cyd")]
        await write(ada, 9)
    async with open_chat(tmp_path, limits=FREE) as chat:
        reads: list[list[Lack]] = []
        read = chat.store.readers.stretches

        async def stretches(lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
            reads.append(list(lacks))
            return await read(lacks)

        monkeypatch.setattr(chat.store.readers, "stretches", stretches)
        assert await told_at_connect(chat, "dan") == [stand(9, 0)]
        assert reads == []
        assert await told_at_connect(chat, "bob") == [stand(0, 9)]
        assert await told_at_connect(chat, "cyd") == [stand(0, 9)]
        assert await told_at_connect(chat, "ada") == [stand(0, 0)]
        cyd = await chat.enter("cyd")
        assert await read_up_to(cyd, 3) == {"ok": True, **stand(3, 6)}
        assert [[(lack.first_seq, lack.last_seq) for lack in lacks] for lacks in reads] == [
            [(1, 9)]
        ]


async def test_a_marker_that_reads_all_reads_nothing_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await write(ada, 9)
        await read_up_to(bob, 9)
        bob = await chat.enter("bob")
        await write(ada, 2)
    async with open_chat(tmp_path, limits=FREE) as chat:
        bob = await chat.enter("bob", connectionId=NO_ROOM, rooms=())
        bob = await chat.enter("bob")

        async def stretches(lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
            raise StoreReadFailed("not to be read")

        monkeypatch.setattr(chat.store.readers, "stretches", stretches)
        assert await read_up_to(bob, 11) == {"ok": True, **stand(11, 0)}


@pytest.mark.parametrize("trouble", ["disk", "time"])
async def test_what_cannot_be_read_counts_as_messages_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        bob = await chat.enter("bob")
        await write(bob, 4)
    async with open_chat(tmp_path, limits=FREE) as chat:

        async def stretches(lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
            raise StoreReadFailed("broken")

        if trouble == "disk":
            monkeypatch.setattr(chat.store.readers, "stretches", stretches)
        else:
            chat.parts.messages.readings._learn_s = 0.0
        assert await told_at_connect(chat, "bob") == [stand(0, 4)]
        bob = await chat.enter("bob")
        assert await read_up_to(bob, 1) == {"ok": True, **stand(1, 3)}


async def test_many_rooms_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_readings, "ROOMS_PER_READ", 2)
    rooms = [f"room {n}" for n in range(5)]
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, _ = await chat.enter("ada", rooms), await chat.enter("bob", rooms)
        for room in rooms:
            await ada.say(message("hello", room=room))
    async with open_chat(tmp_path, limits=FREE) as chat:
        assert await told_at_connect(chat, "bob", rooms) == [
            stand(0, 1, room=room) for room in rooms
        ]


async def test_a_membership_that_ended_takes_its_marker_along(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob", (ROOM, STOCK))
        await write(ada, 2)
        await go(bob)
        bob = await chat.enter("bob", (STOCK,))
        assert await told_at_connect(chat, "bob") == [stand(2, 0)]
        await write(ada, 1)
        await chat.enter("bob", (ROOM,))
        await write(ada, 1)
        assert await told_at_connect(chat, "bob") == [stand(3, 1)]


async def test_an_actor_that_begins_again_knows_markers_and_names(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob", name="Bob Smith")
        await write(ada, 3)
        await read_up_to(bob, 2)
        recovered = chat.store.reread()
        chat.parts.messages.machine.restore(
            recovered.rooms,
            recovered.members,
            recovered.position,
            recovered.open_answers,
            recovered.revs,
            recovered.read_seqs,
            recovered.names,
        )
        assert await read_up_to(bob, 0) == {"ok": True, **stand(2, 1)}
        await ada.say(message("@Bob Smith"))
        assert await read_up_to(bob, 0) == {"ok": True, **stand(2, 2, 1)}


# Mentions


async def test_a_mention_is_told_live_and_in_each_copy_of_the_message(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"history_on_join": 1}) as chat:
        ada, bob = await chat.enter("ada", name="Ada"), await chat.enter("bob", name="Bob Smith")
        cyd = await chat.enter("cyd", name="Bob Smith")
        await go(cyd)
        sent = message("@bob smith and @ada, see `@ada`")
        await ada.say(sent)
        users = ["bob", "cyd", "ada"]
        assert (await bob.until("chat:message"))["mentions"] == users
        await ada.say(message("nobody@bob"))
        assert "mentions" not in await bob.until("chat:message")
        page = await bob.call("chat:history:get", {"connectionId": ROOM})
        assert [one.get("mentions") for one in page["messages"]] == [users, None]
        [hit] = (await bob.call("chat:search", {"query": "see"}))["hits"]
        assert hit["message"]["mentions"] == users
        cyd, status = await come(chat, "cyd")
        assert status["rooms"][0]["mentions"] == 1
        told = [payload for name, payload in await all_told(cyd) if name == "chat:message"]
        assert [one.get("mentions") for one in told] == [users]
        # Sent again, it is the same message.
        assert (await ada.call("chat:message", sent))["duplicate"] is True


async def test_a_mention_counts_until_it_is_read(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        for content in ("@bob", "hello", "@bob @ada", "bob"):
            await ada.say(message(content))
        await bob.say(message("@bob"))
        assert await told_at_connect(chat, "bob") == [stand(0, 4, 2)]
        assert await told_at_connect(chat, "ada") == [stand(0, 1, 0)]
        assert await read_up_to(bob, 1) == {"ok": True, **stand(1, 3, 1)}
        assert await read_up_to(bob, 3) == {"ok": True, **stand(3, 1, 0)}


@pytest.mark.parametrize(
    "content",
    [
        "SELECT @bob",
        "select @bob;",
        "SELECT id FROM people WHERE name = @bob",
        "select * from t where tags @> '{@bob}'",
        "SELECT @@bob, 'a@bob'",
        "/describe @bob",
        "```sql\nSELECT @bob\n```",
        "see ```\n@bob\n```",
        "-- for @bob\nSELECT count(*) FROM orders WHERE id = 1",
    ],
)
async def test_statements_and_code_mention_nobody(tmp_path: Path, content: str) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ada.say(message(content))
        assert "mentions" not in await bob.until("chat:message")


@pytest.mark.parametrize(
    "content", ["with @bob we can do it", "select one, @bob", "@bob: SELECT 1 works", "/me @bob"]
)
async def test_talk_that_begins_like_a_statement_mentions(tmp_path: Path, content: str) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ada.say(message(content))
        assert (await bob.until("chat:message"))["mentions"] == ["bob"]


async def test_a_name_that_was_renewed_is_known_from_then_on(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob", name="Bob")
        await chat.enter("bob", name="Robert")
        await ada.say(message("@robert"))
        assert (await bob.until("chat:message"))["mentions"] == ["bob"]
        await ada.say(message("@bob"))
        assert (await bob.until("chat:message"))["mentions"] == ["bob"]
        assert chat.store.reread().names == {ROOM: {"bob": "Robert"}}


async def test_an_edit_mentions_anew_and_what_was_deleted_counts_no_more(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob, cyd = [await chat.enter(user) for user in ("ada", "bob", "cyd")]
        sent = message("@bob")
        place = {"messageId": sent["messageId"], "connectionId": ROOM}
        await ada.say(sent)
        await ada.call("chat:message:edit", {**place, "content": "@cyd"})
        assert (await bob.until("chat:message:edited"))["mentions"] == ["cyd"]
        assert await read_up_to(bob, 0) == {"ok": True, **stand(0, 1, 0)}
        assert await read_up_to(cyd, 0) == {"ok": True, **stand(0, 1, 1)}
        await ada.call("chat:message:edit", {**place, "content": "nobody"})
        assert "mentions" not in await bob.until("chat:message:edited")
        assert await read_up_to(cyd, 0) == {"ok": True, **stand(0, 1, 0)}
        await ada.call("chat:message:edit", {**place, "content": "@bob @cyd"})
        await ada.call("chat:message:delete", place)
        for peer in (bob, cyd):
            assert await read_up_to(peer, 0) == {"ok": True, **stand(0, 0, 0)}
    async with open_chat(tmp_path, limits=FREE) as chat:
        assert await told_at_connect(chat, "bob") == [stand(0, 0, 0)]
        page = await (await chat.enter("bob")).call("chat:history:get", {"connectionId": ROOM})
        assert "mentions" not in page["messages"][0]


async def test_what_retention_removed_is_not_unread(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": 2}) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ada.say(message("@bob"))
        await write(ada, 3)
        await chat.parts.maintenance.upkeep._removals[0].run()
        assert await told_at_connect(chat, "bob") == [stand(0, 2)]
        assert await read_up_to(bob, 1) == {"ok": True, **stand(1, 2)}
    async with open_chat(tmp_path, limits=FREE) as chat:
        assert await told_at_connect(chat, "bob") == [stand(1, 2)]


async def test_a_marker_waits_for_a_commit_to_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MARKERS_WAIT_S", 1e9)
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await write(ada, 2)
        ack_id = await bob.ask("chat:read", {"connectionId": ROOM, "seq": 2})
        assert ack_id not in [name for name, _ in await all_told(bob)]
        await write(ada, 1)
        assert await bob.until(ack_id) == {"ok": True, **stand(2, 1)}
