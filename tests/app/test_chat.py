"""Two people chat, the daemon is killed, and nothing is lost."""

import uuid

import trio

from tests.app.client import Client, message, token_for
from tests.app.daemon import NO_LIMITS, House


async def test_a_conversation_is_the_same_after_a_kill(house: House, nursery: trio.Nursery) -> None:
    daemon = await house.start()
    tokens = {user: token_for(house.secret, user) for user in ("alice", "bob")}
    alice = await Client.connect(nursery, daemon.port, tokens["alice"])
    bob = await Client.connect(nursery, daemon.port, tokens["bob"], connectionId="demo")
    before = await bob.hear("connection:status", status="connected")
    assert (await bob.hear("chat:history"))["messages"] == []

    first = message("Hello, Bob: is  a<b  in the index? \u2713")
    acked = await alice.ask("chat:message", first)
    assert acked["ok"]
    assert (acked["messageId"], acked["connectionId"], acked["seq"]) == (
        first["messageId"],
        "demo",
        1,
    )
    sent = await alice.hear("chat:message:sent", messageId=first["messageId"])
    assert {**sent, "ok": True, "question": False} == acked
    for client in (alice, bob):
        told = await client.hear("chat:message", messageId=first["messageId"])
        assert (told["userId"], told["seq"], told["timestamp"]) == ("alice", 1, acked["timestamp"])
    assert (await bob.say("Yes."))["seq"] == 2
    await alice.hear("chat:message", seq=2, content="Yes.", userId="bob")
    lived = await alice.whole_room()
    assert [shown["seq"] for shown in lived] == [1, 2]

    await daemon.kill()
    await alice.gone()
    again = await house.start()
    recovered = await again.event("store.recovered")
    assert (recovered["rooms"], recovered["messages"]) == (1, 2)

    alice = await Client.connect(nursery, again.port, tokens["alice"], reconnectAttempts=1)
    after = await alice.hear("connection:status", status="connected")
    assert after["epoch"] == before["epoch"]
    assert after["reconnectAttempts"] == 1
    assert after["rooms"][0]["lastSeq"] == 2
    history = await alice.hear("chat:history", connectionId="demo")
    assert (history["messages"], history["firstSeq"], history["lastSeq"]) == (lived, 1, 2)
    assert await alice.whole_room() == lived

    retried = await alice.ask("chat:message", first)
    assert retried == {**acked, "duplicate": True}
    conflict = await alice.say("something else", message_id=first["messageId"].upper())
    assert conflict["error"]["code"] == "message_id_conflict"
    assert (await alice.say("third"))["seq"] == 3
    await alice.hear("chat:message", seq=3)
    assert len(alice.said("chat:message")) == 1


async def test_pages_of_history_are_dense_from_both_ends(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=NO_LIMITS)
    token = token_for(house.secret, "alice")
    alice = await Client.connect(nursery, daemon.port, token)
    for number in range(1, 121):
        await alice.emit("chat:message", message(f"number {number}"))
    await alice.hear("chat:message", seq=120)
    await daemon.kill()
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token)
    joined = await alice.hear("chat:history")
    assert [shown["seq"] for shown in joined["messages"]] == list(range(71, 121))
    assert joined["hasMore"]
    page = await alice.ask("chat:history:get", {"connectionId": "demo", "before": 71})
    assert [shown["seq"] for shown in page["messages"]] == list(range(21, 71))
    assert page["hasMore"]
    page = await alice.ask("chat:history:get", {"connectionId": "demo", "before": 21, "limit": 50})
    assert [shown["content"] for shown in page["messages"]] == [
        f"number {number}" for number in range(1, 21)
    ]
    assert not page["hasMore"]
    assert (page["firstSeq"], page["lastSeq"]) == (1, 120)
    assert (await alice.ask("connection:join", {"connectionId": "demo"}))["lastSeq"] == 120


async def test_nobody_reads_or_writes_a_room_that_the_token_does_not_list(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice", ["sales"]))
    eve = await Client.connect(nursery, daemon.port, token_for(house.secret, "eve", ["other"]))
    assert (await alice.say("secret", "sales"))["ok"]
    for event, payload in (
        ("connection:join", {"connectionId": "sales"}),
        ("chat:history:get", {"connectionId": "sales"}),
        ("chat:message", message("let me in", "sales", str(uuid.uuid4()))),
    ):
        refused = await eve.ask(event, payload)
        assert refused["error"]["code"] == "forbidden_room", event
    assert (await alice.whole_room("sales"))[-1]["seq"] == 1
    assert "secret" not in str(eve.heard)
