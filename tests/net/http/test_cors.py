"""Which pages come in, and which headers a browser gets."""

import attrs
import orjson
import pytest

from chatd.net.http.cors import CorsPolicy
from chatd.observe import RequestForbidden
from tests.engine.listeners import Door, open_door, opening
from tests.engine.polls import Answer, ask, dial, join, open_poller
from tests.net.peers import read_to_end, upgrade_request

APP = "https://app.example"
CONFIGURED = CorsPolicy((APP,), is_loopback=False)
ANY = CorsPolicy(("*",), is_loopback=False)
HOST = "chat.example"


def cors_of(answer: Answer) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name == "vary" or name.startswith("access-control-")
    }


def echoed(origin: str) -> dict[str, str]:
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "vary": "Origin",
    }


def is_forbidden(answer: Answer) -> bool:
    """Whether it is the answer of the reference server, with a sentence that helps."""
    said = orjson.loads(answer.body)
    is_helpful = said["message"].startswith("Forbidden: ") and "server.origins" in said["message"]
    return (answer.status, said["code"]) == (403, 4) and is_helpful


async def polled(door: Door, origin: str | None, host: str = HOST) -> Answer:
    headers = [] if origin is None else [f"Origin: {origin}"]
    return await ask(door, headers=headers, host=host)


async def websocket_status(door: Door, origin: str | None, host: str = HOST) -> bytes:
    headers = [f"Host: {host}"] + ([] if origin is None else [f"Origin: {origin}"])
    stream = await door.dial()
    await stream.send_all(upgrade_request(headers=headers))
    answer = await stream.receive_some()
    if answer.startswith(b"HTTP/1.1 101 "):
        await stream.aclose()
    else:
        await read_to_end(stream)
    return answer.split(b" ")[1]


# Polling and WebSocket alike


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, HOST),
        (APP, HOST),
        ("http://chat.example", "chat.example"),
        ("https://chat.example", "chat.example"),
        ("https://chat.example", "chat.example:443"),
        ("http://chat.example:8765", "chat.example:8765"),
        ("http://CHAT.example", "chat.EXAMPLE"),
    ],
)
async def test_programs_the_same_origin_and_configured_ones_come_in(
    origin: str | None, host: str
) -> None:
    async with open_door(origins=CONFIGURED) as door:
        assert (await polled(door, origin, host)).status == 200
        assert await websocket_status(door, origin, host) == b"101"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:8443",
        "http://localhost",
        "null",
        "file://",
        "",
        "http://[broken",
        "chat.example",
        "ftp://chat.example",
    ],
)
async def test_strangers_stay_out(origin: str) -> None:
    async with open_door(origins=CONFIGURED) as door:
        answer = await polled(door, origin)
        assert is_forbidden(answer)
        assert answer.headers["content-type"] == "application/json"
        assert "access-control-allow-origin" not in answer.headers
        assert await websocket_status(door, origin) == b"403"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "127.0.0.1:8765"),
        (None, "localhost"),
        (None, "[::1]:8765"),
        ("http://localhost:5173", "127.0.0.1:8765"),
        ("https://127.0.0.1", "localhost:8765"),
        ("http://[::1]:3000", "localhost"),
    ],
)
async def test_on_loopback_any_port_of_localhost_comes_in(
    door: Door, origin: str | None, host: str
) -> None:
    assert (await polled(door, origin, host)).status == 200
    assert await websocket_status(door, origin, host) == b"101"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "evil.example"),
        ("http://evil.example", "evil.example"),
        ("http://localhost", "evil.example"),
        (None, "localhost.evil.example"),
        (None, "127.0.0.1.evil.example"),
        ("http://localhost.evil.example", "localhost"),
        ("null", "localhost"),
    ],
)
async def test_on_loopback_strangers_and_their_names_stay_out(
    door: Door, origin: str | None, host: str
) -> None:
    answer = await polled(door, origin, host)
    assert is_forbidden(answer)
    assert await websocket_status(door, origin, host) == b"403"


async def test_an_origin_that_may_not_open_a_session_may_not_use_one(door: Door) -> None:
    poller = await join(door)
    evil = ["Origin: https://evil.example"]
    answer = await poller.post(b"1", headers=evil)
    assert is_forbidden(answer)
    answer = await ask(door, "GET", poller.query, headers=evil)
    assert is_forbidden(answer)
    await poller.echo()


async def test_an_origin_of_bytes_that_no_header_has_is_a_bad_request(door: Door) -> None:
    answer = await ask(door, headers=["Origin: a\x7fb"])
    assert answer.status == 400


async def test_the_last_words_of_a_session_are_not_for_strangers(door: Door) -> None:
    poller = await join(door)
    await poller.say(b"1")
    answer = await ask(door, "GET", poller.query, headers=["Origin: https://evil.example"])
    assert answer.body != b"6"
    assert (await poller.get()).body == b"6"


# What a browser is told


async def test_an_allowed_origin_is_echoed_on_every_answer() -> None:
    async with open_door(origins=CONFIGURED) as door:
        headers = [f"Origin: {APP}"]
        opened = await ask(door, headers=headers, host=HOST)
        assert cors_of(opened) == echoed(APP)
        poller = await open_poller(door, headers=headers, host=HOST)
        for answer in (
            await ask(door, "POST", poller.query, b"40", headers=headers, host=HOST),
            await ask(door, "GET", poller.query, headers=headers, host=HOST),
            await ask(door, "PUT", poller.query, headers=headers, host=HOST),
            await ask(door, "POST", poller.query, b"x" * 1_000_001, headers=headers, host=HOST),
            await ask(door, "POST", poller.query, b"abc", headers=headers, host=HOST),
        ):
            assert cors_of(answer) == echoed(APP), answer


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 0),
        ("EIO=4&transport=polling&sid=nobody", 1),
        ("EIO=4&transport=websocket", 3),
        ("EIO=3&transport=polling", 5),
    ],
)
async def test_errors_may_be_read_by_an_allowed_origin(query: str, code: int) -> None:
    async with open_door(origins=CONFIGURED) as door:
        answer = await ask(door, query=query, headers=[f"Origin: {APP}"], host=HOST)
        assert answer.status == 400
        assert answer.body.startswith(b'{"code":%d,' % code)
        assert cors_of(answer) == echoed(APP)


async def test_overload_may_be_read_by_an_allowed_origin() -> None:
    async with open_door(origins=CONFIGURED, sessions_per_address=0) as door:
        answer = await ask(door, headers=[f"Origin: {APP}"], host=HOST)
        assert answer.status == 503
        assert cors_of(answer) == echoed(APP)


async def test_who_sends_no_origin_is_told_nothing() -> None:
    async with open_door(origins=CONFIGURED) as door:
        assert cors_of(await polled(door, None)) == {"vary": "Origin"}


@pytest.mark.parametrize("origin", [None, APP, "https://evil.example", "null"])
async def test_where_all_origins_are_allowed_the_star_is_told(origin: str | None) -> None:
    async with open_door(origins=ANY) as door:
        answer = await polled(door, origin)
        assert answer.status == 200
        assert cors_of(answer) == {"access-control-allow-origin": "*"}
        assert await websocket_status(door, origin) == b"101"


async def test_credentials_are_never_allowed_to_all() -> None:
    async with open_door(origins=ANY) as door:
        answer = await polled(door, APP)
        assert "access-control-allow-credentials" not in answer.headers


async def test_who_is_named_beside_all_origins_may_send_credentials() -> None:
    async with open_door(origins=CorsPolicy(("*", APP), is_loopback=False)) as door:
        assert cors_of(await polled(door, APP)) == echoed(APP)
        anybody = {"access-control-allow-origin": "*", "vary": "Origin"}
        assert cors_of(await polled(door, "https://evil.example")) == anybody


async def test_no_cookie_is_set(door: Door) -> None:
    assert "set-cookie" not in (await ask(door)).headers
    peer = await door.open()
    await opening(peer)
    assert b"set-cookie" not in peer.head.lower()


# Preflights


@pytest.mark.parametrize("query", ["EIO=4&transport=polling", "sid=nobody&transport=polling", ""])
async def test_a_preflight_is_answered_whatever_the_query(query: str) -> None:
    async with open_door(origins=CONFIGURED) as door:
        answer = await ask(
            door,
            "OPTIONS",
            query,
            headers=[
                f"Origin: {APP}",
                "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization, x-extra",
            ],
            host=HOST,
        )
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["content-length"] == "0"
        assert answer.headers["access-control-allow-origin"] == APP
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-allow-headers"] == "authorization, x-extra"
        methods = "GET,HEAD,PUT,PATCH,POST,DELETE"
        assert answer.headers["access-control-allow-methods"] == methods
        vary = answer.headers["vary"].split(", ")
        assert sorted(vary) == ["Access-Control-Request-Headers", "Origin"]


@pytest.mark.parametrize("query", ["EIO=4&transport=polling", "sid=nobody&transport=polling", ""])
async def test_a_preflight_of_a_stranger_says_why_it_is_forbidden(query: str) -> None:
    async with open_door(origins=CONFIGURED) as door:
        headers = ["Origin: https://evil.example", "Access-Control-Request-Method: POST"]
        answer = await ask(door, "OPTIONS", query, headers=headers, host=HOST)
        assert is_forbidden(answer)
        assert "access-control-allow-origin" not in answer.headers
        assert [one.origin for one in door.recorder.of(RequestForbidden)] == [
            "https://evil.example"
        ]


async def test_a_request_for_options_that_no_page_sends_is_an_opening_by_the_wrong_method() -> None:
    async with open_door(origins=CONFIGURED) as door:
        answer = await ask(door, "OPTIONS", host=HOST)
        assert (answer.status, answer.body) == (
            400,
            b'{"code":2,"message":"Bad handshake method"}',
        )


async def test_the_connection_of_a_preflight_goes_on(door: Door) -> None:
    peer = await dial(door)
    headers = ["Origin: http://localhost:5173", "Access-Control-Request-Method: POST"]
    assert (await peer.ask("OPTIONS", headers=headers)).status == 204
    await open_poller(door, peer, headers=headers[:1])


async def test_origins_that_replace_others_hold_for_all_policies_that_were_made_of_them() -> None:
    policy = CorsPolicy((APP,), is_loopback=False)
    copy = attrs.evolve(policy, is_for_all=True)
    arrival = policy.arrival({b"host": HOST.encode()}, "192.0.2.1")
    other = "https://other.example"
    assert policy.allows_origin(APP, arrival)
    policy.allowed.replace((other,))
    for one in (policy, copy):
        assert one.allows_origin(other, arrival)
        assert not one.allows_origin(APP, arrival)
