"""Who the users of a run are, and how they are played."""

import io
import socket

import attrs
import jwt
import pytest

from chatd.bench.options import Options
from chatd.bench.progress import Progress
from chatd.bench.results import Target
from chatd.bench.server_watch import ServerWatch
from chatd.bench.stage import SetupError, Stage
from tests.bench.conftest import SECRET
from tests.bench.wires import ADDRESS


def stage(kind: str = "chatd", **given: object) -> Stage:
    return Stage(
        options=attrs.evolve(Options(url="http://h/", secret=SECRET), **given),
        target=Target("http://h/", kind),
        address=ADDRESS,
        family=socket.AF_INET,
        sockaddr=["127.0.0.1", 1],
        watch=ServerWatch(),
        progress=Progress(io.StringIO(), is_terminal=False),
    )


def test_rooms_are_filled_and_nobody_is_left_over() -> None:
    assert stage().seats(5, 2) == (["bench-0", "bench-0", "bench-1", "bench-1"], 2)
    assert stage().seats(3, 10) == (["bench-0"] * 3, 3)


def test_rooms_that_are_named_share_the_users() -> None:
    assert stage(rooms=("a", "b")).seats(5, 10) == (["a", "a", "b", "b"], 2)
    assert stage(rooms=("a", "b")).seats(1, 10) == (["a"], 1)


def test_a_message_goes_to_its_sender_or_does_not() -> None:
    assert stage().receivers(5) == 5
    assert stage(others_only=True).receivers(5) == 4


def test_each_user_has_a_token_for_its_room() -> None:
    _, user = stage().users(["a", "b"])
    assert user.auth is not None
    assert user.auth["connectionId"] == "b"
    claims = jwt.decode(user.auth["token"], SECRET, ["HS256"], audience="authenticated")
    assert (claims["sub"], claims["connections"]) == ("bench-1", ["b"])


def test_tokens_that_are_given_take_turns() -> None:
    users = stage(secret=None, tokens=("s", "t")).users(["a"] * 3)
    assert [user.auth and user.auth["token"] for user in users] == ["s", "t", "s"]


def test_what_a_client_shows_may_be_given_or_be_nothing() -> None:
    assert stage(auth='{"key":1}').users(["a"])[0].auth == {"key": 1}
    assert stage("socket.io").users(["a"])[0].auth is None


def test_without_a_secret_nobody_gets_into_a_chatd() -> None:
    with pytest.raises(SetupError, match="--secret"):
        stage(secret=None).users(["a"])


def test_what_is_sent_follows_from_the_server_and_from_what_is_given() -> None:
    assert stage().dialect().sends_receipts
    assert not stage(receipts=False).dialect().sends_receipts
    given = stage("socket.io", event="say", payload='{"t":"%m"}', join='["in"]').dialect()
    assert (given.message, given.join) == ('["say",{"t":"%m"}]', '["in"]')
    assert stage("socket.io", event="say").dialect().message == '["say","%m%p"]'
    assert stage("socket.io", event="say").echo_dialect().message == '["say","%p"]'
    assert "typing" in stage().echo_dialect().message
    assert stage("socket.io", join='["in"]').presence_dialect().join == '["in"]'


def test_of_a_server_that_is_no_chatd_has_to_be_said_what_it_is_sent() -> None:
    for ask in (stage("socket.io").dialect, stage("socket.io").echo_dialect):
        with pytest.raises(SetupError, match="--event"):
            ask()
