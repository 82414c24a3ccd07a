"""Rooms over HTTP: `/api/rooms/{connectionId}/messages` and `/search`, on a real listener."""

from pathlib import Path
from uuid import uuid4

import orjson
import pytest
import trio

from chatd.app.daemon import _drain
from chatd.chat.message_machine import MessageMachine
from chatd.observe import MessageReceived, MessageSent
from chatd.store import LogReaders, StoreReadFailed
from tests.engine.polls import until
from tests.service.api_callers import GOOD, Api, code_of, code_of_plain
from tests.service.asking import Answer, ask
from tests.service.chats import (
    NO_ROOM,
    ROOM,
    in_no_room,
    open_chat,
    token,
)
from tests.service.events.test_answers import called, open_answering
from tests.wire.golden import fault_of_ack


async def test_a_message_is_stored_and_the_answer_is_the_content_of_its_ack(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        reader = await chat.enter("bob")
        key = str(uuid4())
        answer = await Api(chat).post({"content": "Deployed."}, key=key.upper())
        assert answer.status == 201
        told = await reader.expect("chat:message")
        assert answer.json() == {
            "ok": True,
            "question": False,
            "messageId": key,
            "timestamp": told["timestamp"],
            "connectionId": ROOM,
            "seq": 1,
        }
        assert (told["userId"], told["content"], told["seq"]) == ("ada", "Deployed.", 1)


async def test_a_retry_with_the_same_key_is_answered_as_before_and_stores_nothing(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        reader, api, key = await chat.enter("bob"), Api(chat), str(uuid4())
        first = await api.post({"content": "once"}, key=key)
        again = await api.post({"content": "once"}, key=f'"{key}"')
        assert again.status == 200
        assert again.json() == {**first.json(), "duplicate": True}
        other = await api.post({"content": "another"}, key=key)
        assert (other.status, code_of(other)) == (409, "message_id_conflict")
        await reader.expect("chat:message")
        await reader.quiet()


async def test_without_a_key_each_message_gets_an_id_of_its_own(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        api = Api(chat)
        said = [await api.say("same text") for _ in range(2)]
        assert said[0]["messageId"] != said[1]["messageId"]
        assert [one["seq"] for one in said] == [1, 2]
        null = await api.post({"content": "x", "messageId": None})
        assert null.status == 201


async def test_context_and_thread_are_those_of_the_event(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        api = Api(chat)
        opener = (await api.say("a thread"))["messageId"]
        await api.say("in it", threadId=opener.upper(), context={"tables": ["orders"]})
        page = (await api.ask("GET", "messages", threadId=opener)).json()
        assert [one["content"] for one in page["messages"]] == ["in it"]
        assert page["messages"][0]["context"] == {"tables": ["orders"]}
        nowhere = await api.post({"content": "x", "threadId": str(uuid4())})
        assert (nowhere.status, code_of(nowhere)) == (404, "unknown_thread")


async def test_nobody_sees_a_caller_and_nothing_is_owed_to_it(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        watcher = await chat.enter("bob")
        watcher.passes_over = frozenset()
        await Api(chat, token("carol")).say("hello")
        assert (await watcher.until("chat:message"))["userId"] == "carol"
        await Api(chat, token("carol")).ask("GET", "messages")
        await watcher.quiet()  # no presence of carol
        assert chat.parts.messages.machine.members.rooms_of("carol") == ()
        assert len(chat.parts.entering.occupancy) == 1


async def test_a_question_is_answered_in_the_room(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        watcher = await chat.enter("bob")
        asked = await Api(chat).say("SELECT 1")
        assert asked["question"] is True
        call = await called(database)
        call.end()
        await watcher.until("chat:answer:end")
        answer = await watcher.until("chat:message")
        assert (answer["userId"], answer["replyTo"]) == (f"db:{ROOM}", asked["messageId"])
        page = (await Api(chat).ask("GET", "messages")).json()
        assert [one["userId"] for one in page["messages"]] == ["ada", f"db:{ROOM}"]


async def test_pages_of_a_room_are_those_of_the_event_and_say_of_which_log(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        api = Api(chat)
        for number in range(5):
            await api.say(f"number {number}")
        for query, seqs, has_more in [
            ({}, [1, 2, 3, 4, 5], False),
            ({"before": 3}, [1, 2], False),
            ({"after": 3}, [4, 5], False),
            ({"after": 0, "limit": 2}, [1, 2], True),
            ({"limit": 2}, [4, 5], True),
            ({"before": 9007199254740991, "limit": 1}, [5], True),
        ]:
            answer = await api.ask("GET", "messages", **query)
            page = answer.json()
            assert answer.status == 200
            assert page.pop("epoch") == chat.store.epoch
            assert fault_of_ack("chat:history:get", page) is None
            assert [one["seq"] for one in page["messages"]] == seqs, query
            assert (page["hasMore"], page["firstSeq"], page["lastSeq"]) == (has_more, 1, 5)


async def test_a_search_is_in_the_room_alone(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        both = token(rooms=[ROOM, "stock"])
        await Api(chat, both).say("pears are green")
        await Api(chat, both, "stock").say("pears are yellow")
        answer = await Api(chat, both).ask("GET", "search", query="pears")
        assert answer.status == 200
        assert fault_of_ack("chat:search", answer.json()) is None
        assert [hit["message"]["content"] for hit in answer.json()["hits"]] == ["pears are green"]


async def test_a_query_is_judged_as_the_payload_of_an_event(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for what, query, status, code, path in [
            ("messages", {"before": "x"}, 400, "invalid_payload", "before"),
            ("messages", {"before": "1.0"}, 400, "invalid_payload", "before"),
            ("messages", {"before": "٣"}, 400, "invalid_payload", "before"),
            ("messages", {"before": ""}, 400, "invalid_payload", "before"),
            ("messages", {"before": -1}, 400, "invalid_payload", "before"),
            ("messages", {"before": 2**53}, 400, "invalid_payload", "before"),
            ("messages", {"before": 10**19}, 400, "invalid_payload", "before"),
            ("messages", {"before": 1, "after": 1}, 400, "invalid_payload", "after"),
            ("messages", {"limit": 0}, 400, "invalid_payload", "limit"),
            ("messages", {"limit": 201}, 400, "invalid_payload", "limit"),
            ("messages", {"limit": [1, 1]}, 400, "invalid_payload", None),
            ("messages", {"threadId": "x"}, 404, "unknown_thread", "threadId"),
            ("messages", {"threadId": str(uuid4())}, 404, "unknown_thread", "threadId"),
            ("messages", {"answerRows": -1}, 400, "invalid_payload", "answerRows"),
            ("messages", {"connectionId": "stock"}, 400, "invalid_payload", "connectionId"),
            ("messages", {f"x{n}": n for n in range(51)}, 400, "invalid_payload", None),
            ("search", {}, 400, "invalid_payload", "query"),
            ("search", {"query": "  "}, 400, "invalid_query", "query"),
            ("search", {"query": "a", "limit": 51}, 400, "invalid_payload", "limit"),
            ("search", {"query": "a", "cursor": "zz"}, 400, "invalid_query", "cursor"),
        ]:
            answer = await Api(chat).ask("GET", what, **query)
            assert (answer.status, code_of(answer)) == (status, code)
            assert answer.json()["error"].get("path") == path


async def test_what_is_not_known_in_a_query_or_a_body_is_named(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        api = Api(chat)
        page = (await api.ask("GET", "messages", befor=3)).json()
        assert page["ignored"] == ["befor"]
        said = await api.say("x", context={"readonly": True})
        assert said["ignored"] == ["context.readonly"]


async def test_a_body_is_judged_as_the_payload_of_an_event(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for body, status, code, path in [
            (b"", 400, "invalid_payload", None),
            (b"{", 400, "invalid_payload", None),
            (b"[]", 400, "invalid_payload", None),
            (b'"x"', 400, "invalid_payload", None),
            (b"null", 400, "invalid_payload", None),
            (b'{"content":"\xff"}', 400, "invalid_payload", None),
            ('{"content":"é"}'.encode("latin-1"), 400, "invalid_payload", None),
            ('{"content":"x"}'.encode("utf-16"), 400, "invalid_payload", None),
            (b'\xef\xbb\xbf{"content":"x"}', 400, "invalid_payload", None),
            (b'{"content":"x","content":"y"}', 400, "invalid_payload", None),
            (
                b'{"content":"x","context":{"schema":"a","schema":"b"}}',
                400,
                "invalid_payload",
                None,
            ),
            (
                b'{"content":"x","context":' + b"[" * 600 + b"]" * 600 + b"}",
                400,
                "invalid_payload",
                None,
            ),
            (b'{"content":"x","n":NaN}', 400, "invalid_payload", None),
            (b'{"content":"x","n":1e999}', 400, "invalid_payload", None),
            (b'{"content":"x","a":{"b":[{"c":1,"c":1}]}}', 400, "invalid_payload", None),
            (b'{"\\u0063ontent":"x","content":"y"}', 400, "invalid_payload", None),
            (b'{"content":"x","a":[' + b"1," * 1_000 + b"1]}", 400, "invalid_payload", None),
            (b'{"content":"x"' + b',"a":1' * 1_000 + b"}", 400, "invalid_payload", None),
            ({}, 400, "invalid_payload", "content"),
            ({"content": 1}, 400, "invalid_payload", "content"),
            ({"content": None}, 400, "invalid_payload", "content"),
            ({"content": " \n"}, 400, "content_empty", "content"),
            ({"content": "x" * 10_001}, 400, "content_too_long", "content"),
            ({"content": "a\0b"}, 400, "invalid_payload", "content"),
            (b'{"content":"\\ud800"}', 400, "invalid_payload", "content"),
            ({**GOOD, "messageId": "x"}, 400, "invalid_message_id", "messageId"),
            ({**GOOD, "messageId": 7}, 400, "invalid_payload", "messageId"),
            ({**GOOD, "connectionId": "stock"}, 400, "invalid_payload", "connectionId"),
            ({**GOOD, "connectionId": None}, 400, "invalid_payload", "connectionId"),
            (
                {**GOOD, "context": {"tables": ["t"] * 101}},
                400,
                "invalid_payload",
                "context.tables",
            ),
            (
                {**GOOD, "context": {"tables": ["t", 1]}},
                400,
                "invalid_payload",
                "context.tables[1]",
            ),
            ({**GOOD, "threadId": "x"}, 404, "unknown_thread", "threadId"),
        ]:
            answer = await Api(chat).post(body)
            assert (answer.status, code_of(answer)) == (status, code), answer
            assert answer.json()["error"].get("path") == path
            assert (await Api(chat).ask("GET", "messages")).json()["lastSeq"] == 0


async def test_a_key_is_the_id_of_the_message(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for key, body, status, code in [
            ("", GOOD, 400, "invalid_message_id"),
            ("7", GOOD, 400, "invalid_message_id"),
            ('"', GOOD, 400, "invalid_message_id"),
            (f"{uuid4()}, {uuid4()}", GOOD, 400, "invalid_message_id"),
            (str(uuid4()), {**GOOD, "messageId": str(uuid4())}, 400, "invalid_payload"),
            (str(uuid4()), {**GOOD, "messageId": 3}, 400, "invalid_payload"),
        ]:
            answer = await Api(chat).post(body, key=key)
            assert (answer.status, code_of(answer)) == (status, code)


async def test_only_json_is_taken(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for content_type, status in [
            ("application/json", 201),
            ("Application/JSON; charset=UTF-8", 201),
            ('application/json;charset="utf-8"', 201),
            ("application/json; charset=latin1", 415),
            ("application/jsonx", 415),
            ("text/plain", 415),
            ("application/x-www-form-urlencoded", 415),
            ("multipart/form-data; boundary=x", 415),
            ("application/json, text/plain", 415),
            ("", 415),
        ]:
            answer = await Api(chat).post(GOOD, headers={"content-type": content_type})
            assert answer.status == status
            if status == 415:
                assert code_of_plain(answer) == "unsupported_media_type"


async def test_a_path_names_one_room_or_none(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for target, status in [
            ("/api/rooms/stock/messages", 403),
            ("/api/rooms/sales%20/messages", 403),
            ("/api/rooms/Sales/messages", 403),
            ("/api/rooms/sales%00/messages", 403),
            ("/api/rooms/%73ales/messages", 200),
            ("/api/rooms/sales%2Fmessages/messages", 403),
            ("/api/rooms/../messages", 403),
            ("/api/rooms/..%2Fsales/messages", 403),
            ("/api/rooms/x/../sales/messages", 403),
            ("/api/rooms/%E2%80%8Bsales/messages", 403),
            ("/api/rooms/%FFsales/messages", 403),
            ("/api/rooms/%253Csales/messages", 403),
            ("/api/rooms/" + "x" * 4000 + "/messages", 403),
            ("/api/rooms/sales/messages/", 404),
            ("/api/rooms/sales", 404),
            ("/api/rooms/", 404),
            ("/api/rooms//messages", 404),
            ("/api/rooms/sales/Messages", 404),
            ("/api/rooms/sales/messages%0A", 404),
        ]:
            answer = await ask(chat.address, "GET", target, {"authorization": f"Bearer {token()}"})
            assert answer.status == status
            if status == 403:
                assert code_of(answer) == "forbidden_room"


async def test_any_id_of_a_room_can_be_named(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for room in ("a/b", "..", "a?b#c", "100%", "x/messages", "a b+c", "//"):
            api = Api(chat, token(rooms=[room]), room)
            assert (await api.say("here"))["connectionId"] == room
            page = (await api.ask("GET", "messages")).json()
            assert [one["connectionId"] for one in page["messages"]] == [room]


async def test_what_a_client_sent_that_hangs_up_is_stored_and_its_key_tells(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, api={"requests_per_user": 1}) as chat:
        chat.log.held, key = trio.Event(), str(uuid4())
        body = orjson.dumps({"content": "kept"})
        stream = await trio.open_tcp_stream(*chat.address)
        await stream.send_all(
            b"POST /api/rooms/sales/messages HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer %b\r\n"
            b"Idempotency-Key: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (token().encode(), key.encode(), len(body), body)
        )
        await until(lambda: len(chat.recorder.of(MessageReceived)) == 1)
        await stream.aclose()
        assert (await Api(chat).ask("GET", "messages")).status == 503
        chat.log.held.set()
        await until(lambda: chat.recorder.of(MessageSent))
        while (again := await Api(chat).post({"content": "kept"}, key=key)).status == 503:
            pass
        assert again.status == 200
        assert again.json()["duplicate"] is True


async def test_a_message_that_was_taken_in_is_answered_through_the_end_of_the_daemon(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat, trio.open_nursery() as nursery:
        chat.log.held = trio.Event()
        answers: list[Answer] = []

        async def say() -> None:
            answers.append(await Api(chat).post({"content": "just in time"}))

        nursery.start_soon(say)
        await until(lambda: len(chat.recorder.of(MessageReceived)) == 1)
        half = await trio.open_tcp_stream(*chat.address)
        await half.send_all(b"POST /api/rooms/sales/messages HTTP/1.1\r\nHost: localhost\r\n")

        async def drain() -> None:
            assert await _drain(chat.parts, 0, chat.recorder)

        nursery.start_soon(drain)
        assert await half.receive_some() == b""
        await half.aclose()
        chat.log.held.set()
    assert [answer.status for answer in answers] == [201]


async def test_a_disk_that_cannot_be_read_or_written_is_a_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object, **__: object) -> None:
        raise StoreReadFailed("the disk")

    async with open_chat(tmp_path) as chat:
        monkeypatch.setattr(LogReaders, "page", unreadable)
        answer = await Api(chat).ask("GET", "messages")
        assert (answer.status, code_of(answer)) == (503, "storage_read_error")
        assert answer.headers["retry-after"] == "5"


async def test_a_fault_of_the_daemon_is_a_500_in_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the code")

    async with open_chat(tmp_path) as chat:
        chat.faults_expected = True
        monkeypatch.setattr(LogReaders, "page", broken)
        answer = await Api(chat).ask("GET", "messages")
        assert (answer.status, code_of(answer)) == (500, "internal")
        monkeypatch.undo()
        assert (await Api(chat).ask("GET", "messages")).status == 200


async def test_a_crash_of_the_actor_that_has_the_message_is_a_500_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the code")

    async with open_chat(tmp_path) as chat:
        chat.faults_expected = True
        with monkeypatch.context() as patch:
            patch.setattr(MessageMachine, "decide", broken)
            answer = await Api(chat).post({"content": "hello"})
        assert (answer.status, code_of(answer)) == (500, "internal")
        assert answer.json()["error"]["retryable"]


async def test_a_daemon_that_drains_says_so(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        chat.parts.engine_io.admission.is_draining = True
        for what in ("messages", "events"):
            answer = await Api(chat).ask("GET", what)
            assert (answer.status, code_of(answer)) == (503, "draining")
            assert answer.headers["retry-after"] == "5"


async def test_other_methods_are_told_which_there_are(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for method, what, allowed in [
            ("PUT", "messages", "GET, HEAD, POST"),
            ("DELETE", "messages", "GET, HEAD, POST"),
            ("PATCH", "events", "GET, HEAD"),
            ("POST", "search", "GET, HEAD"),
            ("POST", "events", "GET, HEAD"),
        ]:
            answer = await Api(chat).ask(method, what)
            assert (answer.status, answer.headers["allow"]) == (405, allowed)


async def test_head_is_get_without_a_body(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        await Api(chat).say("x")
        for what in ("messages", "search"):
            whole = await Api(chat).ask("GET", what, query="x")
            head = await Api(chat).ask("HEAD", what, query="x")
            assert (head.status, head.body) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.body))
        head = await Api(chat).ask("HEAD", "events")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-type"] == "text/event-stream"


async def test_pages_of_allowed_origins_may_ask_and_no_others(tmp_path: Path) -> None:
    async with open_chat(tmp_path, server={"origins": ("https://app.example",)}) as chat:
        friend, stranger = {"origin": "https://app.example"}, {"origin": "https://evil.example"}
        for what in ("messages", "events"):
            preflight = await Api(chat, None).ask("OPTIONS", what, friend)
            assert preflight.status == 204
            assert preflight.headers["access-control-allow-headers"] == (
                "authorization, content-type, idempotency-key, last-event-id"
            )
            assert preflight.headers["access-control-allow-methods"] == (
                "GET, HEAD, POST" if what == "messages" else "GET, HEAD"
            )
            for method in ("OPTIONS", "GET"):
                refused = await Api(chat).ask(method, what, stranger)
                assert refused.status == 403
                assert code_of_plain(refused) == "forbidden_origin"
                assert "access-control-allow-origin" not in refused.headers
        answer = await Api(chat).ask("GET", "messages", friend)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        wrong = await Api(chat, "x").ask("GET", "messages", friend)
        assert wrong.headers["access-control-allow-origin"] == "https://app.example"


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with (
        open_chat(tmp_path, api={"enabled": False}) as chat,
        await trio.open_tcp_stream(*chat.address) as stream,
    ):
        await stream.send_all(b"GET /api/rooms/sales/messages HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 404 ")


async def test_messages_of_others_come_as_everybody_gets_them(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        await Api(chat).say("<script>alert(1)</script>")
        page = (await Api(chat).ask("GET", "messages")).json()
        assert page["messages"][0]["content"] == "< script>alert(1)< /script>"
        nobody = await chat.connect({"token": token("eve"), "connectionId": NO_ROOM})
        await in_no_room(nobody)
        assert (await nobody.call("chat:history:get", {"connectionId": ROOM}))["ok"]
