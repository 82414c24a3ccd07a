"""Client libraries of npm and PyPI against the application of tests.conformance.peers_app.

Every test runs with every library and over every transport (tests/peers/drivers.py).
"""

from tests.peers.conftest import NewClient
from tests.peers.drivers import KINDS, LATE
from tests.peers.servers import Server, peers_app

BINARY = ({"a": [b"\0\1\xfe\xff"], "b": {"c": b""}}, "x", b"hi", None)
JSON = ("a", 1, -2.5, None, True, {"é": ["\u2028", "😀", {"deep": {}}]}, [], "")

PING_TELLERS = ("npm-4.8", "npm-4.4", "chromium")
"""The libraries that tell of pings."""


def test_the_connection_is_carried_by_the_transport_that_was_asked_for(
    new_client: NewClient, peers_server: Server, kind: str, transport: str
) -> None:
    client = new_client(peers_server, kind).connected()
    carried_by = client.expect("$transport")
    if transport == "upgrade" and carried_by == ["polling"]:
        carried_by = client.expect("$transport")
    assert carried_by == ["websocket" if transport == "upgrade" else transport]
    for number in range(3):
        assert client.call("message-with-ack", number, b"\0") == [number, b"\0"]
    assert [client.close()] == carried_by


def test_every_namespace_has_an_id_of_its_own_and_is_told_the_auth_payload(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    auth = {"token": "é", "deep": [1, {"x": None}]}
    client = new_client(peers_server, kind)
    client.connect("/", "/custom", auth=auth)
    ids = [client.expect("connect", namespace)[0] for namespace in ("/", "/custom")]
    assert ids[0] != ids[1]
    assert all(isinstance(sid, str) and len(sid) >= 16 for sid in ids)
    assert client.expect("auth", "/") == [auth]
    assert client.expect("auth", "/custom") == [auth]


def test_who_sends_no_auth_payload_has_an_empty_one(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    assert client.expect("auth") == [{}]


def test_a_refusal_carries_its_message_and_its_data(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    with_data, without = new_client(peers_server, kind), new_client(peers_server, kind)
    with_data.connect("/auth", auth={"token": "bad", "withData": True})
    without.connect("/auth", auth={"token": "bad"})
    refusal = ["unauthorized", {"code": "E_AUTH", "retry": False}]
    assert with_data.expect("connect_error", "/auth") == refusal
    assert without.expect("connect_error", "/auth") == ["unauthorized", None]
    let_in = new_client(peers_server, kind).connected("/auth", auth={"token": "good"})
    assert let_in.expect("auth", "/auth") == [{"token": "good"}]


def test_an_unknown_namespace_is_refused_and_the_others_live(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind)
    client.connect("/nowhere", "/custom")
    assert client.expect("connect_error", "/nowhere")[0] == "Invalid namespace"
    client.expect("connect", "/custom")
    assert client.call("message-with-ack", 1, namespace="/custom") == [1]


def test_events_and_acks_carry_json_as_it_was_sent(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    assert client.call("message-with-ack", *JSON) == list(JSON)
    assert client.call("message-with-ack") == []
    client.emit("message", *JSON)
    assert client.expect("message-back") == list(JSON)


def test_bytes_arrive_as_they_were_sent_wherever_they_stand(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    assert client.call("message-with-ack", *BINARY) == list(BINARY)
    client.emit("message", *BINARY)
    assert client.expect("message-back") == list(BINARY)
    client.emit("bin")
    assert client.expect("bin") == [{"a": [b"\1\2\3"], "b": {"c": b""}}, "x", b"hi"]


def test_the_client_answers_what_the_server_asks(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    client.hold("question")
    asked = client.ask("ask")
    assert client.expect("question") == [42]
    client.answer({"answer": [43, b"\0"]})
    assert client.expect(asked) == [{"answer": [43, b"\0"]}]


def test_the_server_gives_up_on_an_answer_and_ignores_it_when_it_comes_late(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    client.hold("question")
    (error,) = client.call("ask")
    assert error.startswith("ERR ")
    client.answer("too late")
    assert client.call("message-with-ack", "still here") == ["still here"]
    assert client.came("disconnect") == 0


def test_the_client_gives_up_on_an_event_that_nobody_knows(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    assert client.call("nobody knows this", 1, limit_ms=100) == [LATE]
    assert client.call("message-with-ack", 2, limit_ms=10_000) == [2]


def test_a_room_hears_what_is_said_and_neither_the_speaker_nor_others_do(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    speaker = new_client(peers_server, kind).connected()
    members = [new_client(peers_server, each).connected() for each in (kind, "npm-4.8")]
    stranger = new_client(peers_server, kind).connected()
    room = f"room of {kind}"
    for client in (speaker, *members):
        assert client.call("join", room) == ["ok"]
    for text in ("one", {"two": 2}):
        assert speaker.call("say", room, text) == [{"ok": True}]
    for member in members:
        assert member.take("said", 2) == [["one"], [{"two": 2}]]
    for client in (speaker, stranger):
        client.call("message-with-ack")  # whatever was on its way to the client is there by now
        assert client.came("said") == 0


def test_a_burst_arrives_whole_and_in_order(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    client.emit("burst", 100)
    assert client.take("r", 100) == [[number] for number in range(100)]
    client.emit("burst-reliable", 100)
    assert client.take("r", 100) == [[number] for number in range(100)]


def test_a_thousand_messages_arrive_in_order_both_ways(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    for number in range(1000):
        client.emit("message", number)
    assert client.take("message-back", 1000) == [[number] for number in range(1000)]


def test_a_message_larger_than_any_buffer_arrives_whole(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected()
    client.emit("big", 900_000)
    assert client.expect("big") == ["x" * 900_000]
    assert client.call("message-with-ack", "y" * 400_000) == ["y" * 400_000]


def test_who_is_put_out_stays_out_and_may_come_back_by_itself(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind)
    for close in (False, True):
        client.connect()
        client.expect("connect")
        client.emit("bye", close)
        (reason,) = client.expect("disconnect")
        assert "server disconnect" in reason
        assert client.came("connect") == 0


def test_who_is_put_out_of_everything_is_told_so_in_every_namespace(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected("/", "/custom")
    client.emit("bye", True)
    for namespace in ("/", "/custom"):
        (reason,) = client.expect("disconnect", namespace)
        assert "server disconnect" in reason


def test_who_is_put_out_of_one_namespace_is_still_in_the_other(
    new_client: NewClient, peers_server: Server, kind: str
) -> None:
    client = new_client(peers_server, kind).connected("/", "/custom")
    client.emit("bye", False, namespace="/custom")
    (reason,) = client.expect("disconnect", "/custom")
    assert "server disconnect" in reason
    assert client.call("message-with-ack", 1) == [1]


def test_all_libraries_come_back_to_a_server_that_was_killed_and_started_again(
    new_client: NewClient, mortal_peers_server: Server
) -> None:
    # All at once: to start a server takes longer than all that is tested here.
    clients = [new_client(mortal_peers_server, kind) for kind in KINDS]
    for client in clients:
        client.connect(auth={"who": "me"})
    before = [client.expect("connect") for client in clients]
    mortal_peers_server.kill()
    for client in clients:
        client.expect("disconnect")
    mortal_peers_server.start()
    for client, sid in zip(clients, before, strict=True):
        assert client.expect("connect") != sid
        assert client.take("auth", 2) == [[{"who": "me"}]] * 2
        assert client.call("message-with-ack", 1) == [1]


def test_a_quiet_client_answers_the_heartbeat_and_stays(
    new_client: NewClient, transport: str
) -> None:
    # The timeout is so long that it must not delay the next one.
    server = peers_app("--ping-interval", "100", "--ping-timeout", "5000")
    try:
        clients = [new_client(server, kind).connected() for kind in PING_TELLERS]
        for client in clients:
            client.take("$ping", 5)
            assert client.call("message-with-ack", 1) == [1]
            assert client.came("disconnect") == 0
    finally:
        server.stop()
