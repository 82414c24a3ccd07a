"""Messages from the wire to the log and back to the room (docs/protocol, "Messages")."""

from pathlib import Path
from uuid import uuid4

import pytest

from chatd.observe import MessageRefused
from chatd.store import CommitFailed, RecordRefused
from chatd.wire.codes import Code
from tests.net.peers import BINARY, frame
from tests.service.chats import NO_ROOM, Chat, ChatPeer, in_no_room, message, open_chat, token
from tests.store.logs import last_page


async def test_a_message_is_confirmed_to_its_sender_and_told_to_all_of_the_room(
    chat: Chat,
) -> None:
    ada, grace = await chat.enter("ada", name="Ada"), await chat.enter("grace")
    stranger = await chat.enter("mallory", ["stock"])
    said = message(context={"schema": "public", "tables": ["orders"]})
    ack_id = await ada.ask("chat:message", said)
    sent = await ada.expect("chat:message:sent")
    assert sent == {
        "messageId": said["messageId"],
        "timestamp": sent["timestamp"],
        "connectionId": "sales",
        "seq": 1,
    }
    assert await ada.expect(ack_id) == {"ok": True, "question": False, **sent}
    told = await ada.expect("chat:message")
    assert told == {**said, "userId": "ada", "name": "Ada", "status": "sent", "seq": 1} | {
        "timestamp": sent["timestamp"]
    }
    assert await grace.expect("chat:message") == told
    await stranger.quiet()
    page = await last_page(chat.store.readers, "sales", 10)
    assert [stored.message_id for stored in page.messages] == [said["messageId"]]


async def test_a_retry_is_told_the_original_and_nobody_else_hears_of_it(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    said = message()
    first = await ada.call("chat:message", said)
    await ada.expect("chat:message")
    upper = {**said, "messageId": str(said["messageId"]).upper()}
    for retry in (said, upper, {**said, "context": None}):
        ack = await ada.call("chat:message", retry)
        assert ack == {**first, "duplicate": True}
    await ada.quiet()
    await grace.expect("chat:message")
    await grace.quiet()


async def test_one_id_has_one_spelling_however_it_was_written(chat: Chat) -> None:
    """The ack repeated it as written, and all else had it in lower case."""
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    opener, reply = message(), message()
    ids = {"O": str(opener["messageId"]), "R": str(reply["messageId"])}
    for said, thread in ((opener, {}), (reply, {"threadId": ids["O"].upper()})):
        written = {**said, **thread, "messageId": str(said["messageId"]).upper()}
        ack_id = await ada.ask("chat:message", written)
        sent, ack = await ada.expect("chat:message:sent"), await ada.expect(ack_id)
        own, other = await ada.expect("chat:message"), await grace.until("chat:message")
        assert {it["messageId"] for it in (sent, ack, own, other)} == {said["messageId"]}
        assert own.get("threadId") == (ids["O"] if thread else None)
        conflict = await grace.call("chat:message", {**written, "content": "another"})
        assert conflict["error"]["code"] == "message_id_conflict"
    await grace.call("chat:ack", {"messageId": ids["R"].upper()})
    assert (await ada.until("chat:message:status"))["messageId"] == ids["R"]
    for wrong in ({"content": ""}, {"connectionId": 1}, {"connectionId": "none of mine"}):
        await ada.emit("chat:message", {**opener, **wrong, "messageId": ids["O"].upper()})
        assert (await ada.until("chat:message:error"))["messageId"] == ids["O"]
    page = await ada.call("chat:history:get", {"connectionId": "sales"})
    assert [it["messageId"] for it in page["messages"]] == list(ids.values())


async def test_a_messageid_of_another_message_is_a_conflict(chat: Chat) -> None:
    ada, grace = await chat.enter("ada", ["sales", "stock"]), await chat.enter("grace")
    said = message()
    await ada.call("chat:message", said)
    for peer, other in [
        (ada, {**said, "content": "Something else?"}),
        (ada, {**said, "connectionId": "stock"}),
        (ada, {**said, "context": {"schema": "public"}}),
        (grace, said),
    ]:
        ack_id = await peer.ask("chat:message", other)
        ack = await peer.until(ack_id)
        assert ack["error"]["code"] == "message_id_conflict"
        error = await peer.expect("chat:message:error")
        assert (error["code"], error["retryable"]) == ("message_id_conflict", False)


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        (None, "invalid_payload", None),
        ([], "invalid_payload", None),
        ("text", "invalid_payload", None),
        ({}, "invalid_payload", "messageId"),
        (message(content=1), "invalid_payload", "content"),  # type: ignore[arg-type]
        (message(context={"tables": ["a", 2]}), "invalid_payload", "context.tables[1]"),
        (message(context={"config": {"readOnly": "no"}}), "invalid_payload", None),
        (message(message_id="not a uuid"), "invalid_message_id", "messageId"),
        (message(content=""), "content_empty", "content"),
        (message(content=" \n\t "), "content_empty", "content"),
        (message(content="x" * 10_001), "content_too_long", "content"),
        (message(content="a\0b"), "invalid_payload", "content"),
        (message(room="secret"), "forbidden_room", "connectionId"),
        (message(threadId="not a uuid"), "unknown_thread", "threadId"),
        (message(threadId=str(uuid4())), "unknown_thread", "threadId"),
    ],
)
async def test_a_message_that_is_no_good_is_refused_by_ack_and_event(
    chat: Chat, payload: object, code: str, path: str | None
) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    ack_id = await ada.ask("chat:message", payload)
    ack = await ada.expect(ack_id)
    assert ack["ok"] is False
    assert ack["error"]["code"] == code
    if path is not None:
        assert ack["error"]["path"] == path
    error = await ada.expect("chat:message:error")
    written = payload.get("messageId") if isinstance(payload, dict) else None
    assert error == {
        "messageId": written,
        "error": ack["error"]["message"],
        "code": code,
        "retryable": False,
        **({"path": ack["error"]["path"]} if "path" in ack["error"] else {}),
    }
    assert [event.code for event in chat.recorder.of(MessageRefused)] == [code]
    await grace.quiet()


async def test_a_message_without_an_ack_is_refused_by_the_event_alone(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.emit("chat:message", message(content=""))
    assert (await ada.expect("chat:message:error"))["code"] == "content_empty"
    await ada.quiet()


async def test_bytes_in_a_payload_are_refused_and_the_session_goes_on(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.peer.send('451-["chat:message",{"_placeholder":true,"num":0}]')
    await ada.peer.stream.send_all(frame(BINARY, b"\0\xff"))
    assert (await ada.expect("chat:message:error"))["code"] == "invalid_payload"
    await ada.peer.send('451-["chat:message",{"content":{"_placeholder":true,"num":0}}]')
    await ada.peer.stream.send_all(frame(BINARY, b"\0\xff"))
    assert (await ada.expect("chat:message:error"))["code"] == "invalid_payload"
    await ada.quiet()


async def test_a_lone_surrogate_is_refused_and_the_session_goes_on(chat: Chat) -> None:
    ada = await chat.enter()
    for field in ("messageId", "content", "connectionId"):
        fields = {"messageId": str(uuid4()), "content": "x", "connectionId": "sales"}
        fields[field] = "SURROGATE"
        text = str(fields).replace("'", '"').replace("SURROGATE", "\\ud800")
        await ada.peer.send(f'42["chat:message",{text}]')
        assert (await ada.expect("chat:message:error"))["code"] == "invalid_payload"
    await ada.quiet()


async def test_markup_is_opened_nowhere_and_kept_as_written_in_the_log(chat: Chat) -> None:
    ada = await chat.enter()
    content = "SELECT 1 WHERE a <b AND c <= 2 <script>"
    await ada.emit("chat:message", message(content))
    told = await ada.until("chat:message")
    assert told["content"] == "SELECT 1 WHERE a < b AND c <= 2 < script>"
    page = await last_page(chat.store.readers, "sales", 1)
    assert page.messages[0].content == content


async def test_a_message_to_a_room_not_joined_joins_it_first(chat: Chat) -> None:
    ada = await chat.enter("ada", ["sales"])
    grace = await chat.connect({"token": token("grace", ["sales"]), "connectionId": NO_ROOM})
    await in_no_room(grace)
    await ada.call("chat:message", message("before"))
    said = message("and now me")
    ack_id = await grace.ask("chat:message", said)
    history = await grace.expect("chat:history")
    assert [body["content"] for body in history["messages"]] == ["before"]
    await grace.expect("chat:message:sent")
    assert (await grace.expect(ack_id))["seq"] == 2
    assert (await grace.expect("chat:message"))["messageId"] == said["messageId"]


async def test_a_thread_is_opened_by_a_message_of_the_same_room(chat: Chat) -> None:
    ada = await chat.enter("ada", ["sales", "stock"])
    opener, elsewhere = message(), message(room="stock")
    await ada.call("chat:message", opener)
    await ada.call("chat:message", elsewhere)
    reply = message("In the thread", threadId=str(opener["messageId"]).upper())
    assert (await ada.call("chat:message", reply))["ok"] is True
    for thread_id in (reply["messageId"], elsewhere["messageId"]):
        ack = await ada.call("chat:message", message(threadId=thread_id))
        assert ack["error"]["code"] == "unknown_thread"
    page = await ada.call(
        "chat:history:get", {"connectionId": "sales", "threadId": opener["messageId"]}
    )
    assert [body["messageId"] for body in page["messages"]] == [reply["messageId"]]


async def test_a_thread_may_be_older_than_what_is_kept_in_memory(tmp_path: Path) -> None:
    async with open_chat(tmp_path, messages={"history_on_join": 1}) as chat:
        ada = await chat.enter()
        opener = message("the opener")
        await ada.call("chat:message", opener)
        await ada.call("chat:message", message("something between"))
        reply = message(threadId=opener["messageId"])
        assert (await ada.call("chat:message", reply))["seq"] == 3
        await ada.call("chat:message", message("something between"))
        again = await ada.call("chat:message", message(threadId=reply["messageId"]))
        assert again["error"]["code"] == "unknown_thread"


async def test_messages_of_one_segment_keep_their_order(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    said = [message(f"number {number}") for number in range(20)]
    for one in said:
        await ada.emit("chat:message", one)
    for seq, one in enumerate(said, 1):
        told = await grace.expect("chat:message")
        assert (told["seq"], told["content"]) == (seq, one["content"])


async def test_an_acknowledgement_is_kept(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    said = message()
    await ada.call("chat:message", said)
    assert await grace.call("chat:ack", {"messageId": said["messageId"]}) == {"ok": True}
    assert await grace.call("chat:ack", {"messageId": said["messageId"], "upTo": True}) == {
        "ok": True
    }
    page = await ada.call("chat:history:get", {"connectionId": "sales"})
    assert [one["status"] for one in page["messages"]] == ["delivered"]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "invalid_payload"),
        ({"messageId": "not a uuid"}, "invalid_message_id"),
        ({"messageId": str(uuid4())}, "not_found"),
        ({"messageId": str(uuid4()), "upTo": "yes"}, "invalid_payload"),
    ],
)
async def test_an_acknowledgement_of_nothing_is_refused(
    chat: Chat, payload: object, code: str
) -> None:
    ada = await chat.enter()
    ack = await ada.call("chat:ack", payload)
    assert ack["error"]["code"] == code
    error = await ada.expect("chat:error")
    assert (error["event"], error["code"]) == ("chat:ack", code)


async def test_a_message_of_a_room_that_one_may_not_use_is_not_found(chat: Chat) -> None:
    ada, mallory = await chat.enter("ada"), await chat.enter("mallory", ["stock"])
    said = message()
    await ada.call("chat:message", said)
    ack = await mallory.call("chat:ack", {"messageId": said["messageId"]})
    assert ack["error"]["code"] == "not_found"


@pytest.mark.parametrize("code", [Code.STORAGE_FULL, Code.STORAGE_ERROR])
async def test_what_the_disk_does_not_take_is_told_to_the_sender_and_to_nobody_else(
    chat: Chat, code: Code
) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    chat.log.failure = CommitFailed(code, "the disk is full")
    said = message()
    ack_id = await ada.ask("chat:message", said)
    ack = await ada.expect(ack_id)
    assert ack["error"]["code"] == code
    assert ack["error"]["retryable"] is True
    assert (await ada.expect("chat:message:error"))["code"] == code
    await grace.quiet()
    await ada.quiet()
    chat.log.failure = None
    assert (await ada.call("chat:message", said))["seq"] == 1
    await grace.expect("chat:message")


async def test_who_comes_while_the_disk_takes_nothing_reads_and_writes_once_it_does(
    chat: Chat,
) -> None:
    ada = await chat.enter("ada")
    await ada.say(message())
    chat.log.failure = CommitFailed(Code.STORAGE_FULL, "the disk is full")
    grace = await chat.connect({"token": token("grace", ["sales"])})
    await grace.packet()
    await grace.expect("connection:status")
    history = await grace.expect("chat:history")
    assert [one["seq"] for one in history["messages"]] == [1]
    assert (await grace.call("chat:message", message()))["error"]["code"] == "storage_full"
    chat.log.failure = None
    assert (await ada.say(message()))["seq"] == 2
    assert (await grace.until("chat:message"))["seq"] == 2
    assert (await grace.say(message()))["seq"] == 3


async def test_a_bad_record_is_an_internal_error_for_its_sender_and_a_retry_works(
    chat: Chat,
) -> None:
    chat.faults_expected = True
    ada = await chat.enter()
    chat.log.failure = RecordRefused("it does not fit")
    ack = await ada.call("chat:message", message())
    assert (ack["error"]["code"], ack["error"]["retryable"]) == ("internal", True)
    assert (await ada.say(message()))["seq"] == 1


async def test_while_draining_a_message_is_refused_and_everybody_is_told(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    chat.parts.chat.dispatcher.drain(12345)
    chat.parts.messages.mailbox.close()
    for peer in (ada, grace):
        draining = await peer.expect("server:draining")
        assert draining["deadline"] == 12345
        assert draining["reconnectAfterMs"] >= 0
        assert await peer.expect("connection:status") == {
            "status": "draining",
            "code": "draining",
            "retryAfterMs": draining["reconnectAfterMs"],
        }
    ack = await ada.call("chat:message", message())
    assert (ack["error"]["code"], ack["error"]["retryable"]) == ("draining", True)
    assert (await ada.expect("chat:message:error"))["code"] == "draining"
    for name, payload in [
        ("connection:join", {"connectionId": "sales"}),
        ("chat:ack", {"messageId": str(uuid4())}),
    ]:
        assert (await ada.call(name, payload))["ok"] is False


@pytest.mark.parametrize("name", ["chat:unknown", "connection:status", "chat:history", "x"])
async def test_an_unknown_event_is_ignored_and_never_acknowledged(chat: Chat, name: str) -> None:
    ada = await chat.enter()
    await ada.ask(name, {})
    await ada.quiet()


async def bring_to_the_limit(peer: ChatPeer, count: int) -> None:
    for number in range(count):
        assert (await peer.call("chat:message", message(f"number {number}")))["ok"] is True
        await peer.until("chat:message")


async def test_a_retry_is_never_too_much_and_buys_nothing(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"user_messages_per_minute": 3}) as chat:
        ada = await chat.enter()
        known = message("known")
        await ada.call("chat:message", known)
        await bring_to_the_limit(ada, 2)
        for _ in range(5):
            assert (await ada.call("chat:message", known))["duplicate"] is True
        ack = await ada.call("chat:message", message("one too many"))
        assert ack["error"]["code"] == "rate_limited"
        assert 0 < ack["error"]["retryAfterMs"] <= 20_000, "retries are no violations"


@pytest.mark.parametrize(
    "limit",
    ["user_messages_per_minute", "socket_messages_per_minute", "room_messages_per_minute"],
)
async def test_each_limit_of_messages_holds(tmp_path: Path, limit: str) -> None:
    async with open_chat(tmp_path, limits={limit: 2}) as chat:
        ada, grace = await chat.enter("ada"), await chat.enter("grace")
        await bring_to_the_limit(ada, 2)
        ack_id = await ada.ask("chat:message", message("one too many"))
        error = (await ada.expect(ack_id))["error"]
        assert (error["code"], error["retryable"]) == ("rate_limited", True)
        assert error["retryAfterMs"] > 0
        told = await ada.expect("chat:message:error")
        assert told["retryAfterMs"] == error["retryAfterMs"]
        is_shared = limit == "room_messages_per_minute"
        assert (await grace.call("chat:message", message()))["ok"] is not is_shared


async def test_events_of_any_kind_are_limited(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"socket_events_per_minute": 2}) as chat:
        ada = await chat.enter()
        await ada.quiet()
        await ada.quiet()
        ack = await ada.call("connection:leave", {"connectionId": "sales"})
        assert ack["error"]["code"] == "rate_limited"
        error = await ada.expect("chat:error")
        assert error["retryAfterMs"] == ack["error"]["retryAfterMs"]
        await ada.emit("chat:message", message())
        assert (await ada.expect("chat:message:error"))["code"] == "rate_limited"


async def test_a_reply_right_behind_the_opener_of_its_thread_finds_it(chat: Chat) -> None:
    """An offline outbox sends both at once: the opener was not committed when it was looked up."""
    ada = await chat.enter()
    opener, reply = message("shall we?"), message("yes")
    reply["threadId"] = opener["messageId"]
    await ada.emit("chat:message", opener)
    ack = await ada.call("chat:message", reply)
    assert ack["ok"] is True, ack


async def test_a_context_that_is_too_large_is_refused(chat: Chat) -> None:
    ada = await chat.enter()
    large = {**message("hello"), "context": {"schema": "x" * 20_000}}
    ack = await ada.call("chat:message", large)
    assert (ack["error"]["code"], ack["error"]["path"]) == ("invalid_payload", "context")
