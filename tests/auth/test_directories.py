"""Directories: the rooms that a user may use, from the token, the file, and for everybody."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.auth import (
    ClaimDirectory,
    FileConnection,
    FileDirectory,
    Grant,
    Identity,
    TokenRefused,
)
from chatd.auth.directories import CLAIMED_ROOMS
from chatd.wire.identifiers import is_connection_id
from chatd.wire.names import Role
from tests.rows import rows


def identity(user_id: str = "ada", **claims: Any) -> Identity:
    return Identity(user_id, None, 0, claims)


@pytest.mark.parametrize(
    "good", ["a", "sales", "Sales DB", "a.b:c/d", "x" * 128, "R&D '1 < 2 > 1' \"<=\""]
)
def test_printable_ascii_is_a_connection_id(good: str) -> None:
    assert is_connection_id(good)


@rows(
    "bad",
    ["", "x" * 129, "é", "a\n", "a\0", "\x7f", "\ud800", None, 1, ["a"], "<b>", "a<b", "</", "a<"],
)
def test_anything_else_is_no_connection_id(bad: object) -> None:
    assert not is_connection_id(bad)


@pytest.mark.parametrize(
    ("entries", "grants"),
    [
        ([], []),
        (None, []),
        (["sales", "crm"], [Grant("sales", None), Grant("crm", None)]),
        ([{"id": "sales", "title": " The\nsales "}], [Grant("sales", "The sales")]),
        ([{"id": "sales"}, {"id": "crm", "title": 7}], [Grant("sales", None), Grant("crm", None)]),
        ([{"id": "sales", "title": "A"}, "sales"], [Grant("sales", "A")]),
        (["", "é", "x" * 129, 7, None, [], ["sales"], {}, {"id": 7}, {"id": ""}, {"id": {}}], []),
        (["sales", 7, "crm"], [Grant("sales", None), Grant("crm", None)]),
        ([{"id": "sales", "role": "viewer"}], [Grant("sales", None, Role.VIEWER)]),
        ([{"id": "sales", "role": "owner"}, "sales"], [Grant("sales", None, Role.OWNER)]),
        ([{"id": "sales", "role": None}], [Grant("sales", None, Role.MEMBER)]),
        ([{"id": "sales", "role": role} for role in ("admin", "Viewer", "", 7, [], {})], []),
    ],
)
def test_a_claim_lists_rooms_and_what_is_no_room_is_passed_over(
    entries: object, grants: list[Grant]
) -> None:
    rooms = ClaimDirectory("connections").grants_now(identity(connections=entries))
    assert list(rooms.values()) == grants
    assert list(rooms) == [grant.connection_id for grant in grants]


def test_a_claim_may_lie_deeper_at_a_dotted_path() -> None:
    directory = ClaimDirectory("app_metadata.connections")
    assert list(directory.grants_now(identity(app_metadata={"connections": ["sales"]}))) == [
        "sales"
    ]
    table: list[dict[str, Any]] = [
        {},
        {"app_metadata": None},
        {"app_metadata": {}},
        {"connections": ["sales"]},
    ]
    for claims in table:
        assert not directory.grants_now(identity(**claims))


@pytest.mark.parametrize("value", ["sales", {"sales": True}, 7, True, ["a"] * (CLAIMED_ROOMS + 1)])
def test_with_a_claim_that_is_no_bounded_list_the_token_is_invalid(value: object) -> None:
    with pytest.raises(TokenRefused, match="connections") as caught:
        ClaimDirectory("connections").grants_now(identity(connections=value))
    assert caught.value.code == "token_invalid"


def test_with_a_claim_inside_what_is_no_object_the_token_is_invalid() -> None:
    with pytest.raises(TokenRefused, match=r"app_metadata\.connections"):
        ClaimDirectory("app_metadata.connections").grants_now(
            identity(app_metadata=["connections"])
        )


def test_the_longest_list_that_is_allowed_counts_in_full() -> None:
    entries = [f"room-{number}" for number in range(CLAIMED_ROOMS)]
    assert list(ClaimDirectory("c").grants_now(identity(c=entries))) == entries


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b"])
def test_a_path_with_an_empty_key_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="dotted path"):
        ClaimDirectory(path)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "title", "c"]), inner),
)


@given(any_json)
def test_whatever_the_claim_holds_only_valid_rooms_come_out(value: object) -> None:
    try:
        rooms = ClaimDirectory("c.c").grants_now(identity(c=value))
    except TokenRefused:
        return
    assert all(is_connection_id(room) and rooms[room].connection_id == room for room in rooms)


FILE = FileDirectory(
    {
        "sales": FileConnection("Sales", ["ada", "bob"]),
        "crm": FileConnection(None, "*"),
        "hr": FileConnection("People", ["bob"]),
        "open": FileConnection("Open", ["bob", "*"]),
        "nobody": FileConnection("Closed", []),
        "write": FileConnection("To write", ["*"], viewers=["eve"], owners=["bob"]),
        "read": FileConnection("To read", ["ada"], owners=["bob"], viewers=["eve", "bob", "ada"]),
    }
)


@pytest.mark.parametrize(
    ("user_id", "rooms"),
    [
        ("ada", ["sales", "crm", "open", "write", "read"]),
        ("bob", ["sales", "crm", "hr", "open", "write", "read"]),
        ("eve", ["crm", "open", "write", "read"]),
        ("*", ["crm", "open", "write"]),
        ("ad", ["crm", "open", "write"]),
    ],
)
def test_the_file_gives_each_user_its_rooms_in_the_order_of_the_file(
    user_id: str, rooms: list[str]
) -> None:
    assert list(FILE.grants_now(identity(user_id))) == rooms


def test_the_file_gives_titles() -> None:
    assert FILE.grants_now(identity("zoe")) == {
        "crm": Grant("crm", None),
        "open": Grant("open", "Open"),
        "write": Grant("write", "To write"),
    }


@pytest.mark.parametrize(
    ("user_id", "role"), [("bob", Role.OWNER), ("ada", Role.MEMBER), ("eve", Role.VIEWER)]
)
def test_the_file_gives_the_greatest_role_of_those_in_whose_lists_a_user_stands(
    user_id: str, role: Role
) -> None:
    assert FILE.grants_now(identity(user_id))["read"].role is role


@pytest.mark.parametrize(
    ("user_id", "role"), [("bob", Role.OWNER), ("eve", Role.VIEWER), ("ada", Role.MEMBER)]
)
def test_a_list_of_the_file_that_names_a_user_counts_before_everybody(
    user_id: str, role: Role
) -> None:
    assert FILE.grants_now(identity(user_id))["write"].role is role


def test_everybody_may_be_a_viewer_of_the_file() -> None:
    directory = FileDirectory({"a": FileConnection(users=["ada"], viewers=["*"])})
    assert directory.grants_now(identity("ada"))["a"].may_write
    assert not directory.grants_now(identity("eve"))["a"].may_write


def test_users_of_the_file_are_never_a_bare_string() -> None:
    with pytest.raises(ValueError, match="list of user ids"):
        FileConnection("Sales", "ada")


def test_a_connection_of_the_file_needs_a_valid_id() -> None:
    with pytest.raises(ValueError, match="connectionId"):
        FileDirectory({"ä": FileConnection(None, "*")})
