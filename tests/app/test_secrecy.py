"""Nothing that is secret or said stands in what the daemon writes for its operators.

One daemon, at the level at which it says most, goes through all that users and strangers do to it;
then its lines, its metrics and what else it told are searched.
"""

import json
import os
import signal
import sys
import uuid
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio_websocket import HandshakeError

from tests.app.client import Client, Gone, Refused, message, token_for
from tests.app.crashing_actor import WORD
from tests.app.daemon import PAUSE_S, Daemon, House, fetch_inside
from tests.app.questions import ANSWER_S, answer, ask, children

pytestmark = pytest.mark.answers

SECRET = "sesame-of-the-daemon, with more than 32 bytes"
DSN_PASSWORD = "pa55-of-the-dsn"
PEER_PASSWORD = "pa55-of-a-variable"
CRASHING = (sys.executable, "-m", "tests.app.crashing_actor", "serve")
HEADERS = "Host: 127.0.0.1\r\nConnection: close\r\n"
TALKATIVE = (
    "import os, sys; print('cannot connect with', os.environ['PEER_PASSWORD'], file=sys.stderr)"
)


class Said:
    """Words that only users know, each of which must be nowhere. `word` makes one."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def word(self, what: str) -> str:
        """A word that is not to be told, and stands nowhere else."""
        made = f"{what}{uuid.uuid4().hex[:12]}"
        self.words.append(made)
        return made

    def token(self, *arguments: Any, **claims: Any) -> str:
        """A token that is not to be told, neither whole nor in parts."""
        made = token_for(*arguments, **claims)
        _, payload, signature = made.split(".")
        self.words += [payload[:40], signature[:40]]
        return made


async def test_no_token_secret_content_statement_or_word_of_a_search_is_in_what_operators_read(
    house: House, nursery: trio.Nursery
) -> None:
    said = Said()
    house.config(
        f"""
        [databases.demo]
        sample = true
        [databases.away]
        postgres = "postgresql://reader:{DSN_PASSWORD}@127.0.0.1:1/sales?connect_timeout=1"
        [databases.talkative]
        command = {json.dumps([sys.executable, "-c", TALKATIVE])}
        dialect = "sqlite"
        mapping = "chatd"
        credentials = "read-only"
        environment = {{PEER_PASSWORD = "{PEER_PASSWORD}"}}
        [limits]
        user_messages_per_minute = 1000
        """
    )
    env = {"CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_LOG__LEVEL": "debug"}
    daemon = await house.start(program=CRASHING, env=env)
    place = house.state_dir / "internal.sock"
    alice = await people_sign_in(daemon, nursery, said)
    await strangers_fail(daemon, nursery, said)
    await people_chat(daemon, nursery, said, alice)
    await people_ask(daemon, said, alice)
    await strangers_send_rubbish(daemon, said)
    told = [(await fetch_inside(place, path))[2].decode() for path in ("/metrics", "/readyz")]
    await an_actor_crashes(daemon, nursery, said)
    daemon.send_signal(signal.SIGUSR1)  # the tasks, or a line that says that it came
    told += [(await fetch_inside(place, path))[2].decode() for path in ("/metrics", "/readyz")]
    told.append((await fetch_inside(place, "/readyz", (("Accept", "text/plain"),)))[2].decode())
    await daemon.stop()
    told += [daemon.err.text, daemon.out.text]

    names = {line["event"] for line in daemon.events()}
    assert names >= {
        "socket.connected",
        "authentication.failed",
        "message.received",
        "message.sent",
        "message.refused",
        "message.changed",
        "answer.started",
        "answer.ended",
        "export.ended",
        "database.lost",
        "database.asked",
        "reader.lost",
        "actor.crashed",
        "internal.error",
        "session.closed",
    }
    everything = "\n".join(told)
    secrets = [SECRET, DSN_PASSWORD, PEER_PASSWORD, *said.words]
    assert len(secrets) > 40
    assert [one for one in secrets if one in everything] == []


async def people_sign_in(daemon: Daemon, nursery: trio.Nursery, said: Said) -> Client:
    """In each way that there is; the one who is left is alice."""
    rooms = ["demo", "away"]
    by_query = said.token(SECRET, "bob", rooms)
    await Client.connect(nursery, daemon.port, query={"token": by_query})
    by_header = said.token(SECRET, "carol", rooms)
    header = [(b"Authorization", b"Bearer " + by_header.encode())]
    await Client.connect(nursery, daemon.port, headers=header)
    alice = await Client.connect(nursery, daemon.port, said.token(SECRET, "alice", rooms))
    again = said.token(SECRET, "alice", rooms, jti="again")
    assert (await alice.ask("auth:refresh", {"token": again}))["ok"]
    assert not (await alice.ask("auth:refresh", {"token": said.word("no-token-at-all")}))["ok"]
    return alice


async def strangers_fail(daemon: Daemon, nursery: trio.Nursery, said: Said) -> None:
    """With tokens that are wrong in one way each."""
    for token in (
        said.token("another secret, also of more than 32 bytes", "mallory"),
        said.token(SECRET, "mallory", exp=1),
        said.token(SECRET, "mallory", aud="somebody else"),
        said.token(SECRET, "db:mallory"),
        said.word("guess"),
        f"Bearer {said.word('pasted')}",
        f"eyJhbGciOiJub25lIn0.{said.word('eyJ')}.{said.word('sig')}",
    ):
        for how in ({"token": token}, {"query": {"auth": token}}):
            with pytest.raises((Refused, Gone, HandshakeError)):
                await Client.connect(nursery, daemon.port, **how)


async def people_chat(daemon: Daemon, nursery: trio.Nursery, said: Said, alice: Client) -> None:
    first = message(f"hello {said.word('content')}")
    context = {"schema": said.word("schema"), "tables": [said.word("table")]}
    assert (await alice.ask("chat:message", {**first, "context": context}))["ok"]
    assert (await alice.ask("chat:message", {**first, "context": context}))["duplicate"]
    assert not (await alice.ask("chat:message", {**first, "content": said.word("other")}))["ok"]
    here = {"messageId": first["messageId"], "connectionId": "demo"}
    edited = {**here, "content": f"better {said.word('edited')}", "rev": 0}
    await alice.ask("chat:message:edit", edited)
    await alice.ask("chat:message:react", {**here, "emoji": "\N{THUMBS UP SIGN}", "on": True})
    await alice.ask("chat:typing:start", {"connectionId": "demo"})
    await alice.ask("presence:update", {"status": "away", "connectionId": "demo"})
    for query in (said.word("sought"), f'"{said.word("phrase")}', "*"):
        await alice.ask("chat:search", {"query": query})
    for wrong in (
        {**message(said.word("spoilt")), "threadId": said.word("thread")},
        {**message(said.word("far")), "connectionId": said.word("room")[:5]},
        {"messageId": 7, "content": said.word("shapeless"), "connectionId": "demo"},
        message(said.word("long") * 1_000),
        {**message(said.word("nested")), "context": {"tables": [[said.word("deep")]]}},
    ):
        assert not (await alice.ask("chat:message", wrong))["ok"]
    name = said.word("dave")
    dave = await Client.connect(nursery, daemon.port, said.token(SECRET, "dave", name=name))
    await dave.emit(said.word("event"), {"text": said.word("payload")})
    await dave.ask("connection:join", {"connectionId": "demo", "since": said.word("since")})
    await dave.close()


async def people_ask(daemon: Daemon, said: Said, alice: Client) -> None:
    done = await answer(alice, f"SELECT '{said.word('literal')}' AS {said.word('column')}")
    assert done["state"] == "done"
    for statement in (
        f"SELECT {said.word('unknown')} FROM customers",
        f"/sql SELECT FROM WHERE {said.word('broken')}",
        f"DELETE FROM customers WHERE name = '{said.word('rejected')}'",
        f"/sample {said.word('nowhere')}",
        f"/explain SELECT '{said.word('plan')}'",
    ):
        await answer(alice, statement)
    question = await ask(alice, f"SELECT '{said.word('exported')}' AS n")
    final = await alice.hear("chat:message", replyTo=question)
    token = said.token(SECRET, "alice", jti="downloads")
    ticket = json.loads(await http(daemon, f"POST /api/answers/{final['messageId']}/ticket", token))
    said.words.append(ticket["ticket"])
    path = f"GET /api/answers/{final['messageId']}.csv"
    assert "exported" in await http(daemon, path, token)
    assert "exported" in await http(daemon, f"{path}?ticket={ticket['ticket']}")
    await http(daemon, f"{path}?ticket={said.word('ticket')}")
    await http(daemon, path, said.token("another secret, also of more than 32 bytes", "eve"))
    [reader] = children(daemon.process.pid, "chatd.answers.sql.reader_process")
    os.kill(reader, signal.SIGKILL)
    await daemon.event("reader.lost")
    away = {"away", "talkative"}
    while away - {one["connection_id"] for one in daemon.events("database.lost")}:  # noqa: ASYNC110 - of a process
        await trio.sleep(PAUSE_S)


async def strangers_send_rubbish(daemon: Daemon, said: Said) -> None:
    """Requests that break HTTP, Engine.IO or Socket.IO, with words in every place."""
    word = said.word
    for line in (
        f"GET /{word('path')} HTTP/1.1",
        f"GET /api/answers/{word('file')} HTTP/1.1",
        f"GET /socket.io/?EIO=4&transport={word('transport')} HTTP/1.1",
        f"GET /socket.io/?EIO=4&transport=polling&sid={word('sid')} HTTP/1.1",
        f"{word('METHOD')} / HTTP/1.1",
        f"GET / {word('version')}",
    ):
        await sent(daemon, f"{line}\r\n{HEADERS}Cookie: {word('cookie')}\r\n\r\n")
    polling = "/socket.io/?EIO=4&transport=polling"
    opened = await sent(daemon, f"GET {polling} HTTP/1.1\r\n{HEADERS}\r\n")
    sid = json.loads(opened.partition("\r\n\r\n")[2][1:])["sid"]
    body = f'42["{word("packet")}"'
    await sent(
        daemon,
        f"POST {polling}&sid={sid} HTTP/1.1\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n{body}",
    )


async def an_actor_crashes(daemon: Daemon, nursery: trio.Nursery, said: Said) -> None:
    erin = await Client.connect(nursery, daemon.port, said.token(SECRET, "erin"))
    with suppress(Gone):
        assert (await erin.say(f"{WORD} {said.word('crash')}"))["error"]["code"] == "internal"
    await daemon.event("actor.crashed")
    assert (await erin.say(f"still here {said.word('after')}"))["ok"]


async def http(daemon: Daemon, request: str, token: str | None = None) -> str:
    """The body of the answer to a request line without its version."""
    bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
    length = "Content-Length: 0\r\n" if request.startswith("POST") else ""
    answered = await sent(daemon, f"{request} HTTP/1.1\r\n{HEADERS}{bearer}{length}\r\n")
    return answered.partition("\r\n\r\n")[2]


async def sent(daemon: Daemon, text: str) -> str:
    """What the public port answers to these bytes, behind which it is to close the connection."""
    stream = await trio.open_tcp_stream("127.0.0.1", daemon.port)
    answered = b""
    async with stream:
        await stream.send_all(text.encode())
        with trio.fail_after(ANSWER_S):
            async for piece in stream:
                answered += piece
    return answered.decode("utf-8", "replace")
