"""Who is let in where a ceiling is reached, and who gives way."""

import attrs
import pytest

from chatd.engine.admission import Admission, Overload, Vacancy
from chatd.net.addresses import as_network

TRUSTED = (as_network("10.0.0.0/8"), as_network("::1/128"))
FREE: Vacancy[object] = Vacancy()


@attrs.define(eq=False)
class Connection:
    """A connection, of somebody or nobody."""

    address: str
    is_known: bool = False

    def give_way(self, answer: bytes) -> None:
        raise AssertionError("whoever asked for the place does that")


def admission(**bounds: float) -> Admission:
    usual: dict[str, float]
    usual = {"handshakes_per_second": 100, "sessions_per_address": 2, "max_connections": 2}
    usual |= {"pending_sessions_per_address": 100, "connections_per_address": 100}
    usual |= bounds
    return Admission(**usual, now_s=0.0, trusted_proxies=TRUSTED)  # type: ignore[arg-type]


def known(door: Admission, address: str, count: int) -> list[Connection]:
    """So many connections of users, which found room."""
    connections = [Connection(address, is_known=True) for _ in range(count)]
    for connection in connections:
        assert door.open_connection(connection) == FREE
    return connections


def test_connections_are_counted() -> None:
    door = admission()
    first, _ = known(door, "192.0.2.1", 1) + known(door, "192.0.2.2", 1)
    assert door.open_connection(Connection("192.0.2.3")) == Overload("max_connections", 1)
    door.close_connection(first)
    assert door.open_connection(Connection("192.0.2.3")) == FREE
    assert door.connections == 2


def test_connections_are_counted_by_address() -> None:
    door = admission(max_connections=100, connections_per_address=3)
    connections = known(door, "198.51.100.7", 3)
    for _ in range(2):
        refusal = Overload("connections_per_address", 5)
        assert door.open_connection(Connection("198.51.100.7")) == refusal
    connections += known(door, "198.51.100.8", 1)
    door.close_connection(connections.pop(0))
    connections += known(door, "198.51.100.7", 1)
    for connection in connections:
        door.close_connection(connection)
    assert door._connected == door._unknown == door._unknown_of == {}
    assert door.connections == 0


def test_where_an_address_has_no_room_its_oldest_connection_of_nobody_gives_way() -> None:
    door = admission(max_connections=100, connections_per_address=4)
    elsewhere = Connection("198.51.100.8")
    assert door.open_connection(elsewhere) == FREE
    connections = [Connection("198.51.100.7") for _ in range(4)]
    for connection in connections:
        assert door.open_connection(connection) == FREE
    connections[0].is_known = connections[2].is_known = True
    for victim in (connections[1], connections[3]):
        newest = Connection("198.51.100.7")
        assert door.open_connection(newest) == Vacancy(victim, "connections_per_address")
        door.close_connection(victim)
        newest.is_known = True
    assert door.open_connection(Connection("198.51.100.7")) == Overload(
        "connections_per_address", 5
    )
    assert door.connections == 5


def test_where_the_daemon_has_no_room_the_oldest_connection_of_nobody_gives_way() -> None:
    door = admission(max_connections=3)
    user, oldest, newer = (Connection(f"192.0.2.{n}") for n in range(3))
    for connection in (user, oldest, newer):
        assert door.open_connection(connection) == FREE
    user.is_known = True
    assert door.open_connection(Connection("192.0.2.9")) == Vacancy(oldest, "max_connections")


def test_nobody_gives_way_twice() -> None:
    door = admission(max_connections=100, connections_per_address=2)
    first, second = Connection("192.0.2.1"), Connection("192.0.2.1")
    for connection in (first, second):
        door.open_connection(connection)
    for victim in (first, second):  # neither has closed yet
        place = door.open_connection(Connection("192.0.2.1"))
        assert place == Vacancy(victim, "connections_per_address")


@pytest.mark.parametrize("proxy", ["10.1.2.3", "::1", "::ffff:10.1.2.3"])
def test_a_trusted_proxy_has_the_connections_of_all_whom_it_serves(proxy: str) -> None:
    door = admission(max_connections=10, connections_per_address=3)
    known(door, proxy, 10)
    assert door.open_connection(Connection(proxy)) == Overload("max_connections", 1)


def test_an_address_has_connections_for_all_of_its_sessions() -> None:
    door = admission(max_connections=100, connections_per_address=1, sessions_per_address=5)
    known(door, "192.0.2.1", 5)
    assert door.open_connection(Connection("192.0.2.1")) == Overload("connections_per_address", 5)


async def test_emptied_returns_when_the_last_connection_is_gone() -> None:
    door = admission()
    await door.emptied()
    [connection] = known(door, "192.0.2.1", 1)
    door.close_connection(connection)
    await door.emptied()


def test_sessions_of_users_are_counted_by_address_and_give_way_to_nobody() -> None:
    door = admission()
    for sid in ("1", "2"):
        assert door.open_session("a", sid, 0) == FREE
        door.identify_session("a", sid)
    assert door.open_session("a", "3", 0) == Overload("sessions_per_address", 5)
    assert door.open_session("b", "4", 0) == FREE
    door.close_session("a", "1")
    assert door.open_session("a", "5", 0) == FREE
    for address, sid in (("a", "2"), ("a", "5"), ("b", "4")):
        door.close_session(address, sid)
    assert door._by_address == door._pending == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8::1", "2001:db8::2"),
        ("2001:db8::1", "2001:DB8:0:0:FFFF::"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1", "fe80::1%eth0"),
    ],
)
def test_what_is_one_address_is_counted_as_one(first: str, second: str) -> None:
    door = admission(sessions_per_address=1, connections_per_address=1, max_connections=100)
    door.open_session(first, "1", 0)
    door.identify_session(second, "1")
    assert door.open_session(second, "2", 0) == Overload("sessions_per_address", 5)
    connection = Connection(first)
    door.open_connection(connection)
    place = door.open_connection(Connection(second))
    assert place == Vacancy(connection, "connections_per_address")


def test_handshakes_come_back_with_time_and_a_refusal_costs_none() -> None:
    door = admission(handshakes_per_second=2, sessions_per_address=100)
    assert [door.open_session("a", sid, 0) for sid in "12"] == [FREE, FREE]
    assert door.open_session("a", "3", 0) == Overload("handshakes_per_second", 1)
    assert door.open_session("a", "4", 0.4) == Overload("handshakes_per_second", 1)
    assert door.open_session("a", "5", 0.5) == FREE
    assert door._by_address == {"a": 3}


def test_an_address_that_floods_leaves_handshakes_to_others() -> None:
    door = admission(
        handshakes_per_second=100, sessions_per_address=500, pending_sessions_per_address=10
    )
    taken = [door.open_session("flood", str(n), 0) for n in range(300)]
    assert [isinstance(one, Vacancy) for one in taken] == [True] * 50 + [False] * 250
    assert taken[-1] == Overload("handshakes_per_second", 1)
    assert all(isinstance(door.open_session(f"{n}", f"x{n}", 0), Vacancy) for n in range(50))
    assert isinstance(door.open_session("last", "y", 0), Overload)
    # What is left unused by others it may have.
    assert isinstance(door.open_session("flood", "later", 1), Vacancy)


@pytest.mark.parametrize("rate", [0.1, 1, 1.5])
def test_an_address_at_its_ceiling_gets_in_at_small_rates_too(rate: float) -> None:
    door = admission(handshakes_per_second=rate, pending_sessions_per_address=1)
    for n in range(5):
        assert isinstance(door.open_session("a", str(n), n * 20 / rate), Vacancy)


def test_while_draining_nobody_comes_in() -> None:
    door = admission()
    door.is_draining = True
    overload = door.open_session("a", "1", 0)
    assert isinstance(overload, Overload)
    assert overload.limit == "draining"


def test_while_clients_are_better_off_on_another_node_nobody_comes_in() -> None:
    door = admission()
    door.is_isolated = True
    overload = door.open_session("a", "1", 0)
    assert isinstance(overload, Overload)
    assert overload.limit == "isolated"
    door.is_isolated = False
    assert isinstance(door.open_session("a", "1", 0), Vacancy)


def test_the_oldest_session_that_is_nobodys_gives_way_to_the_newest() -> None:
    door = admission(sessions_per_address=10, pending_sessions_per_address=2)
    assert [door.open_session("a", sid, 0) for sid in "12"] == [FREE, FREE]
    for victim, sid in (("1", "3"), ("2", "4")):
        place = door.open_session("a", sid, 0)
        assert place == Vacancy(victim, "pending_sessions_per_address")
        door.close_session("a", victim)
    door.identify_session("a", "3")
    assert door.open_session("a", "5", 0) == FREE
    door.close_session("a", "3")
    assert door.open_session("a", "6", 0) == Vacancy("4", "pending_sessions_per_address")


def test_a_session_that_is_nobodys_gives_way_where_an_address_has_too_many_of_both() -> None:
    door = admission(sessions_per_address=2, pending_sessions_per_address=2)
    assert [door.open_session("a", sid, 0) for sid in "12"] == [FREE, FREE]
    door.identify_session("a", "1")
    assert door.open_session("a", "3", 0) == Vacancy("2", "sessions_per_address")


def test_a_connection_that_a_proxy_names_counts_as_its_clients() -> None:
    door = admission(max_connections=100, connections_per_address=2)
    proxied = known(door, "10.0.0.1", 4)
    for connection in proxied[:2]:
        assert door.move_connection(connection, "192.0.2.1") == FREE
    refusal = Overload("connections_per_address", 5)
    assert door.move_connection(proxied[2], "192.0.2.1") == refusal
    assert door.move_connection(proxied[3], "192.0.2.2") == FREE
    assert [connection.address for connection in proxied] == [
        *("192.0.2.1", "192.0.2.1"),
        *("10.0.0.1", "192.0.2.2"),
    ]
    stranger = Connection("10.0.0.1")
    door.open_connection(stranger)
    door.close_connection(proxied[1])
    assert door.move_connection(stranger, "192.0.2.1") == FREE
    assert door.move_connection(proxied[2], "192.0.2.1") == Vacancy(
        stranger, "connections_per_address"
    )
    assert door.connections == 4
    for connection in (proxied[0], proxied[2], proxied[3], stranger):
        door.close_connection(connection)
    assert door._connected == door._unknown == door._unknown_of == {}
    assert door.connections == 0
